"""A soak: files of mixed kinds on several hosts, with faults and kills at random but seeded; then the accounts.

`python3 dev.py bench soak --minutes 5 --seed 1 --hosts 3` drops a file every second or so, tells a random host of it
(now and then twice, now and then nobody), lets calls of the batch service fail, kills hosts with SIGKILL, and cancels
and retries jobs. Then the faults stop; all jobs have to end within some minutes, every row must be accounted for,
nothing may be billed twice, and the hosts' memory and open files must be level. The exit code is 1 where they are not.
"""

import argparse
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from local.azurite import running_azurite
from local.service.server import RunningService, running_service
from shared import names, wiring
from shared.errors import AppError
from shared.pipeline import poison, polling, receiving, steering, steps
from shared.ports import App, Container
from shared.queues import from_text

EVENTS = "soak-events"
VISIBILITY = 15
"""Seconds after which a message of a killed host is seen again."""

DEQUEUES = 5
SETTLE_MINUTES = 8.0
TICK = 10.0
"""Seconds between two ticks of each host's timer; on Azure, one host has the timer for all."""

ENOUGH = 12
"""Ticks that a host must have lived for its levels to mean anything."""

SHOWN = 20
LEVEL = 1.5
"""How many times its early memory and files a host may have in the end."""

SETTINGS = {
    "AZURE_OPENAI_API_KEY": "soak",
    "AZURE_OPENAI_DEPLOYMENT": "m",
    "LEASE_SECONDS": "10",
    "SETTLE_SECONDS": "5",
    "BACKOFF_SECONDS": "1",
    "MAX_WAIT_HOURS": "1",
    "MAX_REQUESTS_PER_BATCH": "20",
}
ROWS = [
    {"outcome": "error", "status": 429, "share": 0.1, "times": 1},
    {"outcome": "missing", "share": 0.12, "times": 1},
    {"outcome": "refusal", "share": 0.15},
    {"outcome": "wrong_schema", "share": 0.2, "times": 1},
    {"outcome": "error", "status": 400, "share": 0.25},
]
FAULTS: list[dict[str, Any]] = [
    {"method": "POST", "path": "/batches", "drop": "after", "times": 1},
    {"method": "POST", "path": "/batches", "drop": "before", "times": 1},
    {"method": "POST", "path": "/batches", "answer": {"status": 503}, "times": 2},
    {"method": "POST", "path": "/batches", "answer": {"status": 429, "retry_after": 2}, "times": 2},
    {"method": "POST", "path": "/files", "answer": {"status": 500}, "times": 2},
    {"method": "POST", "path": "/files", "drop": "after", "times": 1},
    {"method": "GET", "path": "/batches*", "answer": {"status": 503}, "times": 6},
    {"path": "/files/*/content", "cut": 300, "cut_as": "broken", "times": 1},
    {"path": "/files/*/content", "cut": 300, "cut_as": "short", "times": 1},
    {"method": "DELETE", "path": "/files/*", "answer": {"status": 500}, "times": 2},
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak, print its summary, and return 1 where an account does not balance."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--minutes", type=float, default=3)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--hosts", type=int, default=3)
    options.add_argument("--host", help=argparse.SUPPRESS)
    given = options.parse_args(arguments)
    if given.host:
        return _host(Path(given.host))
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        running_azurite() as azurite,
        running_service(
            storage=azurite.connection_string, processing=0.2, validating=0.5, running=2.0, finalizing=0.5
        ) as service,
    ):
        environment = {
            **SETTINGS,
            "BatchStorage": azurite.connection_string,
            "AZURE_OPENAI_ENDPOINT": service.url,
        }
        soak = Soak(environment, service, Path(folder), given.seed, given.hosts)
        with soak.running():
            soak.disturb(given.minutes * 60)
            soak.settle()
        return soak.report(given.minutes)


