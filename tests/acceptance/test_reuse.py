"""Answers used again, over real storage and the emulated service."""

import json
from typing import Any

from testing.world import World
from tests.acceptance.reading import balances

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}, "B": {"type": "integer"}}}
LAST_MONTH = "Custom ID,Prompt,Note\na,Who?,1\nb,When?,2\nc,Where?,3\n"
THIS_MONTH = "Custom ID,Prompt,Note\nz,Why?,9\nb,When?,changed\nc,Where?,3\nd,Who?,4\n"


def _results(world: World, status: dict[str, Any]) -> list[dict[str, Any]]:
    name = status["prompt_file"]
    return [
        json.loads(line)
        for line in world.result(name, "results.jsonl", folder=f"{name}/{status['job_id']}").splitlines()
    ]


def test_next_months_file_costs_its_new_rows(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "c", "outcome": "error", "status": 400}]})
    name = world.drop("f/x.csv", LAST_MONTH, model="m", schema=SCHEMA)
    first = world.run(name)
    before = {line["custom_id"]: line for line in _results(world, first)}
    assert first["rows"]["reused"] == 0

    world.service.scenario({})
    world.service.advance(3600)
    world.drop("f/x.csv", THIS_MONTH, model="m", schema=SCHEMA, reuse=True)
    second = world.run(name)

    assert second["job_id"] != first["job_id"]
    assert second["rows"] == {"total": 4, "succeeded": 4, "failed": 0, "pending": 0, "reused": 2}
    assert [line["custom_id"] for line in world.requests(second["job_id"])] == ["z", "c"]
    lines = _results(world, second)
    assert [line.get("reused_from") for line in lines] == [None, first["job_id"], None, first["job_id"]]
    assert [(line["attempts"], line["usage"] is None) for line in lines] == [(1, False), (0, True)] * 2
    assert [lines[1]["output"], lines[3]["output"]] == [before["b"]["output"], before["a"]["output"]]
    assert [line["input"]["Note"] for line in lines] == ["9", "changed", "3", "4"]
    assert second["usage"]["input_tokens"] == sum(line["usage"]["input_tokens"] for line in lines if line["usage"])
    assert balances(world, name)

    world.service.advance(3600)
    world.drop("f/x.csv", THIS_MONTH, model="m", schema=SCHEMA, reuse=True)
    third = world.run(name)

    assert (third["state"], third["batches"], third["rows"]["reused"]) == ("completed", [], 4)
    assert third["cost"] == {"usd": 0, "unpriced_rows": 0}
    paid_by = [first["job_id"] if number in (1, 3) else second["job_id"] for number in range(4)]
    assert [line["reused_from"] for line in _results(world, third)] == paid_by
    assert json.loads(world.result(name, "latest.json", folder=name))["job_id"] == third["job_id"]
