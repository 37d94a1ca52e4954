"""How jobs go on and end: steering over HTTP, retries, attempts, and a service with odd habits."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.web import api
from testing.world import World
from tests.acceptance.reading import balances, jsonl, run_all, wait_all

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}}}
TABLE = "Custom ID,Prompt,Note\na,Who?,1\nb,When?,2\nc,Where?,3\n"


def _post(world: World, job_id: str, what: str) -> tuple[int, dict[str, Any]]:
    use = {"cancel": api.cancel_response, "release": api.release_response, "retry": api.retry_response}
    answer = use[what](lambda: world.app, job_id)
    return answer.status, json.loads(answer.content())


def test_retries_take_over_what_was_answered_and_read_settings_anew(world: World) -> None:
    failing = [{"custom_id": "b", "outcome": "error", "status": 400}, {"custom_id": "c", "outcome": "refusal"}]
    world.service.scenario({"rows": failing})
    name = world.drop("f/x.csv", TABLE, model="m", schema=SCHEMA, limit=2)
    first = run_all(world, [name])[name]
    job_id = first["job_id"]
    assert first["errors"] == {"request_failed": 1, "not_sent": 1}
    assert _post(world, job_id, "release")[0] == 409
    assert _post(world, job_id, "cancel")[0] == 409
    assert _post(world, "nobody", "retry")[0] == 404
    answer = _post(world, "nobody", "cancel")[1]
    assert list(answer) == ["error"]
    assert list(answer["error"]) == ["code", "message"]

    # The prompt file is gone, its settings are others, and both failed rows are asked.
    world.blobs.get_blob_client(world.environment["PROMPTS_CONTAINER"], name).delete_blob()
    other = {"type": "object", "properties": {"B": {"type": "integer"}}}
    world.put("f/_job.json", json.dumps({"model": "m2", "schema": other}))
    world.service.scenario({"rows": failing[1:]})
    status, retry = _post(world, job_id, "retry")
    assert (status, retry["job_id"], retry["retry_of"], retry["state"]) == (202, f"{job_id}-r1", job_id, "preparing")
    assert _post(world, job_id, "retry")[0] == 409
    assert _post(world, f"{job_id}-r1", "retry")[0] == 409
    second = wait_all(world, [name])[name]
    assert second["rows"] == {"total": 3, "succeeded": 2, "failed": 1, "pending": 0, "reused": 0}
    assert [set(line["output"]) for line in world.results(name)] == [{"A"}, {"B"}]
    assert world.results(name)[0]["input"] == {"Note": "1"}
    assert list(world.table(name)[0]) == ["custom_id", "Note", "A", "B", "status", "error_code", "error_message"]
    assert world.errors(name)[0]["body"]["model"] == "m2"
    assert balances(world, name)

    # A retry of either is the next one, over what is left.
    world.service.scenario({})
    assert _post(world, job_id, "retry")[1]["job_id"] == f"{job_id}-r2"
    third = wait_all(world, [name])[name]
    assert (third["job_id"], third["retry_of"], third["rows"]["succeeded"]) == (f"{job_id}-r2", job_id, 3)
    assert [line["custom_id"] for line in world.requests(f"{job_id}-r2")] == ["c"]
    assert [line["custom_id"] for line in world.requests(f"{job_id}-r1")] == ["b", "c"]
    assert world.folders(name) == [f"{name}/{job_id}", f"{name}/{job_id}-r1", f"{name}/{job_id}-r2"]
    assert json.loads(world.result(name, "latest.json", folder=name))["job_id"] == f"{job_id}-r2"
    assert _post(world, f"{job_id}-r1", "retry")[0] == 409
    assert balances(world, name)


def test_a_job_with_faulty_settings_can_be_retried_once_they_are_fixed(world: World) -> None:
    table = "Model,Model Name,Prompt\nm,m2,Who?\n"
    name = world.drop("f/x.csv", table, schema=SCHEMA)
    first = run_all(world, [name])[name]
    assert first["code"] == "invalid_file"
    world.put("f/_job.json", json.dumps({"schema": SCHEMA, "columns": {"model": "Model Name"}}))

    assert _post(world, first["job_id"], "retry")[0] == 202
    second = wait_all(world, [name])[name]

    assert second["rows"] == {"total": 1, "succeeded": 1, "failed": 0, "pending": 0, "reused": 0}
    assert second["batches"][0]["model"] == "m2"


def test_refused_creations_and_want_of_quota_count_as_no_attempt(world: World) -> None:
    calls = [{"method": "POST", "path": "/batches", "answer": {"status": 503}, "times": 2}]
    full = [{"fail": [{"code": "token_limit_exceeded", "message": "Enqueued tokens"}], "times": 2}]
    world.service.scenario(
        {"calls": calls, "batches": full, "rows": [{"custom_id": "b", "outcome": "error", "status": 500, "times": 1}]}
    )
    name = world.drop("x.csv", TABLE, model="m", schema=SCHEMA, max_attempts=2)

    status = run_all(world, [name])[name]

    assert status["rows"]["succeeded"] == 3
    assert [line["attempts"] for line in world.results(name)] == [1, 2, 1]
    assert [batch["attempt"] for batch in status["batches"]] == [1, 2]


def test_a_batch_that_is_refused_for_good_fails_the_job_with_its_rows_named(world: World) -> None:
    world.service.scenario({"batches": [{"fail": [{"code": "invalid_json_line", "message": "bad", "line": 2}]}]})
    name = world.drop("x.csv", TABLE, model="m", schema=SCHEMA)

    status = run_all(world, [name])[name]

    assert (status["state"], status["code"], status["errors"]) == ("failed", "batch_failed", {"batch_failed": 3})
    assert "invalid_json_line" in status["message"]
    assert len(status["batches"]) == 1
    assert world.errors(name)[0]["body"]["model"] == "m"
    assert balances(world, name)


def test_of_two_batches_one_that_is_refused_leaves_a_completed_job(new_world: Callable[..., World]) -> None:
    world = new_world(MAX_REQUESTS_PER_BATCH="2")
    world.service.scenario({"batches": [{"fail": [{"code": "invalid_request", "message": "bad"}], "times": 1}]})
    name = world.drop("x.csv", TABLE, model="m", schema=SCHEMA)

    status = run_all(world, [name])[name]

    assert (status["state"], status["code"], status["errors"]["batch_failed"]) == (
        "completed",
        None,
        status["rows"]["failed"],
    )
    assert balances(world, name)


@pytest.mark.parametrize(
    "habits",
    [
        {"missing_ids": "empty", "all_failed_output": "empty_id", "counts": "null", "status_as": "american"},
        {"missing_ids": "null", "all_failed_output": "empty_file", "counts": "zero", "times_as": "iso"},
        {"status_as": "capitalized", "endpoint": "null", "failed_as": "completed_times", "error_file": "when_failed"},
    ],
)
def test_the_services_odd_habits_change_nothing(world: World, habits: dict[str, str]) -> None:
    rows = [
        {"custom_id": "b", "outcome": "error", "status": 400},
        {"custom_id": "bad*", "outcome": "error", "status": 400},
    ]
    world.service.scenario({"batches": [habits], "rows": rows})
    name = world.drop("x.csv", TABLE, model="m", schema=SCHEMA)
    worst = world.drop("y.csv", "Custom ID,Prompt\nbad1,Who?\nbad2,When?\n")
    slow = world.drop("z.csv", TABLE)
    for file in (name, worst, slow):
        world.event(file)
    batch_id = world.status(slow)["batches"][0]["batch_id"]
    world.clock.advance(100)
    world.tick()
    world.batch_service.cancel(batch_id)

    status = wait_all(world, [name])[name]

    assert status["errors"] == {"request_failed": 1}
    assert wait_all(world, [worst])[worst]["state"] == "completed"
    assert world.status(worst)["errors"] == {"request_failed": 2}
    assert wait_all(world, [slow])[slow]["state"] == "completed"
    cancelled = world.status(slow)
    assert cancelled["batches"][0]["status"] == "cancelled"
    assert cancelled["errors"].keys() <= {"cancelled", "request_failed"}
    assert len(cancelled["batches"]) == 1
    assert all(balances(world, file) for file in (name, worst, slow))


def test_a_job_that_got_nowhere_gives_up_and_its_file_of_errors_can_be_dropped_again(
    new_world: Callable[..., World],
) -> None:
    world = new_world(MAX_WAIT_HOURS="1.5")
    world.service.scenario({"calls": [{"method": "POST", "path": "/batches", "answer": {"status": 403}}]})
    name = world.drop("x.csv", f"{TABLE}a,Twice?,4\n,,5\n", model="m", schema=SCHEMA)

    status = run_all(world, [name])[name]

    assert (status["state"], status["code"]) == ("failed", "gave_up")
    assert status["errors"] == {"gave_up": 3, "duplicate_custom_id": 1, "missing_prompt": 1}
    assert [line["error"]["attempts"] for line in world.errors(name)] == [0] * 5
    assert balances(world, name)

    world.service.scenario({})
    errors = world.result(name, "errors.jsonl")
    again = world.drop("again.jsonl.gz", __import__("gzip").compress(errors))
    second = run_all(world, [again])[again]
    # The id that was used twice is so again.
    assert second["errors"] == {"duplicate_custom_id": 1, "missing_prompt": 1}
    assert [line["input"]["Note"] for line in world.results(again)] == ["1", "2", "3"]
    assert balances(world, again)


def test_a_retry_that_gives_up_keeps_what_was_answered(new_world: Callable[..., World]) -> None:
    world = new_world(MAX_WAIT_HOURS="1")
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "error", "status": 400}]})
    name = world.drop("x.csv", TABLE, model="m", schema=SCHEMA)
    first = run_all(world, [name])[name]
    world.service.scenario({"calls": [{"method": "POST", "path": "/batches", "answer": {"status": 403}}]})

    _post(world, first["job_id"], "retry")
    status = wait_all(world, [name])[name]

    assert status["state"] == "completed"
    assert (status["rows"]["succeeded"], status["errors"]) == (2, {"gave_up": 1})
    assert balances(world, name)


def test_a_held_job_is_cancelled_and_one_over_the_limit_only_is_sent(new_world: Callable[..., World]) -> None:
    world = new_world(MAX_JOB_INPUT_TOKENS="20")
    name = world.drop("x.csv", TABLE, model="m", schema=SCHEMA)
    world.event(name)
    job_id = world.status(name)["job_id"]
    assert world.status(name)["state"] == "held"
    assert _post(world, job_id, "retry")[0] == 409
    status, body = _post(world, job_id, "cancel")
    assert (status, body["job_id"]) == (202, job_id)
    assert wait_all(world, [name])[name]["state"] == "cancelled"
    assert world.status(name)["errors"] == {"not_sent": 3}
    assert world.errors(name)[0]["method"] == "POST"
    assert balances(world, name)


def test_each_row_is_asked_again_by_its_own_history(world: World) -> None:
    world.service.scenario(
        {
            "rows": [
                {"custom_id": "limited-then-odd", "outcome": "error", "status": 429, "times": 2},
                {"custom_id": "limited-then-odd", "outcome": "wrong_schema", "times": 1},
                {"custom_id": "server", "outcome": "error", "status": 503, "times": 1},
                {"custom_id": "gone", "outcome": "missing", "times": 1},
                {"custom_id": "client", "outcome": "error", "status": 404},
                {"custom_id": "filtered", "outcome": "prompt_filtered"},
                {"custom_id": "cut", "outcome": "cut"},
            ]
        }
    )
    ids = ("limited-then-odd", "server", "gone", "client", "filtered", "cut", "good")
    name = world.drop(
        "x.jsonl",
        jsonl(*({"custom_id": one, "prompt": "Who?"} for one in ids)),
        model="m",
        schema=SCHEMA,
        max_attempts=6,
    )

    status = run_all(world, [name])[name]

    assert {line["custom_id"]: line["attempts"] for line in world.results(name)} == {
        "limited-then-odd": 4,
        "server": 2,
        "gone": 2,
        "good": 1,
    }
    assert {line["custom_id"]: line["error"]["attempts"] for line in world.errors(name)} == {
        "client": 1,
        "filtered": 1,
        "cut": 1,
    }
    assert "404" in world.errors(name)[0]["error"]["message"]
    assert status["errors"] == {"request_failed": 1, "content_filter": 1, "truncated": 1}
    assert "answer" not in world.errors(name)[0]
    billed = world.service.journal().billed
    assert status["usage"]["output_tokens"] == sum(
        row["completion_tokens"] for row in billed if row["custom_id"] != "gone"
    ) + sum(line["usage"]["output_tokens"] for line in world.results(name) if line["custom_id"] == "gone")
