"""Each example of docs/prompt-files.md goes through the whole app."""

from collections.abc import Callable

import pytest

from testing.world import World
from tests.docs.test_prompt_files import ROWS, content_of

SCHEMA = {"type": "object", "properties": {"Answer": {"type": "string"}}, "required": ["Answer"]}


@pytest.mark.parametrize("name", ROWS)
def test_the_example_of_a_prompt_file_is_answered_row_by_row(name: str, new_world: Callable[..., World]) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="gpt-4o-batch", RESULT_FORMATS="csv,xlsx")
    dropped = world.drop(name, content_of(name), schema=SCHEMA)

    status = world.run(dropped)

    assert status["rows"] == {
        "total": len(ROWS[name]),
        "succeeded": len(ROWS[name]),
        "failed": 0,
        "pending": 0,
        "reused": 0,
    }
    assert [line["row"] for line in world.results(dropped)] == list(range(1, len(ROWS[name]) + 1))
    assert world.result(dropped, "results.xlsx").startswith(b"PK")
