"""The app on what the emulated service learned from real ones: newer objects, reasoning models, worded checks."""

from collections.abc import Callable

import pytest

from testing.world import World
from tests.acceptance.reading import balances

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}}}


@pytest.mark.parametrize("rows", [{}, {"rows": [{"outcome": "error", "status": 400, "custom_id": "row-2"}]}])
def test_the_newer_objects_of_real_resources_run_a_job(
    new_world: Callable[..., World], rows: dict[str, object]
) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m")
    world.service.scenario({"batches": [{"look": "october_2025"}], **rows})
    name = world.drop("newer.csv", "Prompt\nOne?\nTwo?\nThree?\n", schema=SCHEMA)
    status = world.run(name)
    assert status["state"] == "completed"
    assert status["rows"]["succeeded"] == 3 - len(rows)
    assert balances(world, name)


def test_a_schema_with_limits_has_good_rows_at_once(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m")
    schema = {
        "type": "object",
        "properties": {
            "Stars": {"type": "integer", "minimum": 1, "maximum": 5},
            "Share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "Code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
            "Summary": {"type": "string", "minLength": 20, "maxLength": 60},
            "Due": {"type": "string", "format": "date"},
            "Tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 2, "uniqueItems": True},
            "Rank": {"type": ["integer", "null"], "multipleOf": 10, "minimum": 10, "maximum": 90},
        },
    }
    name = world.drop("limits.csv", "Prompt\n" + "Rate this.\n" * 40, schema=schema)
    status = world.run(name)
    assert status["rows"] == {**status["rows"], "total": 40, "succeeded": 40}
    assert world.errors(name) == []


def test_a_reasoning_model_runs_a_job_and_its_tokens_are_paid(new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="gpt-5.4-mini")
    name = world.drop("reasoning.csv", "Prompt\nOne?\n", schema=SCHEMA)
    status = world.run(name)
    assert (status["state"], status["rows"]["succeeded"]) == ("completed", 1)
    assert world.service.journal().billed[0]["completion_tokens"] > 192
