"""Refusals that may pass: the job waits, says why and what to do, and goes on by itself once they are fixed."""

from collections.abc import Callable
from typing import Any

import pytest

from testing.world import World

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\nb,When?,Year: integer\n"
DONE = {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}


def _dropped(world: World, scenario: dict[str, Any], name: str = "table.csv") -> dict[str, Any]:
    world.service.scenario(scenario)
    world.event(world.drop(name, TABLE, model="gpt-4o-batch"))
    for _ in range(4):
        world.tick()
        world.clock.advance(60)
    return world.status(name)


CREATE = {"method": "POST", "path": "/batches"}
UPLOAD = {"method": "POST", "path": "/files"}


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ({"calls": [{**CREATE, "answer": {"status": 429, "retry_after": 5}}]}, "later"),
        ({"calls": [{**CREATE, "answer": {"status": 503}}]}, "503"),
        ({"calls": [{**CREATE, "answer": {"status": 401, "code": "PermissionDenied"}}]}, "Contributor"),
        ({"calls": [{**UPLOAD, "answer": {"status": 403}}]}, "role"),
        ({"calls": [{**UPLOAD, "answer": {"status": 404}}]}, "AZURE_OPENAI_ENDPOINT"),
        ({"calls": [{**UPLOAD, "answer": {"status": 500}}]}, "500"),
        ({"quota": {"gpt-4o-batch": {"tokens": 1, "mode": "immediate"}}}, "quota"),
        ({"files": [{"ends": "error", "status_details": "unreadable"}]}, "unreadable"),
        ({"files": [{"ends": "pending"}]}, "process"),
        ({"deployments": {"other": {}}}, "deployment"),
        ({"deployments": {"gpt-4o-batch": {"sku": "Standard"}}}, "Global Batch"),
        ({"batches": [{"fail": [{"code": "token_limit_exceeded", "message": "enqueued tokens"}]}]}, "quota"),
    ],
)
def test_a_refusal_is_waited_for_and_the_job_goes_on_once_it_is_fixed(
    world: World, scenario: dict[str, Any], said: str
) -> None:
    status = _dropped(world, scenario)

    assert status["state"] == "waiting", status
    assert said in status["message"]
    assert status["rows"]["pending"] == 2

    world.service.scenario({})
    assert world.wait("table.csv")["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_settings_at_fault_are_named_all_together_and_waited_for(world: World) -> None:
    broken = world.another(AZURE_OPENAI_ENDPOINT="", MAX_ATTEMPTS="many")
    broken.event(broken.drop("table.csv", TABLE, model="m"))

    status = broken.status("table.csv")

    assert status["state"] == "waiting"
    assert "AZURE_OPENAI_ENDPOINT" in status["message"]
    assert "MAX_ATTEMPTS" in status["message"]
    assert world.wait("table.csv")["rows"] == DONE


def test_a_deployment_that_a_column_names_is_told_with_the_column_and_the_remedy(world: World) -> None:
    world.service.scenario({"deployments": {"gpt-4o-batch": {}}})
    own = world.drop("own/x.csv", "Prompt,Model\nWho?,A4 Avant\n", model="gpt-4o-batch", required="Name")
    meant = world.drop("meant/x.csv", "Prompt\nWho?\n", model="gone", required="Name")
    for name in (own, meant):
        world.event(name)
    for _ in range(4):
        world.tick()
        world.clock.advance(60)

    message = world.status(own)["message"]
    assert "The deployment A4 Avant cannot take batches" in message
    assert 'The name comes from the column "Model"' in message
    assert '"columns": {"model": null}' in message
    assert "comes from the column" not in world.status(meant)["message"]


def test_a_batch_too_large_for_the_deployment_at_all_is_split(world: World) -> None:
    rows = "".join(f"q{number},Who built number {number} of them all?\n" for number in range(40))
    world.service.scenario({"quota": {"m": {"tokens": 1000, "mode": "late"}}})
    schema = {"type": "object", "properties": {"Name": {"type": "string"}}}
    name = world.drop("big.csv", f"Custom ID,Prompt\n{rows}", model="m", schema=schema)

    status = world.run(name)

    assert status["state"] == "completed", status
    assert status["rows"]["succeeded"] == 40
    assert world.service.journal().totals["billed"] == 40
    assert len([batch for batch in status["batches"] if batch["requests"]]) > 1


def test_jobs_take_turns_at_a_full_deployment(world: World) -> None:
    world.service.scenario({"quota": {"m": {"tokens": 250, "mode": "immediate"}}})
    names = [f"table-{number}.csv" for number in range(4)]
    for name in names:
        world.event(world.drop(name, TABLE, model="m"))

    for name in names:
        assert world.wait(name, hours=20)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 8


def test_a_creation_whose_answer_was_lost_makes_no_second_batch(world: World) -> None:
    world.service.scenario({"calls": [{**CREATE, "drop": "after", "times": 1}]})
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_a_creation_that_never_arrived_is_made_again_after_it_was_looked_for(world: World) -> None:
    world.service.scenario({"calls": [{**CREATE, "drop": "before", "times": 1}]})
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_a_batch_that_is_listed_only_later_is_adopted(world: World) -> None:
    world.service.scenario({"calls": [{**CREATE, "drop": "after", "times": 1}], "batches": [{"listed_after": 200}]})
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_a_twin_that_shows_up_after_the_settling_time_is_cancelled(world: World) -> None:
    world.service.scenario(
        {
            "calls": [{**CREATE, "drop": "after", "times": 1}],
            "batches": [{"listed_after": 900, "validating": 4000, "times": 1}, {"validating": 4000}],
        }
    )
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


@pytest.mark.parametrize("cut", ["broken", "short"])
def test_a_download_cut_short_is_fetched_again(world: World, cut: str) -> None:
    world.service.scenario({"calls": [{"path": "/files/*/content", "cut": 500, "cut_as": cut, "times": 2}]})
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_a_job_over_the_token_limit_is_held_and_goes_on_when_released(new_world: Callable[..., World]) -> None:
    from shared.pipeline import job_control

    world = new_world(MAX_JOB_INPUT_TOKENS="5")
    world.event(world.drop("table.csv", TABLE, model="m"))
    world.tick()
    status = world.status("table.csv")
    assert status["state"] == "held"
    assert "MAX_JOB_INPUT_TOKENS" in status["message"]
    assert world.service.journal().totals["billed"] == 0

    job_control.release(world.app, status["job_id"])

    assert world.wait("table.csv")["rows"] == DONE
