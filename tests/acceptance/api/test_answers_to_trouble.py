"""What the API answers where something is broken: always its own form of an error, and never a lost decision."""

import logging
from collections.abc import Callable

import pytest

from shared import wiring
from shared.domain.ports import App
from shared.web import api
from testing.world import World, settings_for

TABLE = "Custom ID,Prompt,Required\na,Who?,Name\nb,When?,Year: integer\n"


def test_missing_settings_are_named(azurite: str) -> None:
    def app() -> App:
        return wiring.build({})

    answer = api.list_response(app, {})

    assert (answer.status, answer.body["error"]["code"]) == (500, "settings")
    assert "BatchStorage" in answer.body["error"]["message"]


def test_storage_that_does_not_answer_is_unavailable() -> None:
    nobody = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;"
        "QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a;"
    )
    app = wiring.build(settings_for(nobody, "http://127.0.0.1:9"))

    answer = api.list_response(lambda: app, {})

    assert (answer.status, answer.body["error"]["code"]) == (503, "unavailable")


def test_what_nobody_expected_is_an_error_of_the_same_form(caplog: pytest.LogCaptureFixture) -> None:
    def app() -> App:
        raise RuntimeError("a secret")

    answer = api.job_response(app, "20261122T101500Z-3f2a9c1b")

    assert answer.status == 500
    assert "secret" not in answer.content().decode()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_cancellation_counts_even_if_the_service_cannot_be_told_yet(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m")
    world.event(name)
    job_id = world.status(name)["job_id"]
    world.clock.advance(70)
    world.tick()
    world.service.scenario({"calls": [{"path": "*/cancel", "answer": {"status": 503}, "times": 1}]})

    answer = api.cancel_response(lambda: world.app, job_id)
    status = world.wait(name)

    assert (answer.status, answer.body["job_id"]) == (202, job_id)
    assert status["state"] == "cancelled"


def test_the_accepted_answers_carry_the_status_of_the_job_in_question(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "error", "status": 400}]})
    name = world.drop("table.csv", TABLE, model="m")
    first = world.run(name)
    world.service.scenario({})

    retried = api.retry_response(lambda: world.app, first["job_id"])
    again = api.retry_response(lambda: world.app, first["job_id"])
    cancelled = api.cancel_response(lambda: world.app, retried.body["job_id"])

    assert (retried.status, retried.body["job_id"]) == (202, f"{first['job_id']}-r1")
    assert (retried.body["retry_of"], retried.body["state"]) == (first["job_id"], "preparing")
    assert (again.status, again.body["error"]["code"]) == (409, "not_now")
    assert (cancelled.status, cancelled.body["job_id"]) == (202, retried.body["job_id"])


def test_a_held_job_is_released(new_world: Callable[..., World]) -> None:
    held = new_world(MAX_JOB_INPUT_TOKENS="1")
    name = held.drop("table.csv", TABLE, model="m")
    held.event(name)
    before = held.status(name)

    answer = api.release_response(lambda: held.app, before["job_id"])
    again = api.release_response(lambda: held.app, before["job_id"])

    assert before["state"] == "held"
    assert "estimated" in before["message"]
    assert answer.status == 202
    assert answer.body["state"] != "held"
    assert again.status == 409
    assert held.wait(name)["state"] == "completed"
