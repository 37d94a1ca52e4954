"""The main job killed with SIGKILL at its boundaries, over Azurite and the emulated service: the end is the same.

By default at boundaries spread evenly over the job, with CRASH_SWEEP=all at every one.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.batch_service.server import RunningService
from local.servers.azurite import running_azurite
from local.servers.processes import kill_group
from testing.world import World, make_world, settings_for
from tests.reliability import counts, victim
from tests.reliability.simulation import table, timeless

SAMPLE = 10
EVERY = os.environ.get("CRASH_SWEEP") == "all"
NAME = "folder/table.csv"
SCENARIO: dict[str, Any] = {"rows": [{"custom_id": "b", "outcome": "error", "status": 429, "times": 1}]}
"""One row is asked again, so that a follow-up batch is part of the job."""


class Nursery:
    """A warm process that forks the ones to be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, world: World, *, event: bool, kill_at: int = 0) -> tuple[int, int]:
        """Run the job, or go on with it, in a process of its own; gives its exit status and its calls."""
        queue, report = self._folder / world.environment["JOBS_TABLE"], self._folder / "report"
        queue.mkdir(exist_ok=True)
        report.unlink(missing_ok=True)
        order = {
            "environment": dict(world.environment),
            "queue": str(queue),
            "report": str(report),
            "event": event,
            "kill_at": kill_at,
            "name": NAME,
            "jobs": 1,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery has died"
        status = int(answer)
        assert status in (0, -signal.SIGKILL), f"killed at {kill_at}: the process failed, or took {victim.SECONDS} s"
        return status, int(report.read_text()) if report.exists() else 0

    def close(self) -> None:
        """End it, and the child that it may still have."""
        kill_group(self._process)
        self._process.communicate()


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """A nursery for one test."""
    nursery = Nursery(tmp_path)
    yield nursery
    nursery.close()


def _end(world: World) -> tuple[Any, ...]:
    """What a user has in the end, but for times and ids, and which rows were paid how often."""
    billed = Counter((row["custom_id"], row["batch_id"]) for row in world.service.journal().billed)
    return (
        world.result(NAME, "results.jsonl"),
        world.result(NAME, "errors.jsonl"),
        world.result(NAME, "results.csv"),
        timeless(world.status(NAME)),
        sorted(Counter(custom_id for custom_id, _ in billed.elements()).items()),
    )


@pytest.fixture
def new_world(azurite: str, service: RunningService, tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Makes worlds; in the whole sweep over a storage emulator of its own, on disk.

    Azurite collects its garbage every ten minutes. Where it holds many thousands of blobs in memory, as the whole sweep
    leaves behind, it answers nothing for minutes meanwhile; on disk it takes no time.
    """

    def make(storage: str) -> World:
        return make_world(service, settings_for(storage, service.url, AZURE_OPENAI_DEPLOYMENT="m"))

    if not EVERY:
        yield lambda: make(azurite)
        return
    with running_azurite(tmp_path / "azurite") as own:
        yield lambda: make(own.connection_string)


def _play(nursery: Nursery, new_world: Callable[[], World], kill_at: int) -> tuple[tuple[Any, ...], int]:
    """The end of one run and its calls: none where it was killed."""
    world = new_world()
    world.service.reset()
    world.service.scenario(SCENARIO)
    world.tick()
    world.put(NAME, table("abc"))
    status, calls = nursery.run(world, event=True, kill_at=kill_at)
    if status == -signal.SIGKILL:
        world.clock.advance(world.app.settings.lease.total_seconds() + 1)
        # The event comes again, as its worker died; lost events are for the sweep in memory.
        status, _ = nursery.run(world, event=True)
    assert status == 0
    return _end(world), calls


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a killed process is forked from a warm one")
@pytest.mark.timeout(3600 if EVERY else 180)
def test_the_main_job_ends_the_same_wherever_its_process_is_killed(
    nursery: Nursery, new_world: Callable[[], World]
) -> None:
    expected, boundaries = _play(nursery, new_world, 0)
    step = 1 if EVERY else max(1, boundaries // SAMPLE)
    kills = range(1, boundaries + 1, step)

    killed = 0
    for kill_at in kills:
        end, calls = _play(nursery, new_world, kill_at)
        assert end == expected, f"killed at call {kill_at}"
        # Some calls depend on the minute of the hour, so that a run may end a few calls sooner than the first did.
        assert not calls or calls > boundaries - 20
        killed += not calls

    counts.note("SIGKILL, real storage", "main job", boundaries=boundaries, kills=killed, equal=killed)
