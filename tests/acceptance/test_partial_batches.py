"""Batches that end before their time, and answers that don't fit in bulk."""

import json
from collections.abc import Callable

import pytest

from shared.web import api
from testing.world import World
from tests.acceptance.reading import balances, run_all, wait_all

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}}}


def _table(rows: int) -> str:
    return "Prompt\n" + "Who?\n" * rows


@pytest.mark.parametrize("unrun", ["absent", "error_lines"])
def test_rows_that_a_batch_did_not_run_are_named_by_its_end(new_world: Callable[..., World], unrun: str) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m", MAX_REQUESTS_PER_BATCH="4")
    world.service.scenario({"batches": [{"running": 1000, "unrun_rows": unrun}]})
    name = world.drop("cancelled.csv", _table(10), schema=SCHEMA, limit=9)
    world.event(name)
    world.clock.advance(600)
    world.tick()
    job_id = world.status(name)["job_id"]
    answer = api.cancel_response(lambda: world.app, job_id)
    assert answer.status == 202
    status = wait_all(world, [name])[name]
    assert status["state"] == "cancelled"
    assert status["errors"].keys() == {"cancelled", "not_sent"}
    assert status["errors"]["not_sent"] == 1
    assert status["rows"]["succeeded"] > 0
    assert balances(world, name)
    assert all(line["method"] == "POST" for line in world.errors(name))

    world.service.scenario({"batches": [{"expire": 0.5, "unrun_rows": unrun}]})
    expired = world.drop("expired.csv", _table(4), schema=SCHEMA, max_attempts=2)
    world.event(expired)
    for _ in range(10):
        world.tick()
        world.clock.advance(8 * 3600)
    status = world.status(expired)
    assert status["state"] == "completed"
    assert status["errors"] == {"expired": 1}
    assert [batch["status"] for batch in status["batches"]] == ["expired", "expired"]
    assert world.errors(expired)[0]["error"]["attempts"] == 2
    assert balances(world, expired)


@pytest.mark.parametrize("unrun", ["absent", "error_lines"])
def test_all_rows_without_an_answer_of_a_job_that_gave_up_are_named_so(
    new_world: Callable[..., World], unrun: str
) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m", MAX_WAIT_HOURS="0.5")
    world.service.scenario({"batches": [{"running": 10**6, "unrun_rows": unrun}]})
    name = world.drop("x.csv", _table(3), schema=SCHEMA)

    status = run_all(world, [name])[name]

    assert (status["state"], status["code"], status["errors"]) == ("failed", "gave_up", {"gave_up": 3})
    assert status["batches"][0]["status"] == "cancelled"
    assert balances(world, name)


@pytest.mark.parametrize("end", ["cancelled", "gave_up"])
def test_rows_whose_follow_up_was_never_sent_have_been_sent_all_the_same(
    new_world: Callable[..., World], end: str
) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m", MAX_WAIT_HOURS="0.5")
    rows = [
        {"custom_id": "row-1", "outcome": "missing"},
        {"custom_id": "row-2", "outcome": "error", "status": 503},
        {"custom_id": "row-3", "outcome": "wrong_schema"},
    ]
    refused = {"method": "POST", "path": "/batches", "answer": {"status": 503}, "skip": 1}
    world.service.scenario({"rows": rows, "calls": [refused]})
    name = world.drop("x.csv", _table(4), schema=SCHEMA)
    world.event(name)
    while len(world.status(name)["batches"]) < 2:
        world.clock.advance(330)
        world.tick()
    if end == "cancelled":
        assert api.cancel_response(lambda: world.app, world.status(name)["job_id"]).status == 202

    status = wait_all(world, [name])[name]

    by_end = {"cancelled": ["missing", "request_failed"], "gave_up": ["gave_up", "gave_up"]}
    assert status["state"] == ("cancelled" if end == "cancelled" else "completed")
    assert [line["error"]["code"] for line in world.errors(name)] == [*by_end[end], "invalid_output"]
    assert [line["error"]["attempts"] for line in world.errors(name)] == [1, 1, 1]
    assert world.errors(name)[2]["answer"]["text"]
    assert balances(world, name)


def test_a_fifth_of_ill_fitting_answers_is_asked_again_and_more_is_not(world: World) -> None:
    odd = [{"custom_id": f"row-{number}", "outcome": "wrong_schema"} for number in (1, 2, 3, 4)]
    world.service.scenario({"rows": odd})
    fifth = world.drop("fifth.csv", _table(20), model="m", schema=SCHEMA, max_attempts=9)
    few = world.drop("few.csv", _table(19))

    assert [batch["requests"] for batch in run_all(world, [fifth])[fifth]["batches"]] == [20, 4, 4]
    assert [batch["requests"] for batch in run_all(world, [few])[few]["batches"]] == [19, 4, 4]
    world.service.scenario({"rows": [*odd, {"custom_id": "row-5", "outcome": "broken_json"}]})
    more = world.drop("more.csv", _table(20))
    status = run_all(world, [more])[more]
    assert [batch["requests"] for batch in status["batches"]] == [20]
    assert status["errors"] == {"invalid_output": 5}
    assert any("schema" in warning for warning in status["warnings"])


def test_a_file_that_changes_before_its_copy_fails_its_job_and_has_another(world: World) -> None:
    from shared.pipeline import receiving, steps

    name = world.drop("x.csv", _table(1), model="m", schema=SCHEMA)
    first = receiving.receive(world.app, name)
    assert first is not None
    world.put(name, _table(2))
    steps.advance(first)
    world.event(name)
    for _ in range(8):
        world.tick()
        world.clock.advance(60)

    by_id = {status["job_id"]: status for status in (world.status(name, folder) for folder in world.folders(name))}
    failed = by_id.pop(first.job_id)
    assert (failed["state"], failed["code"], failed["rows"]["total"]) == ("failed", "source_changed", None)
    assert [status["rows"]["succeeded"] for status in by_id.values()] == [2]
    assert world.result(name, "errors.jsonl", f"{name}/{first.job_id}") == b""


def test_the_api_shows_what_the_files_show(world: World) -> None:
    names = [world.drop(f"{folder}/x.csv", _table(1), model="m", schema=SCHEMA) for folder in ("a", "b", "c")]
    statuses = [run_all(world, [name])[name] for name in names]

    found = json.loads(api.list_response(lambda: world.app, {"limit": "2"}).content())
    rest = json.loads(api.list_response(lambda: world.app, {"limit": "2", "cursor": found["cursor"]}).content())
    filtered = json.loads(api.list_response(lambda: world.app, {"prefix": "b/", "state": "completed"}).content())

    listed = [*found["jobs"], *rest["jobs"]]
    assert listed == [{key: value for key, value in one.items() if key != "batches"} for one in reversed(statuses)]
    assert rest["cursor"] is None
    assert [job["prompt_file"] for job in filtered["jobs"]] == ["b/x.csv"]
    for limit in ("0", "501", "ten", "-1", ""):
        assert api.list_response(lambda: world.app, {"limit": limit}).status == 400
    assert api.list_response(lambda: world.app, {"limit": "500"}).status == 200
    shown = json.loads(api.job_response(lambda: world.app, statuses[0]["job_id"]).content())
    assert shown == statuses[0]
