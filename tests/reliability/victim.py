"""A process that runs the app against real storage and the emulated service, and is killed at a boundary.

It is forked from a warm nursery, so that a kill costs no start of Python. Run as `python -m tests.reliability.victim`,
it reads one order a line (JSON) and forks a child for each: that one counts its port calls, kills itself with SIGKILL
at the given one, or goes on to the job's end. The nursery answers with the exit status and the calls counted.

A child that takes longer than `SECONDS` shows where it is and ends: a storage emulator that no longer answers would
keep it for hours, as each of its calls waits for minutes, call after call.
"""

import faulthandler
import json
import os
import signal
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared import wiring
from shared.adapters.storage_queues import from_text, to_text
from shared.domain.errors import AppError
from shared.domain.model import BlobEvent
from shared.domain.ports import App, Message
from shared.pipeline import receiving, steps
from shared.pipeline.poll import polling
from tests.reliability.watching import watched

TICKS = 60
SECONDS = 120
"""How long a child may live; one of a few hundred calls takes one or two seconds."""


class RemoteClock:
    """The emulated service's clock, moved over HTTP; nobody else moves it meanwhile."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_local/clock"
        self._now = self._call(None)

    def now(self) -> datetime:
        """The time of the last move."""
        return datetime.fromtimestamp(self._now, UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now = self._call({"advance": seconds})

    def _call(self, body: dict[str, Any] | None) -> float:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self._url, data), timeout=30) as answer:
            return float(json.load(answer)["now"])


class FileQueues:
    """Messages in a folder: they outlive the process that sent them, as those of a queue do."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        """Keep a message."""
        number = len(os.listdir(self._folder))
        with open(f"{self._folder}/{number:06d}-{os.getpid()}", "w") as file:
            file.write(to_text(message))

    def peek_failed_events(self) -> list[BlobEvent]:
        """No event is put aside here."""
        return []

    def take(self) -> list[Message]:
        """Take all messages; one whose worker is killed is lost, which is the harder case."""
        found = []
        for name in sorted(os.listdir(self._folder)):
            with open(f"{self._folder}/{name}") as file:
                text = file.read()
            os.unlink(f"{self._folder}/{name}")
            if text:
                found.append(from_text(text))
        return found


def run(order: dict[str, Any]) -> None:
    """Play the main job, or go on with it, until it has ended."""
    clock = RemoteClock(order["environment"]["AZURE_OPENAI_ENDPOINT"])
    queues = FileQueues(order["queue"])
    calls = 0

    def count(call: str) -> None:
        nonlocal calls
        calls += 1
        if calls == order["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    real = replace(wiring.build(order["environment"]), queues=queues, now=clock.now, sleep=clock.advance)
    app = watched(real, count)
    if order["event"]:
        _guarded(lambda: _event(app, order["name"]))
    for _ in range(TICKS):
        _guarded(lambda: polling.poll(app))
        while messages := queues.take():
            for message in messages:
                _guarded(lambda message=message: steps.handle(app, message))
        if _has_ended(real, order["jobs"]):
            break
        clock.advance(60)
    with open(order["report"], "w") as file:
        file.write(str(calls))


def _event(app: App, name: str) -> None:
    job = receiving.receive(app, name)
    if job is not None:
        steps.advance(job)


def _guarded(work: Any) -> None:
    try:
        work()
    except AppError as error:
        print(f"victim: {error}", file=sys.stderr)


def _has_ended(app: App, jobs: int) -> bool:
    ended = app.store.history(after="", limit=10, state="", prefix="")
    return len(ended) == jobs and not list(app.store.all_listed())


def main() -> None:
    """Fork a child for each order."""
    import openai  # noqa: F401  # Warm, for all children.

    import shared.adapters.openai_batches  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            status = 1
            try:
                run(json.loads(line))
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