class Soak:
    """One soak: its app, its hosts, and what was done to them."""

    def __init__(
        self, environment: Mapping[str, str], service: RunningService, folder: Path, seed: int, hosts: int
    ) -> None:
        self._environment = dict(environment)
        self._service = service
        self._folder = folder
        self._random = random.Random(seed)
        self._seed = seed
        self._hosts: list[subprocess.Popen[bytes] | None] = [None] * hosts
        self._app = wiring.build(environment)
        self._events = _queue(environment, EVENTS)
        self._events.create_queue()
        self._done: Counter[str] = Counter()
        self._dropped: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the hosts run, until the block ends."""
        (self._folder / "environment").write_text(json.dumps(self._environment))
        # The table is older than any file: what is lost is found again.
        polling.poll(self._app)
        for number in range(len(self._hosts)):
            self._start(number)
        try:
            yield
        finally:
            for host in self._hosts:
                if host is not None:
                    host.kill()
                    host.wait()

    def disturb(self, seconds: float) -> None:
        """Drop files, and do them harm."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for chance, act in (
                (0.8, self._drop),
                (0.25, self._fault),
                (0.08, self._kill),
                (0.08, self._steer),
            ):
                if self._random.random() < chance:
                    act()
            time.sleep(self._random.uniform(0.5, 2.0))

    def settle(self) -> None:
        """Stop the faults, and wait for every job to end."""
        self._service.scenario({"rows": ROWS})
        end = time.monotonic() + SETTLE_MINUTES * 60
        while time.monotonic() < end:
            if len(self._ended()) >= len(self._dropped) and not list(self._app.store.open_jobs()):
                return
            time.sleep(1)

    def report(self, minutes: float) -> int:
        """Print what came of it; 1 where an account does not balance."""
        jobs = self._ended()
        faults = [*self._unbalanced(jobs), *self._paid_twice(), *self._swollen()]
        found = {prompt_file for prompt_file, _ in jobs}
        faults += [f"{name} has no ended job" for name in self._dropped if name not in found]
        faults += [f"job {entry.job_id} is still open" for entry in self._app.store.open_jobs()]
        states = Counter(status["state"] for status in jobs.values())
        rows = Counter[str]()
        for status in jobs.values():
            rows.update({key: count or 0 for key, count in status["rows"].items()})
        print(f"soak of {minutes:g} minutes, seed {self._seed}, {len(self._hosts)} hosts")
        print(f"  did      {', '.join(f'{count} {what}' for what, count in sorted(self._done.items()))}")
        print(f"  jobs     {len(jobs)}: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}")
        print(f"  rows     {rows['total']}: {rows['succeeded']} succeeded, {rows['failed']} failed, named each")
        print(f"  billed   {self._service.journal().totals['billed']} rows")
        print(f"  hosts    {self._levels()}")
        for fault in faults[:SHOWN]:
            print(f"  FAULT    {fault}")
        print("  all balanced" if not faults else f"  {len(faults)} faults")
        return 1 if faults else 0

    def _drop(self) -> None:
        number = len(self._dropped)
        name, content = _file(self._random, number)
        self._app.files.write(Container.PROMPTS, name, content)
        self._dropped.append(name)
        self._done["files"] += 1
        tells = self._random.choices([1, 2, 0], [0.85, 0.1, 0.05])[0]
        for _ in range(tells):
            self._events.send_message(name)
        self._done["events lost"] += tells == 0
        self._done["events doubled"] += tells == 2

    def _fault(self) -> None:
        self._service.scenario({"rows": ROWS, "calls": self._random.sample(FAULTS, 2)})
        self._done["faults"] += 2

    def _kill(self) -> None:
        number = self._random.randrange(len(self._hosts))
        host = self._hosts[number]
        if host is not None:
            host.send_signal(signal.SIGKILL)
            host.wait()
            self._done["kills"] += 1
        self._start(number)

    def _steer(self) -> None:
        entries = [entry.job_id for entry in self._app.store.open_jobs()]
        ended = [status["job_id"] for status in self._ended().values()]
        use_case, jobs = self._random.choice([(steering.cancel, entries), (steering.retry, ended)])
        if not jobs:
            return
        try:
            steps.queue_due(self._app, use_case(self._app, self._random.choice(jobs)).job_id)
            self._done["cancels" if use_case is steering.cancel else "retries"] += 1
        except AppError:
            pass  # It has ended, nothing of it failed, or it runs: 409.

    def _start(self, number: int) -> None:
        command = [sys.executable, "-m", "benchmarks.soak", "--host", str(self._folder)]
        with (self._folder / f"host-{number}.log").open("ab") as log:
            self._hosts[number] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def _ended(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The status.json of every ended job, by prompt file and job id."""
        found = {}
        for job, _ in self._app.store.history(after="", limit=100_000, state="", prefix=""):
            text = b"".join(self._app.files.read(Container.RESULTS, names.status_file(job.prompt_file, job.job_id)))
            found[job.prompt_file, job.job_id] = json.loads(text)
        return found

    def _unbalanced(self, jobs: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
        for (prompt_file, job_id), status in jobs.items():
            folder = f"{names.results_name(prompt_file)}/{job_id}/"
            results = [line["row"] for line in self._lines(folder + "results.jsonl")]
            errors = [line["error"]["row"] for line in self._lines(folder + "errors.jsonl")]
            total = status["rows"]["total"] or 0
            if sorted([*results, *errors]) != list(range(1, total + 1)):
                yield f"job {job_id}: {len(results)} results and {len(errors)} errors of {total} rows"
            if (len(results), len(errors)) != (status["rows"]["succeeded"], status["rows"]["failed"]):
                yield f"job {job_id}: status.json counts otherwise than its files"

    def _lines(self, name: str) -> list[dict[str, Any]]:
        data = b"".join(self._app.files.read(Container.RESULTS, name))
        return [json.loads(line) for line in data.split(b"\n") if line]

    def _paid_twice(self) -> Iterator[str]:
        batches, after = {}, ""
        while True:
            page, after = self._app.service.page(after)
            batches.update({remote.batch_id: remote.metadata for remote in page})
            if not after:
                break
        paid = defaultdict(set)
        for row in self._service.journal().billed:
            metadata = batches[row["batch_id"]]
            paid[metadata["job"], metadata["index"], metadata["attempt"]].add(row["batch_id"])
        for key, made in paid.items():
            if len(made) > 1:
                yield f"{'/'.join(key)} was billed in {len(made)} batches"

    def _levels(self) -> str:
        measured = self._measured().values()
        peaks = [max(memory for memory, _ in levels) for levels in measured if levels]
        files = [max(count for _, count in levels) for levels in measured if levels]
        return f"{len(peaks)} processes, at most {max(peaks, default=0):.0f} MB and {max(files, default=0)} open files"

    def _swollen(self) -> Iterator[str]:
        for process, levels in self._measured().items():
            early, late = levels[2:7], levels[-5:]
            if len(levels) < ENOUGH:
                continue
            for number, what in enumerate(("memory", "open files")):
                before, after = (sorted(level[number] for level in part)[len(part) // 2] for part in (early, late))
                if after > before * LEVEL:
                    yield f"process {process}: {what} went from {before:.0f} to {after:.0f}"

    def _measured(self) -> dict[str, list[tuple[float, int]]]:
        return {
            path.stem: [(float(memory), int(files)) for memory, files in map(str.split, path.read_text().splitlines())]
            for path in self._folder.glob("*.levels")
        }


def _file(chance: random.Random, number: int) -> tuple[str, bytes]:
    """A file of one of the kinds that people drop, faulty ones included."""
    rows = chance.choice([1, 3, 10, 60])
    ids = [f"{number}-{row}" for row in range(rows)]
    table = "Custom ID,Prompt,Required,Note\n" + "".join(f"{row},Who built {row}?,Name,n\n" for row in ids)
    records = "".join(json.dumps({"prompt": f"Who built {row}?", "required": "Name"}) + "\n" for row in ids)
    kinds = {
        "csv": table,
        "jsonl": records,
        "json": json.dumps([json.loads(line) for line in records.splitlines()]),
        "txt": "no prompt file",
        "twice.csv": table + table.split("\n", 1)[1],
        "empty.csv": "",
    }
    kind = chance.choices(list(kinds), [6, 4, 2, 0.3, 1, 0.3])[0]
    return f"soak/{number:05d}.{kind}", kinds[kind].encode()


def _queue(environment: Mapping[str, str], name: str) -> QueueClient:
    return QueueClient.from_connection_string(
        environment["BatchStorage"],
        name,
        message_encode_policy=TextBase64EncodePolicy(),
        message_decode_policy=TextBase64DecodePolicy(),
    )


def _host(folder: Path) -> int:
    """One host: its timer, and between the ticks events and messages, until it is killed."""
    environment = json.loads((folder / "environment").read_text())
    app = wiring.build(environment)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    queues = [_queue(environment, name) for name in (EVENTS, "batch-submissions", "batch-completions")]
    next_tick = 0.0
    with (folder / f"{os.getpid()}.levels").open("w", buffering=1) as levels:
        while True:
            if time.monotonic() >= next_tick:
                _guarded(lambda: polling.poll(app))
                next_tick = time.monotonic() + TICK
                levels.write(f"{_memory_mb()} {len(os.listdir('/proc/self/fd'))}\n")
            for queue in queues:
                _serve(app, queue)
            time.sleep(0.05)


def _serve(app: App, queue: QueueClient) -> None:
    """Handle one message, as the Functions host does: deleted once handled, poisoned after some tries."""
    try:
        message = queue.receive_message(visibility_timeout=VISIBILITY)
    except AzureError:
        return  # The queue has not been made yet.
    if message is None:
        return
    if queue.queue_name == EVENTS:
        done = _guarded(lambda: _receive(app, message.content))
    else:
        done = _guarded(lambda: steps.handle(app, from_text(message.content)))
    if not done and (message.dequeue_count or 0) >= DEQUEUES:
        done = queue.queue_name == EVENTS or _guarded(lambda: poison.record(app, from_text(message.content)))
    if done:
        _guarded(lambda: queue.delete_message(message))


def _receive(app: App, name: str) -> None:
    job = receiving.receive(app, name)
    if job is not None:
        steps.advance(app, job.job_id)


def _guarded(work: Any) -> bool:
    try:
        work()
    except (AppError, AzureError):
        return False
    return True


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


if __name__ == "__main__":
    sys.exit(main())
