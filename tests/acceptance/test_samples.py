"""The main job for both sample files, from the drop to the results."""

import json

from testing.paths import DATA
from testing.world import World

SEED = DATA / "seed"
SAMPLE = "batch - StructuredOutputs.jsonl"
SETTINGS = {
    "system": "You are an AI assistant that provides facts about tall buildings.",
    "schema_name": "building_info_schema",
}
FIELDS = ["BuildingName", "HeightInFeet", "City", "Country"]


def test_the_sample_batch_file_gives_three_rows_in_order(world: World) -> None:
    name = world.drop(SAMPLE, (SEED / SAMPLE).read_bytes())

    status = world.run(name)

    assert status["state"] == "completed"
    assert status["rows"] == {"total": 3, "succeeded": 3, "failed": 0, "pending": 0, "reused": 0}
    assert [line["custom_id"] for line in world.results(name)] == ["task-0", "task-1", "task-2"]
    assert [list(line["output"]) for line in world.results(name)] == [FIELDS] * 3
    assert [row["custom_id"] for row in world.table(name)] == ["task-0", "task-1", "task-2"]
    assert world.result(name, "errors.jsonl") == b""


def test_the_sample_table_gives_three_rows_in_order(world: World) -> None:
    name = world.drop("buildings.csv", (SEED / "buildings.csv").read_bytes(), **SETTINGS)

    status = world.run(name)

    assert status["state"] == "completed"
    assert list(world.table(name)[0]) == ["custom_id", *FIELDS, "status", "error_code", "error_message"]
    assert [row["status"] for row in world.table(name)] == ["ok"] * 3


def test_the_sample_table_builds_the_requests_of_the_sample_batch_file(world: World) -> None:
    name = world.drop("buildings.csv", (SEED / "buildings.csv").read_bytes(), **SETTINGS)

    status = world.run(name)

    sample = [json.loads(line) for line in (SEED / SAMPLE).read_bytes().splitlines()]
    assert world.requests(status["job_id"]) == sample


def test_the_recorded_answers_of_the_real_service_become_the_recorded_table(world: World) -> None:
    world.service.scenario({"recorded": str(DATA / "azure-recorded" / "output.jsonl")})
    name = world.drop("buildings.csv", (SEED / "buildings.csv").read_bytes(), **SETTINGS)

    status = world.run(name)

    assert [[row[field] for field in ["custom_id", *FIELDS]] for row in world.table(name)] == [
        ["task-0", "Empire State Building", "1,454", "New York City", "United States"],
        ["task-1", "The Shard", "1,016", "London", "United Kingdom"],
        ["task-2", "Burj Khalifa", "2,717 ft", "Dubai", "United Arab Emirates"],
    ]
    assert status["usage"] == {"input_tokens": 248, "output_tokens": 80, "total_tokens": 328}
    assert world.results(name)[0]["model"] == "gpt-4o-2024-08-06"
