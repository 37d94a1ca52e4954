"""The result files, key by key and byte by byte, as the contract writes them."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import openpyxl  # type: ignore[import-untyped]

from testing.world import World
from tests.acceptance.reading import balances, jsonl, run_all

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
STATUS_KEYS = [
    *("job_id", "prompt_file", "retry_of", "state", "code", "message", "created_at", "updated_at", "completed_at"),
    *("rows", "answered", "held_by", "estimate", "settings", "usage", "cost", "errors", "warnings", "batches"),
]
BATCH_KEYS = [
    *("batch_id", "model", "attempt", "state", "status", "requests", "completed", "failed", "created_at", "message"),
    *("pilot", "target"),
]


def check_form(status: dict[str, Any]) -> None:
    """Check that a status.json has exactly the contract's keys, with their types."""
    assert list(status) == STATUS_KEYS
    assert list(status["rows"]) == ["total", "succeeded", "failed", "pending", "reused"]
    assert list(status["usage"]) == ["input_tokens", "output_tokens", "total_tokens"]
    assert list(status["cost"]) == ["usd", "unpriced_rows"]
    assert list(status["estimate"]) == ["input_tokens", "output_tokens", "usd", "basis"]
    assert (status["held_by"] is None) == (status["state"] != "held")
    assert 0 <= status["answered"] <= (status["rows"]["total"] or 0)
    assert all(isinstance(number, int) for number in status["errors"].values())
    assert all(isinstance(text, str) for text in status["warnings"])
    for key in ("created_at", "updated_at"):
        assert TIME.fullmatch(status[key])
    ended = status["state"] in ("completed", "failed", "cancelled")
    assert bool(status["completed_at"]) == ended
    for key in ("retry_of", "code", "message", "completed_at"):
        assert status[key] is None or (isinstance(status[key], str) and status[key])
    for batch in status["batches"]:
        assert list(batch) == BATCH_KEYS
        assert batch["state"] in ("prepared", "uploaded", "submitted", "ended", "collected")
        assert all(isinstance(batch[key], int) for key in ("attempt", "requests", "completed", "failed"))
        for key in ("batch_id", "status", "created_at", "message"):
            assert batch[key] is None or (isinstance(batch[key], str) and batch[key])


def test_every_state_of_a_job_has_the_same_form(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="gpt-4o-mini", MAX_JOB_INPUT_TOKENS="1")
    seen: dict[str, dict[str, Any]] = {}

    def note(name: str) -> None:
        status = world.status(name)
        check_form(status)
        seen.setdefault(status["state"], status)

    from shared.pipeline import job_control, receiving

    name = world.drop("table.csv", "Prompt,Required\nWho?,N\nWhen?,N\n")
    receiving.receive(world.app, name)
    note(name)
    world.event(name)
    note(name)
    calls = [{"method": "POST", "path": "/batches", "answer": {"status": 503}, "times": 1}]
    world.service.scenario({"calls": calls})
    job_control.release(world.app, world.status(name)["job_id"])
    for _ in range(12):
        world.tick()
        note(name)
        world.clock.advance(60)
    assert {"preparing", "held", "waiting", "running", "completed"} <= seen.keys()
    assert seen["preparing"]["rows"] == {"total": None, "succeeded": 0, "failed": 0, "pending": 0, "reused": 0}
    assert seen["running"]["rows"] == {"total": 2, "succeeded": 0, "failed": 0, "pending": 2, "reused": 0}
    assert seen["held"]["batches"][0]["state"] == "prepared"
    assert seen["completed"]["message"] is None
    assert seen["completed"]["batches"][0]["status"] == "completed"
    assert seen["completed"]["batches"][0]["completed"] == 2


