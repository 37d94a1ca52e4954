"""Failures that the app does not know: the step is free again at once, and time after time they end in words."""

from dataclasses import replace
from typing import cast

import pytest

from shared.domain.ports import Container, Files, Message, Step
from shared.pipeline import poison, receiving, steps
from testing.world import World

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\nb,When?,Year: integer\n"


class Unreadable:
    """Files whose job settings break the app in a way nobody thought of, after the prompt file was copied."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)

    def read_range(self, container: Container, name: str, offset: int, length: int) -> bytes:
        """Read, but for job settings."""
        if container is Container.PROMPTS:
            raise RuntimeError("nobody thought of this")
        return self._files.read_range(container, name, offset, length)


def test_a_step_that_fails_for_an_unknown_reason_is_free_again_at_once(world: World) -> None:
    job = receiving.receive(world.app, world.drop("table.csv", TABLE, model="m"))
    assert job is not None
    broken = replace(world.app, files=cast(Files, Unreadable(world.app.files)))

    with pytest.raises(RuntimeError):
        steps.handle(broken, Message(Step.PREPARE, job.job_id))
    steps.handle(world.app, Message(Step.PREPARE, job.job_id))

    assert world.wait("table.csv")["rows"]["succeeded"] == 2


def test_a_job_that_is_poisoned_time_after_time_fails_and_accounts_for_its_rows(world: World) -> None:
    job = receiving.receive(world.app, world.drop("table.csv", TABLE, model="m"))
    assert job is not None
    message = Message(Step.PREPARE, job.job_id)
    broken = replace(world.app, files=cast(Files, Unreadable(world.app.files)))

    with pytest.raises(RuntimeError):
        steps.handle(broken, message)
    poison.record(world.app, message)
    waiting = world.status("table.csv")
    poison.record(world.app, message)
    poison.record(world.app, message)
    status = world.wait("table.csv")

    assert waiting["state"] == "waiting"
    assert (status["state"], status["code"], status["errors"]) == ("failed", "poisoned", {"not_sent": 2})
    assert len(world.errors("table.csv")) == 2
    assert world.service.journal().totals["billed"] == 0
