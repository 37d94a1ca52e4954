"""Every row code, produced from the outside; which rows are asked again, and which never."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from testing.world import World

SCHEMA = {"type": "object", "properties": {"Name": {"type": "string"}}, "required": ["Name"]}


def _table(rows: int) -> str:
    lines = [f"row-{number},Who built number {number}?,{number}" for number in range(1, rows + 1)]
    return "\n".join(["Custom ID,Prompt,Note", *lines]) + "\n"


def _run(world: World, scenario: dict[str, Any], rows: int = 3, **settings: Any) -> dict[str, Any]:
    world.service.scenario(scenario)
    name = world.drop("table.csv", _table(rows), **{"model": "m", "schema": SCHEMA, **settings})
    status = world.run(name)
    assert status["state"] == "completed"
    assert status["rows"]["succeeded"] + status["rows"]["failed"] == rows == len(world.table(name))
    assert len(world.results(name)) == status["rows"]["succeeded"]
    assert len(world.errors(name)) == status["rows"]["failed"]
    return status


def _billed(world: World) -> int:
    return world.service.journal().totals["billed"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ({"outcome": "refusal"}, "refusal"),
        ({"outcome": "prompt_filtered"}, "content_filter"),
        ({"outcome": "answer_filtered"}, "content_filter"),
        ({"outcome": "cut"}, "truncated"),
        ({"outcome": "error", "status": 400}, "request_failed"),
    ],
)
def test_rows_that_asking_again_cannot_help_are_asked_once(world: World, outcome: dict[str, Any], code: str) -> None:
    status = _run(world, {"rows": [{"custom_id": "row-2", **outcome}]})

    assert status["errors"] == {code: 1}
    assert [batch["attempt"] for batch in status["batches"]] == [1]
    assert [line["custom_id"] for line in world.errors("table.csv")] == ["row-2"]
    assert [row["error_code"] for row in world.table("table.csv")] == ["", code, ""]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ({"outcome": "error", "status": 429}, "rate_limited"),
        ({"outcome": "error", "status": 503}, "request_failed"),
        ({"outcome": "missing"}, "missing"),
        ({"outcome": "wrong_schema"}, "invalid_output"),
        ({"outcome": "broken_json"}, "invalid_output"),
    ],
)
def test_rows_worth_asking_again_are_asked_until_the_attempts_run_out(
    world: World, outcome: dict[str, Any], code: str
) -> None:
    status = _run(world, {"rows": [{"custom_id": "row-2", **outcome}]})

    assert status["errors"] == {code: 1}
    assert [(batch["attempt"], batch["requests"]) for batch in status["batches"]] == [(1, 3), (2, 1), (3, 1)]
    assert world.errors("table.csv")[0]["error"]["attempts"] == 3


def test_a_row_that_succeeds_in_a_follow_up_is_a_result_in_its_place(world: World) -> None:
    status = _run(world, {"rows": [{"custom_id": "row-2", "outcome": "error", "status": 503, "times": 1}]})

    assert status["rows"] == {"total": 3, "succeeded": 3, "failed": 0, "pending": 0, "reused": 0}
    assert [line["row"] for line in world.results("table.csv")] == [1, 2, 3]
    assert [line["attempts"] for line in world.results("table.csv")] == [1, 2, 1]


def test_a_truncated_row_is_asked_again_with_twice_the_cap_where_one_was_set(world: World) -> None:
    status = _run(
        world,
        {"rows": [{"custom_id": "row-2", "outcome": "cut", "times": 1}]},
        parameters={"max_completion_tokens": 50},
    )

    assert status["rows"]["succeeded"] == 3
    again = world.requests(status["job_id"], "00000-2")
    assert [(line["custom_id"], line["body"]["max_completion_tokens"]) for line in again] == [("row-2", 100)]


def test_the_usage_of_superseded_answers_is_counted_and_the_paid_answer_kept(world: World) -> None:
    status = _run(world, {"rows": [{"custom_id": "row-2", "outcome": "wrong_schema"}]})

    assert _billed(world) == 5
    assert status["usage"]["total_tokens"] == sum(
        row["prompt_tokens"] + row["completion_tokens"] for row in world.service.journal().billed
    )
    assert world.errors("table.csv")[0]["answer"]["text"]


def test_answers_that_do_not_fit_in_bulk_are_not_paid_again(world: World) -> None:
    status = _run(world, {"rows": [{"custom_id": "*", "outcome": "wrong_schema"}]}, rows=25)

    assert status["errors"] == {"invalid_output": 25}
    assert _billed(world) == 25
    assert any("schema" in warning for warning in status["warnings"])


def test_rows_of_an_expired_batch_are_asked_again_and_what_was_answered_is_kept(world: World) -> None:
    status = _run(world, {"batches": [{"expire": 0.5, "times": 1}]}, rows=4)

    assert status["rows"]["succeeded"] == 4
    assert _billed(world) == 4
    assert status["batches"][0]["status"] == "expired"


def test_expired_rows_are_named_so_once_the_attempts_are_used(world: World) -> None:
    status = _run(world, {"batches": [{"expire": 0.5}]}, rows=4, max_attempts=1)

    assert set(status["errors"]) == {"expired"}


def test_a_batch_cancelled_at_the_service_is_not_followed_up(world: World) -> None:
    name = world.drop("table.csv", _table(3), model="m", schema=SCHEMA)
    world.event(name)
    batch_id = world.status(name)["batches"][0]["batch_id"]
    world.clock.advance(70)
    world.batch_service.cancel(batch_id)

    status = world.wait(name)

    assert status["state"] == "completed"
    assert set(status["errors"]) == {"cancelled"}
    assert len(status["batches"]) == 1


def test_a_job_in_which_every_row_failed_is_completed(world: World) -> None:
    status = _run(world, {"rows": [{"custom_id": "*", "outcome": "error", "status": 400}]})

    assert status["errors"] == {"request_failed": 3}
    assert world.result("table.csv", "results.jsonl") == b""


def test_rows_that_cannot_be_sent_are_named_and_the_others_answered(world: World) -> None:
    big = "x" * 3000
    lines: list[Any] = [
        {"Custom ID": "good", "Prompt": "Who?"},
        {"Custom ID": "good", "Prompt": "Who again?"},
        {"Custom ID": "silent", "Prompt": " "},
        {"Custom ID": "odd", "Prompt": {"an": "object"}},
        {"Custom ID": "schema", "Prompt": "Who?", "Schema": {"type": "array", "items": {"type": "string"}}},
        {"Custom ID": "big", "Prompt": big},
        {"custom_id": "get", "method": "GET", "url": "/chat/completions", "body": {"messages": []}},
    ]
    text = "\n".join([*(json.dumps(line) for line in lines), "{no json"]) + "\n"
    small = world.another(MAX_BYTES_PER_BATCH="3000")
    name = small.drop("rows.jsonl", text, model="m", schema=SCHEMA)

    status = small.run(name)

    assert status["errors"] == {
        "duplicate_custom_id": 1,
        "missing_prompt": 1,
        "invalid_request": 2,
        "invalid_schema": 1,
        "row_too_large": 1,
        "invalid_json": 1,
    }
    codes = [line["error"]["code"] for line in small.errors(name)]
    assert codes[-1] == "invalid_json"
    assert small.errors(name)[-1]["source"] == "{no json"
    assert status["rows"]["succeeded"] == 1


def test_missing_value_and_missing_model(world: World) -> None:
    name = world.drop(
        "rows.jsonl",
        '{"City": "Paris"}\n{"Town": "Rome", "Model": "m"}\n{"City": "Oslo", "Model": "m"}\n',
        prompt="What is {City} known for?",
        schema=SCHEMA,
    )

    status = world.run(name)

    assert status["errors"] == {"missing_model": 1, "missing_value": 1}
    assert [line["input"] for line in world.results(name)] == [{"City": "Oslo"}]


def test_rows_beyond_the_limit_are_not_sent(world: World) -> None:
    status = _run(world, {}, rows=5, limit=2)

    assert status["errors"] == {"not_sent": 3}
    assert _billed(world) == 2


def test_the_errors_file_dropped_again_tries_just_those_rows(world: World) -> None:
    _run(world, {"rows": [{"custom_id": "row-2", "outcome": "error", "status": 400}]})
    world.service.scenario({})
    again = world.drop("again.jsonl", world.result("table.csv", "errors.jsonl"))

    status = world.run(again)

    assert status["rows"] == {"total": 1, "succeeded": 1, "failed": 0, "pending": 0, "reused": 0}
    assert world.results(again)[0]["custom_id"] == "row-2"
    assert world.results(again)[0]["input"] == {"Note": "2"}


def test_rows_of_several_models_go_into_batches_of_their_own_and_come_back_in_order(
    new_world: Callable[..., World],
) -> None:
    world = new_world(MAX_REQUESTS_PER_BATCH="2")
    rows = "\n".join(f"q{number},m{number % 2},Who?" for number in range(9))
    name = world.drop("mixed.csv", f"Custom ID,Model,Prompt\n{rows}\n", schema=SCHEMA)

    status = world.run(name)

    assert sorted((batch["model"], batch["requests"]) for batch in status["batches"]) == [
        ("m0", 1),
        ("m0", 2),
        ("m0", 2),
        ("m1", 2),
        ("m1", 2),
    ]
    assert [line["custom_id"] for line in world.results(name)] == [f"q{number}" for number in range(9)]