def test_a_result_line_and_the_price_of_its_tokens(new_world: Callable[..., World]) -> None:
    world = new_world()
    world.service.scenario({"deployments": {"batch": {"model": "gpt-4o-mini-2024-07-18"}, "odd": {"model": "odd-1"}}})
    rows = [
        {"Custom ID": "one", "Model": "batch", "Prompt": "Who?", "Note": "ä", "Required": "N"},
        {"Custom ID": "two", "Model": "odd", "Prompt": "Who?", "Required": "N"},
    ]
    name = world.drop("rows.jsonl", jsonl(*rows))

    status = run_all(world, [name])[name]

    first, second = world.results(name)
    assert list(first) == ["row", "custom_id", "output", "input", "model", "attempts", "usage"]
    assert list(first["usage"]) == ["input_tokens", "output_tokens"]
    assert (first["row"], first["custom_id"], first["input"], first["attempts"]) == (1, "one", {"Note": "ä"}, 1)
    assert (first["model"], second["model"], second["input"]) == ("gpt-4o-mini-2024-07-18", "odd-1", {})
    used, tokens = first["usage"], status["usage"]
    expected = (used["input_tokens"] * 0.15 + used["output_tokens"] * 0.6) / 2 / 1_000_000
    assert abs(status["cost"]["usd"] - expected) < expected / 1000
    assert status["cost"]["unpriced_rows"] == 1
    assert tokens["input_tokens"] == used["input_tokens"] + second["usage"]["input_tokens"]
    assert tokens["total_tokens"] == tokens["input_tokens"] + tokens["output_tokens"]
    assert world.result(name, "errors.jsonl") == b""
    assert world.result(name, "latest.json", folder=name) == world.result(name, "status.json")


def test_the_table_of_results_names_guards_quotes_and_flattens(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m", RESULT_FORMATS="csv,xlsx")
    nested = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "status": {"type": "string"},
            "address": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "zip": {"type": ["string", "null"]}},
            },
            "tags": {"type": "array", "items": {"type": "string"}},
            "ok": {"type": "boolean"},
            "size": {"type": "number"},
        },
    }
    own = {"status": "own", "city": "=1+1", "custom_id": "x1", "=cmd": "-5", "error_code": '"a", b\nc', "plus": "+x"}
    answer = {
        "city": "@here",
        "status": "fine",
        "address": {"city": "Rome\u2028", "zip": None},
        "tags": ["a", "b"],
        "ok": True,
        "size": 1.5,
    }
    rows = [
        {**own, "prompt": "first", "schema": nested},
        {"custom_id": "x2", "prompt": "second", "required": "Late, city", "Note": {"a": [1]}},
        {"custom_id": "x3", "prompt": "third", "required": "Late"},
        {"custom_id": "-3", "prompt": "", "required": "Late"},
    ]
    world.service.scenario(
        {
            "rows": [
                {"custom_id": "x1", "outcome": "answered", "content": json.dumps(answer)},
                {"custom_id": "x2", "outcome": "answered", "content": '{"Late": "=SUM(1)", "city": "-7"}'},
                {"custom_id": "x3", "outcome": "refusal"},
            ]
        }
    )
    name = world.drop("rows.jsonl", jsonl(*rows))

    status = run_all(world, [name])[name]

    raw = world.result(name, "results.csv")
    assert raw.startswith(b"\xef\xbb\xbf")
    text = raw.decode("utf-8-sig")
    assert text.endswith("\r\n")
    assert '"""a"", b\nc"' in text
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert table[0] == [
        *("custom_id", "input.status", "input.city", "'=cmd", "input.error_code", "plus", "Note"),
        *("city", "output.status", "address.city", "address.zip", "tags", "ok", "size", "Late"),
        *("status", "error_code", "error_message"),
    ]
    first = ["x1", "own", "'=1+1", "-5", '"a", b\nc', "'+x", ""]
    assert table[1] == [*first, "'@here", "fine", "Rome\u2028", "", '["a","b"]', "true", "1.5", "", "ok", "", ""]
    assert table[2][6:8] == ['{"a":[1]}', "-7"]
    assert table[2][14:] == ["'=SUM(1)", "ok", "", ""]
    assert table[3][7:17] == [""] * 8 + ["error", "refusal"]
    assert table[3][17]
    assert table[4][0] == "-3"
    assert table[4][15:17] == ["error", "missing_prompt"]
    assert status["errors"] == {"refusal": 1, "missing_prompt": 1}
    assert balances(world, name)

    sheet = openpyxl.load_workbook(io.BytesIO(world.result(name, "results.xlsx"))).active
    cells = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert cells[0] == [cell.removeprefix("'") for cell in table[0]]
    assert cells[1][7:14] == ["@here", "fine", "Rome\u2028", None, '["a","b"]', True, 1.5]
    assert len(cells) == 5

    refused = world.errors(name)[0]
    assert list(refused) == ["custom_id", "method", "url", "body", "input", "error", "answer"]
    assert list(refused["error"]) == ["code", "message", "row", "attempts"]
    assert list(refused["answer"]) == ["text", "finish_reason", "model", "usage"]
    assert (refused["method"], refused["url"], refused["error"]["attempts"]) == ("POST", "/chat/completions", 1)
    assert refused["answer"]["usage"]["input_tokens"] > 0


