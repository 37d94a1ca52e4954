"""With BATCH_TRANSFER=storage the service reads and writes the work container itself, under the same promises."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.pipeline import job_control
from testing.world import World

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\nb,When?,Year: integer\n"
DONE = {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}
CREATE = {"method": "POST", "path": "/batches"}


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world whose app moves no bytes."""
    return new_world(BATCH_TRANSFER="storage")


def _calls(world: World, path: str) -> list[dict[str, Any]]:
    return [call for call in world.service.journal().calls if path in call["path"]]


def test_no_file_travels_through_the_files_api(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert _calls(world, "/files") == []
    assert len(_calls(world, "/batches")) > 0


def test_failed_rows_are_followed_up(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "error", "status": 503, "times": 1}]})
    name = world.drop("table.csv", TABLE, model="m")

    status = world.run(name)

    assert status["rows"] == DONE
    assert [batch["attempt"] for batch in status["batches"]] == [1, 2]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_makes_no_second_batch(world: World, drop: str) -> None:
    world.service.scenario({"calls": [{**CREATE, "drop": drop, "times": 1}]})
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_a_late_refusal_is_waited_for_and_the_same_blob_read_again(world: World) -> None:
    fault = {"code": "token_limit_exceeded", "message": "enqueued tokens"}
    world.service.scenario({"batches": [{"fail": [fault], "times": 2}]})
    name = world.drop("table.csv", TABLE, model="m")

    assert world.run(name)["rows"] == DONE
    assert world.service.journal().totals["billed"] == 2


def test_a_cancelled_job_keeps_what_was_answered(world: World) -> None:
    world.service.scenario({"batches": [{"running": 1000}]})
    world.event(world.drop("table.csv", TABLE, model="m"))
    world.clock.advance(600)
    world.tick()

    job_control.cancel(world.app, world.status("table.csv")["job_id"])
    status = world.wait("table.csv")

    assert (status["state"], status["errors"]) == ("cancelled", {"cancelled": 1})
