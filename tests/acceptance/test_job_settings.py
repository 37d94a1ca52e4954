"""_job.json in three folders, each key's effect on what is sent, and faulty ones."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from testing.world import World
from tests.acceptance.reading import balances, jsonl, run_all

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}}}


def test_the_nearest_folder_wins_key_by_key(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="app")
    settings = {
        "_job.json": {"model": "top", "system": "top", "schema": SCHEMA, "parameters": {"temperature": 0, "seed": 1}},
        "a/_job.json": {"system": "middle", "schema": "_s.json", "schema_name": "mid", "columns": {"prompt": "Q"}},
        "a/b/_job.json": {"model": "near", "parameters": {"temperature": 1}, "limit": 1, "formats": ["csv", "xlsx"]},
        "a/_s.json": {"type": "object", "properties": {"FromA": {"type": "string"}}},
        "a/b/_s.json": {"type": "object", "properties": {"FromB": {"type": "string"}}},
        "c/_job.json": {
            "prompt": "{{{City}}} in {country}: {Prompt}?",
            "columns": {"custom_id": "Ticket", "model": None, "system": None},
        },
        "d/_job.json": {
            "messages": [
                {"role": "system", "content": "Few {Style}"},
                {"role": "user", "content": "2+2"},
                {"role": "assistant", "content": "4"},
                {"role": "user", "content": [{"type": "text", "text": "{Sum}"}]},
            ],
        },
    }
    for path, value in settings.items():
        world.put(path, "\ufeff" + json.dumps(value))
    world.put("a/b/x.csv", "Q,Prompt,System\nWho?,own,\nWhen?,own,row\n")
    world.put("c/x.csv", "Ticket,Custom ID,City,Country,Prompt,Model,System\nt1,c1,Oslo,Norway,what,big,calm\n")
    world.put("d/x.jsonl", jsonl({"Sum": 7, "Style": "words"}, {"Sum": 8}, {"Sum": None, "Style": ""}))

    statuses = run_all(world, ["a/b/x.csv", "c/x.csv", "d/x.jsonl"])

    near = world.requests(statuses["a/b/x.csv"]["job_id"])
    assert statuses["a/b/x.csv"]["errors"] == {"not_sent": 1}
    assert near[0]["body"]["model"] == "near"
    assert near[0]["body"]["messages"] == [
        {"role": "system", "content": "middle"},
        {"role": "user", "content": "Who?"},
    ]
    assert near[0]["body"]["temperature"] == 1
    assert "seed" not in near[0]["body"]
    assert near[0]["body"]["response_format"]["json_schema"]["name"] == "mid"
    assert set(world.results("a/b/x.csv")[0]["output"]) == {"FromA"}
    assert world.results("a/b/x.csv")[0]["input"] == {"Prompt": "own"}
    assert world.result("a/b/x.csv", "results.xlsx").startswith(b"PK")
    left = world.errors("a/b/x.csv")[0]
    assert left["body"]["messages"][0]["content"] == "row"

    template = world.requests(statuses["c/x.csv"]["job_id"])[0]
    assert template["custom_id"] == "t1"
    assert template["body"]["model"] == "top"
    assert [message["content"] for message in template["body"]["messages"]] == ["top", "{Oslo} in Norway: what?"]
    own = world.results("c/x.csv")[0]["input"]
    assert (
        own.items()
        >= {"Custom ID": "c1", "City": "Oslo", "Country": "Norway", "Model": "big", "System": "calm"}.items()
    )

    few = world.requests(statuses["d/x.jsonl"]["job_id"])
    assert [message["content"] for message in few[0]["body"]["messages"]] == [
        "Few words",
        "2+2",
        "4",
        [{"type": "text", "text": "7"}],
    ]
    assert statuses["d/x.jsonl"]["errors"] == {"missing_value": 1}
    for name in statuses:
        assert balances(world, name)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"modle": "x"}, ["modle", "max_attempts", "require_schema"]),
        ({"model": 5}, ["model"]),
        ({"limit": 0}, ["limit"]),
        ({"limit": True}, ["limit"]),
        ({"url": "/embeddings"}, ["url", "/v1/responses"]),
        ({"formats": ["pdf"]}, ["formats", "xlsx"]),
        ({"max_attempts": "3"}, ["max_attempts"]),
        ({"on_invalid_row": "stop"}, ["on_invalid_row", "reject"]),
        ({"columns": {"promt": "Q"}}, ["promt", "custom_id"]),
        ({"schema": {"type": "array", "items": {"type": "string"}}}, ["schema"]),
        ({"schema": "_gone.json"}, ["_gone.json"]),
        ({"schema": {"type": "object", "additionalProperties": {"type": "string"}}}, ["schema"]),
        ({"prompt": "{"}, ["prompt"]),
        ({"prompt": "x", "messages": [{"role": "user", "content": "y"}]}, ["messages"]),
        ({"required": "N: text"}, ["required", "text", "integer"]),
        ({"required": "N", "schema": {}}, ["required", "schema"]),
        ({"max_cost_usd": -1}, ["max_cost_usd"]),
        ({"pilot": {"rows": 3, "then": "stop"}}, ["pilot.then", "hold"]),
        ({"images": {"pages": 51}}, ["images.pages", "50"]),
        ({"reuse": {"age": 3}}, ["reuse.age", "max_age_days"]),
        ([], ["object"]),
    ],
)
def test_faulty_settings_fail_the_job_with_its_rows_counted(world: World, settings: Any, said: list[str]) -> None:
    world.put("f/_job.json", json.dumps(settings))
    world.put("f/x.csv", "Custom ID,Prompt,Required,Note\nx,Who?,N,1\n,When?,N,2\n")

    status = run_all(world, ["f/x.csv"])["f/x.csv"]

    assert (status["state"], status["code"]) == ("failed", "invalid_job_settings")
    for text in said:
        assert text in status["message"], status["message"]
    assert status["errors"] == {"not_sent": 2}
    assert [line["custom_id"] for line in world.errors("f/x.csv")] == ["x", "row-2"]
    assert [line["input"] for line in world.errors("f/x.csv")] == [{"Note": "1"}, {"Note": "2"}]
    assert balances(world, "f/x.csv")


def test_faulty_settings_leave_records_and_requests_their_ids_and_own_columns(world: World) -> None:
    request = {"method": "POST", "url": "/chat/completions", "body": {"messages": [{"role": "user", "content": "Hi"}]}}
    rows: list[object] = [
        {"Ticket": "t1", "prompt": "Who?", "note": 1},
        {"custom_id": "q", **request, "input": {"own": 1}},
        {"Ticket": 7, "prompt": "Who?"},
        {"prompt": "Who?", "ticket": " "},
        {"custom_id": "e", "source": {"prompt": "Who?"}, "error": {"code": "not_sent", "row": 9}},
        "no object",
    ]
    world.put("f/_job.json", json.dumps({"schema": {"type": "string"}, "columns": {"custom_id": "Ticket"}}))
    world.put("f/x.jsonl", jsonl(*rows))

    status = run_all(world, ["f/x.jsonl"])["f/x.jsonl"]

    assert (status["state"], status["code"]) == ("failed", "invalid_job_settings")
    errors = world.errors("f/x.jsonl")
    assert [line["custom_id"] for line in errors] == ["t1", "q", "7", "row-4", "e", "row-6"]
    assert [line["input"] for line in errors] == [
        {"Ticket": "t1", "note": 1},
        {"own": 1},
        {"Ticket": 7},
        {"ticket": " "},
        {},
        {},
    ]
    assert balances(world, "f/x.jsonl")


def test_an_override_that_names_no_column_still_finds_the_ids_that_others_name(world: World) -> None:
    table = "Ticket,Text,Required\nt1,Who?,N\n"
    name = world.drop("f/x.csv", table, model="m", columns={"custom_id": "ticket", "prompt": "Question"})

    status = run_all(world, [name])[name]

    assert status["code"] == "missing_column"
    assert "Question" in status["message"]
    assert world.errors(name)[0]["custom_id"] == "t1"
    assert balances(world, name)


def test_the_fields_of_the_answer_in_one_line_are_the_jobs_schema(world: World) -> None:
    name = world.drop("x.csv", "Prompt\nWho?\n", model="m", required="Name; Kind: tower|bridge; Floors: int?")

    run_all(world, [name])

    output = world.results(name)[0]["output"]
    assert set(output) == {"Name", "Kind", "Floors"}
    assert output["Kind"] in ("tower", "bridge")


def test_attempts_and_rejection_are_the_jobs_own(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m", MAX_ATTEMPTS="5")
    world.service.scenario({"rows": [{"custom_id": "late", "outcome": "error", "status": 429}]})
    table = "Custom ID,Prompt\nlate,Who?\nempty,\n"
    world.drop("once/x.csv", table, schema=SCHEMA, max_attempts=1)
    world.drop("reject/x.csv", table, schema=SCHEMA, on_invalid_row="reject")
    world.drop("plain/x.csv", table, schema=SCHEMA)

    statuses = run_all(world, ["once/x.csv", "reject/x.csv", "plain/x.csv"])

    assert world.errors("once/x.csv")[0]["error"]["attempts"] == 1
    assert world.errors("plain/x.csv")[0]["error"]["attempts"] == 5
    assert (statuses["reject/x.csv"]["code"], statuses["reject/x.csv"]["errors"]) == (
        "invalid_row",
        {"not_sent": 1, "missing_prompt": 1},
    )
    for name in statuses:
        assert balances(world, name)


def test_the_file_of_errors_of_a_job_with_faulty_settings_is_built_anew_once_they_are_fixed(world: World) -> None:
    settings = {"model": "m", "system": "Be brief.", "schema": SCHEMA, "columns": {"prompt": "Question"}}
    whole = {"custom_id": "w", "method": "POST", "url": "/chat/completions", "body": {"messages": [{"content": "?"}]}}
    rows = [{"Custom ID": "a", "Question": "Who?", "Note": 1}, whole]
    name = world.drop("f/x.jsonl", jsonl(*rows), **settings, modle="m")

    status = run_all(world, [name])[name]

    assert (status["code"], status["errors"]) == ("invalid_job_settings", {"not_sent": 2})
    assert [line.get("source") for line in world.errors(name)] == rows
    assert [list(line)[:3] for line in world.errors(name)] == [["custom_id", "source", "input"]] * 2
    assert balances(world, name)
    again = world.drop("f/again.jsonl", world.result(name, "errors.jsonl"), **settings)
    second = run_all(world, [again])[again]
    assert second["rows"]["succeeded"] == 2
    first = world.requests(second["job_id"])[0]
    assert [message["content"] for message in first["body"]["messages"]] == ["Be brief.", "Who?"]
    assert world.results(again)[0]["input"] == {"Note": 1}
