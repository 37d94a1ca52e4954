"""How many calls to storage a job of three rows makes, step by step: each costs time, and on Azure money."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from shared.pipeline.poll import polling
from shared.pipeline.poll.polling import REFRESH_MINUTES
from testing.world import World

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\nb,When?,Year: integer\nc,Where?,Town\n"
MOST = {"event": 25, "poll": 8, "completion": 24}
"""Calls of each step: from the drop to the batch at the service, the poll that sees its end, and all that is left."""

IDLE = 3
"""Calls of a poll that finds one job under way and nothing new, and has looked for lost events just before."""

QUEUES = 2
"""Calls that this world's queues, which are in memory, save: a look at failed events, and a message."""


class Calls:
    """The calls that were made in each step, as `GET blob`."""

    def __init__(self) -> None:
        self.by_step: dict[str, Counter[str]] = {}
        self.listings = 0
        self._step: str | None = None

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Count the calls of one step."""
        self._step = step
        self.by_step[step] = Counter()
        yield
        self._step = None

    def count(self, method: str, url: str) -> None:
        """Count a call, where a step is under way."""
        if self._step is not None:
            self.listings += "comp=list" in url
            self.by_step[self._step][f"{method} {url.split('?')[0].rpartition('/devstoreaccount1/')[2]}"] += 1


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """All calls that reach storage."""
    counted = Calls()
    send = RequestsTransport.send

    def counting(self: RequestsTransport, request: Any, **named: Any) -> Any:
        counted.count(request.method, request.url)
        return send(self, request, **named)

    monkeypatch.setattr(RequestsTransport, "send", counting)
    return counted


def _pass_refreshes(world: World) -> None:
    """Let the minutes pass in which a tick looks after more than in others, and the last one before them."""
    while world.clock.now().minute % REFRESH_MINUTES in (0, REFRESH_MINUTES - 1):
        world.clock.advance(60)


def test_a_job_of_three_rows_takes_few_calls_from_drop_to_end(world: World, calls: Calls) -> None:
    world.tick()
    world.run(world.drop("earlier.csv", TABLE, model="m"))  # So that all containers and tables are there.
    name = world.drop("table.csv", TABLE, model="m")

    with calls.of("event"):
        world.event(name)
    world.clock.advance(90)
    _pass_refreshes(world)
    world.tick()
    with calls.of("idle poll"):
        world.tick()
    world.clock.advance(600)
    _pass_refreshes(world)
    with calls.of("poll"):
        polling.poll(world.app)
    with calls.of("completion"):
        world.deliver()

    assert world.status(name)["state"] == "completed"
    found = {step: sum(counted.values()) for step, counted in calls.by_step.items()}
    assert found == {**MOST, "idle poll": IDLE}, calls.by_step
    assert sum(MOST.values()) + QUEUES <= 60


def test_a_poll_reads_the_open_jobs_of_a_minute_together(world: World, calls: Calls) -> None:
    world.tick()
    for number in range(12):
        world.event(world.drop(f"{number}.csv", TABLE, model="m"))
    world.clock.advance(90)
    _pass_refreshes(world)
    world.tick()
    with calls.of("idle poll"):
        polling.poll(world.app)

    assert len(list(world.app.store.all_listed())) == 12
    # A file's time is storage's own, so the files may be of two minutes.
    assert calls.by_step["idle poll"].total() <= IDLE + 1, calls.by_step


@pytest.mark.parametrize(("seconds", "listings"), [(0, 0), (29, 0), (31, 1)])
def test_the_prompts_are_listed_again_half_a_minute_after_the_last_time(
    seconds: float, listings: int, world: World, calls: Calls
) -> None:
    world.drop("table.csv", TABLE, model="m")
    polling.poll(world.app)
    world.clock.advance(seconds)
    with calls.of("poll"):
        polling.poll(world.app)

    assert calls.listings == listings


def test_a_clock_that_was_ahead_does_not_delay_the_next_listing(world: World, calls: Calls) -> None:
    later = (world.clock.now() + timedelta(hours=1)).isoformat()
    world.app.store.save_bookmark("sweep", json.dumps({"after": "", "began": later, "looks_back_to": later}))
    with calls.of("poll"):
        polling.poll(world.app)

    assert calls.listings == 1
