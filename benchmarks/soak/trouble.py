"""What people, the batch service and storage do to the app during a soak: at random, but seeded."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.soak.faulty_storage import FaultyStorage, Outage
from benchmarks.soak.hosts import Hosts
from benchmarks.soak.one_host import events_queue
from benchmarks.soak.prompt_files import prompt_file
from local.batch_service.server import RunningService
from shared import wiring
from shared.domain.errors import AppError
from shared.domain.lifecycle import is_held
from shared.domain.ports import Container
from shared.pipeline import job_control, receiving, steps
from shared.pipeline.poll import polling

CREATE = {"method": "POST", "path": "/batches"}
UPLOAD = {"method": "POST", "path": "/files"}
CONTENT = {"method": "GET", "path": "/files/*/content"}
LOST: Final = "4"
"""Rows whose custom ids end so may be lost by the service: billed, but never answered."""

ROWS: list[dict[str, Any]] = [
    {"outcome": "missing", "custom_id": f"*{LOST}", "share": 0.3, "times": 1},
    {"outcome": "error", "status": 429, "share": 0.1, "times": 1},
    {"outcome": "twice", "share": 0.14},
    {"outcome": "refusal", "share": 0.16},
    {"outcome": "answer_filtered", "share": 0.18},
    {"outcome": "cut", "share": 0.2},
    {"outcome": "wrong_schema", "share": 0.23, "times": 1},
    {"outcome": "error", "status": 400, "share": 0.26},
]
CALLS: list[dict[str, Any]] = [
    {**CREATE, "drop": "after", "times": 1},
    {**CREATE, "drop": "before", "times": 1},
    {**CREATE, "answer": {"status": 503}, "times": 2},
    {**CREATE, "answer": {"status": 429, "retry_after": 2}, "times": 2},
    {**CREATE, "answer": {"status": 401}, "times": 1},
    {**CREATE, "delay": 4, "times": 2},
    {**UPLOAD, "answer": {"status": 500}, "times": 2},
    {**UPLOAD, "drop": "after", "times": 1},
    {**CONTENT, "cut": 300, "cut_as": "broken", "times": 1},
    {**CONTENT, "cut": 300, "cut_as": "short", "times": 1},
    {"method": "GET", "path": "/batches*", "answer": {"status": 503}, "times": 6},
    {"method": "POST", "path": "/batches/*/cancel", "drop": "after", "times": 1},
    {"method": "DELETE", "path": "/files/*", "answer": {"status": 500}, "times": 2},
]
BATCHES: list[dict[str, Any]] = [
    # So late that it is created again, and so slow that the twin can be cancelled before it is paid.
    {"listed_after": 25, "validating": 150, "times": 1},
    {"running": 20, "finalizing": 10, "times": 2},
    {"counts": "zero", "missing_ids": "empty", "times": 2},
    {"counts": "null", "all_failed_output": "empty_file", "times": 2},
    {"status_as": "american", "cancelling": 5, "running": 15, "times": 1},
    {"fail": [{"code": "token_limit_exceeded", "message": "enqueued tokens"}], "times": 1},
    {"fail": [{"code": "model_not_found", "message": "no such deployment"}], "times": 1},
]
FILES: list[dict[str, Any]] = [
    {"ends": "error", "status_details": "unreadable", "times": 1},
    {"processing": 30, "times": 1},
]


class Trouble:
    """One soak's disturber; `app` sees storage and service without their faults."""

    def __init__(
        self,
        environment: Mapping[str, str],
        service: RunningService,
        storage: FaultyStorage,
        hosts: Hosts,
        seed: int,
    ) -> None:
        self.app = wiring.build(environment)
        self.done: Counter[str] = Counter()
        self._service, self._storage, self._hosts = service, storage, hosts
        self._random = random.Random(seed)
        self._events = events_queue(environment)
        self._events.create_queue()
        self._files: list[str] = []
        # The app's table is older than any file: what is lost is found again.
        polling.poll(self.app)

    def make(self, seconds: float) -> None:
        """Drop files, and do them harm."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for chance, act in (
                (0.8, self._drop),
                (0.03, self._overwrite),
                (0.25, self._disturb_service),
                (0.1, self._disturb_storage),
                (0.08, self._kill),
                (0.08, self._cancel),
                (0.15, self._retry),
                (0.3, self._release),
            ):
                if self._random.random() < chance:
                    act()
            time.sleep(self._random.uniform(0.5, 2.0))

    def settle(self, seconds: float) -> float:
        """Stop the faults, wait for every job to end, and return how long that took; at most `seconds`."""
        self._service.scenario({"rows": ROWS})
        self._storage.restore()
        begin = time.monotonic()
        while time.monotonic() - begin < seconds and not self._has_settled():
            self._release()
            time.sleep(1)
        return time.monotonic() - begin

    def newest(self) -> dict[str, str]:
        """Return the job of each prompt file's present version, by the file's name."""
        infos = [self.app.files.info(Container.PROMPTS, name) for name in self._files]
        return {info.name: receiving.entry_of(self.app, info).job_id for info in infos if info is not None}

    def _has_settled(self) -> bool:
        if any(True for _ in self.app.store.all_listed()):
            return False
        found = (self.app.store.job(job_id) for job_id in self.newest().values())
        return all(job is not None and job.state.ended for job in found)

    def _drop(self) -> None:
        name, content = prompt_file(self._random, len(self._files))
        self._files.append(name)
        self._put(name, content)
        self.done["files"] += 1

    def _overwrite(self) -> None:
        """Drop a file again under the name of one that was dropped a moment ago, or long ago."""
        if self._files:
            name = self._random.choice([self._files[-1], self._random.choice(self._files)])
            self._put(name, b"".join(self.app.files.read(Container.PROMPTS, name)))
            self.done["files overwritten"] += 1

    def _put(self, name: str, content: bytes) -> None:
        self.app.files.write(Container.PROMPTS, name, content)
        tells = self._random.choices([1, 2, 0], [0.85, 0.1, 0.05])[0]
        for _ in range(tells):
            self._events.send_message(name)
        self.done["events lost"] += tells == 0
        self.done["events doubled"] += tells == 2

    def _disturb_service(self) -> None:
        scenario: dict[str, Any] = {"rows": ROWS, "calls": self._random.sample(CALLS, 2)}
        if self._random.random() < 0.5:
            scenario["batches"] = self._random.sample(BATCHES, 2)
        if self._random.random() < 0.2:
            scenario["files"] = self._random.sample(FILES, 1)
        if self._random.random() < 0.1:
            scenario["quota"] = {"m": {"tokens": 1500, "mode": self._random.choice(["immediate", "late"])}}
        self._service.scenario(scenario)
        self.done["faults of the service"] += sum(len(scenario[key]) for key in scenario if key != "rows")

    def _disturb_storage(self) -> None:
        outage = self._random.choice(list(Outage))
        self._storage.fail(outage, self._random.choice([0.1, 0.5, 0.9]), self._random.uniform(2, 8))
        self.done["outages of storage"] += 1

    def _kill(self) -> None:
        if len(self._hosts) > 1:
            self._hosts.kill(self._random.randrange(1, len(self._hosts)))
            self.done["kills"] += 1

    def _cancel(self) -> None:
        self._steer("cancels", [listed.entry.job_id for listed in self.app.store.all_listed()])

    def _retry(self) -> None:
        history = self.app.store.history(after="", limit=100_000, state="", prefix="")
        self._steer("retries", [job.job_id for job, _ in history if job.state.ended and job.errors])

    def _steer(self, what: str, jobs: list[str]) -> None:
        use_case = job_control.cancel if what == "cancels" else job_control.retry
        if not jobs:
            return
        try:
            steps.queue_due(self.app, use_case(self.app, self._random.choice(jobs)).job_id)
            self.done[what] += 1
        except AppError:
            pass  # It has ended, nothing of it failed, or it runs: 409. A disturbed service is left to the poll.

    def _release(self) -> None:
        for listed in self.app.store.all_listed():
            job = self.app.store.job(listed.entry.job_id)
            if job is None or not is_held(job):
                continue
            try:
                steps.queue_due(self.app, job_control.release(self.app, job.job_id).job_id)
                self.done["releases"] += 1
            except AppError:
                pass  # Another was quicker.