def test_plain_answers_have_a_column_of_their_own(world: World) -> None:
    name = world.drop("table.csv", "Prompt,text\nWho?,own\n", model="m", require_schema=False)

    run_all(world, [name])[name]

    assert set(world.results(name)[0]["output"]) == {"text"}
    row = world.table(name)[0]
    assert row["input.text"] == "own"
    assert row["text"]
    assert "response_format" not in world.requests(world.status(name)["job_id"])[0]["body"]


def test_the_responses_route_from_end_to_end(world: World) -> None:
    rules = [
        {"custom_id": "refused", "outcome": "refusal"},
        {"custom_id": "cut", "outcome": "cut"},
        {"custom_id": "odd", "outcome": "broken_json"},
        {"custom_id": "filtered", "outcome": "answer_filtered"},
    ]
    world.service.scenario({"rows": rules})
    ids = ["good", *(str(rule["custom_id"]) for rule in rules)]
    table = "Custom ID,System,Prompt\n" + "".join(f"{name},Be brief.,Who?\n" for name in ids)
    schema = {"type": "object", "properties": {"A": {"type": "integer"}}}
    name = world.drop(
        "table.csv",
        table,
        model="m",
        url="/v1/responses",
        schema=schema,
        max_attempts=2,
        parameters={"max_output_tokens": 40, "temperature": 0},
    )

    status = run_all(world, [name])[name]

    assert status["errors"] == {"refusal": 1, "truncated": 1, "invalid_output": 1, "content_filter": 1}
    assert set(world.results(name)[0]["output"]) == {"A"}
    assert world.results(name)[0]["usage"]["input_tokens"] > 0
    first = world.requests(status["job_id"])[0]
    assert first["url"] == "/v1/responses"
    assert first["body"]["max_output_tokens"] == 40
    assert first["body"]["text"]["format"]["name"] == "table"
    again = {line["custom_id"]: line for line in world.requests(status["job_id"], "00000-2")}
    assert again.keys() == {"cut", "odd"}
    assert again["cut"]["body"]["max_output_tokens"] == 80
    billed = world.service.journal().billed
    assert status["usage"]["input_tokens"] == sum(row["prompt_tokens"] for row in billed)
    attempts = {line["custom_id"]: line["error"]["attempts"] for line in world.errors(name)}
    assert attempts == {"refused": 1, "cut": 2, "odd": 2, "filtered": 1}
    assert all("answer" in line for line in world.errors(name))


def test_keywords_that_the_service_lacks_are_checked_and_changed_schemas_are_told_of(world: World) -> None:
    schema = {"type": "object", "properties": {"code": {"type": "string", "minLength": 3, "pattern": "^[A-Z]+$"}}}
    world.service.scenario(
        {
            "rows": [
                {"custom_id": "row-1", "outcome": "answered", "content": '{"code": "ab"}'},
                {"custom_id": "row-2", "outcome": "answered", "content": '{"code": null}'},
            ]
        }
    )
    name = world.drop("a.b äö(1).csv", "Prompt\nWho?\nWhen?\n", model="m", schema=schema)

    status = run_all(world, [name])[name]

    sent = world.requests(status["job_id"])[0]["body"]["response_format"]["json_schema"]
    assert sent["name"] == "a_b____1_"
    assert sent["strict"] is True
    code = sent["schema"]["properties"]["code"]
    assert "minLength" not in code
    assert "pattern" not in code
    assert "3" in code["description"]
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["required"] == ["code"]
    assert status["warnings"]
    assert status["errors"] == {"invalid_output": 1}
    # Tried again twice at most.
    assert world.errors(name)[0]["error"]["attempts"] == 3
    assert world.errors(name)[0]["answer"]["text"] == '{"code": "ab"}'
    assert world.results(name)[0]["output"] == {"code": None}
