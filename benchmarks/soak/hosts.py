"""The soak's hosts: started, killed and watched."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import ROOT
from local.servers.processes import Server

SAMPLE_SECONDS = 5.0
ENOUGH = 24
"""Samples of a host whose levels mean anything: two minutes."""

MORE_MEMORY = 1.25
MORE_FILES = 1.5
"""How many times what it had early a host may have in the end."""

UNEXPECTED = ("a fault of the local host", "ERROR structuredbatch.polling: job passed over in this tick")
"""What no fault of service or storage may bring forth."""


@dataclass(slots=True)
class Levels:
    """One host's memory in MB, and its number of open files, over its life."""

    number: int
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


class Hosts:
    """Host 0 lives all the time; the others may be killed."""

    def __init__(self, environment: Mapping[str, str], folder: Path, number: int) -> None:
        self._folder = folder
        self._settings = folder / "environment.json"
        folder.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(json.dumps(dict(environment)))
        self._servers: list[Server | None] = [None] * number
        self._levels: dict[int, Levels] = {}
        self._died: list[str] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._servers)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the hosts run and be watched, until the block ends."""
        stop = threading.Event()
        watching = threading.Thread(target=self._watch, args=(stop,), daemon=True)
        try:
            for number in range(len(self._servers)):
                self._start(number)
            watching.start()
            yield
        finally:
            stop.set()
            for server in self._servers:
                if server is not None:
                    _kill(server)

    def kill(self, number: int) -> None:
        """Kill a host with SIGKILL and start another in its place."""
        with self._lock:
            server = self._servers[number]
            if server is not None:
                self._note_death(number, server)
                _kill(server)
            self._servers[number] = None
        self._start(number)

    def faults(self) -> list[str]:
        """Return which hosts died by themselves or swelled, and what their logs should not say."""
        return [*self._died, *self._swollen(), *self._logged()]

    def summary(self) -> str:
        """Return the levels of the host that lived all the time, early and late, and the highest of all."""
        shown = [
            f"{what} {early:.0f} early, {late:.0f} late"
            for levels in self._levels.values()
            if levels.number == 0 and len(levels.memory) >= ENOUGH
            for what, values in (("memory in MB", levels.memory), ("open files", levels.files))
            for early, late in [_early_and_late(values)]
        ]
        peak = max((value for levels in self._levels.values() for value in levels.memory), default=0.0)
        return "; ".join([*shown, f"at most {peak:.0f} MB in {len(self._levels)} processes"])

    def _start(self, number: int) -> None:
        command = [sys.executable, "-m", "local.servers.lifeline", "benchmarks.soak.one_host", str(self._settings)]
        log = self._folder / f"host-{number}-{len(self._levels):03d}.log"
        server = Server(f"Host {number}", command, log, folder=ROOT)
        with self._lock:
            self._servers[number] = server
            self._levels[server.pid] = Levels(number)

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(SAMPLE_SECONDS):
            with self._lock:
                for number, server in enumerate(self._servers):
                    if server is not None:
                        self._note_death(number, server)
                        _sample(server.pid, self._levels[server.pid])

    def _note_death(self, number: int, server: Server) -> None:
        if not server.running:
            self._died.append(f"host {number} (process {server.pid}) died by itself: see {server.log.name}")
            self._servers[number] = None

    def _swollen(self) -> Iterator[str]:
        for process, levels in self._levels.items():
            if len(levels.memory) < ENOUGH:
                continue
            for what, values, more in (
                ("memory in MB", levels.memory, MORE_MEMORY),
                ("open files", levels.files, MORE_FILES),
            ):
                early, late = _early_and_late(values)
                if late > early * more:
                    yield f"process {process}: {what} went from {early:.0f} to {late:.0f}"

    def _logged(self) -> Iterator[str]:
        for log in sorted(self._folder.glob("host-*.log")):
            for line in log.read_text(errors="replace").splitlines():
                if any(text in line for text in UNEXPECTED):
                    yield f"{log.name}: {line}"


def _kill(server: Server) -> None:
    if server.running:
        os.killpg(server.pid, signal.SIGKILL)
    server.stop()


def _sample(process: int, levels: Levels) -> None:
    """Note what Linux says of a process; elsewhere, or where it has just died, nothing."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        files = len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return
    levels.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024)
    levels.files.append(files)


def _early_and_late(values: Sequence[float]) -> tuple[float, float]:
    """Return the median of the second fifth of a life, and of its last: the first fifth is for warming up."""
    fifth = len(values) // 5
    early, late = sorted(values[fifth : 2 * fifth]), sorted(values[-fifth:])
    return early[len(early) // 2], late[len(late) // 2]
