"""An app on the ports in memory, driven as the Functions host would drive it, with hosts that may die or fail."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.adapters.page_renderer import PageRenderer
from shared.domain import blob_names
from shared.domain.errors import AppError
from shared.domain.ledger import Entry, month_of, standing
from shared.domain.model import Job
from shared.domain.ports import App, Container, Message
from shared.pipeline import poison, receiving, steps
from shared.pipeline.month_total import tidy
from shared.pipeline.poll import polling
from shared.settings import read_settings
from testing.fakes import (
    Billed,
    FakeClock,
    MemoryBatchService,
    MemoryFiles,
    MemoryQueues,
    MemoryServices,
    MemoryStore,
    SilentHook,
)
from testing.memory_ledger import MemoryLedger

ENVIRONMENT = {
    "BatchStorage": "UseDevelopmentStorage=true",
    "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "test-key",
    "AZURE_OPENAI_DEPLOYMENT": "gpt-4o-batch",
}
EARLIER = "20200101T000000Z-00000000"
"""The job that has spent what a test begins with."""

DEQUEUES = 5
"""How often a queue's message is tried before it is poisoned, as the host's default is."""

INVISIBLE = timedelta(minutes=10)
"""After so long, a message whose worker died is seen again."""


class Killed(BaseException):
    """The process dies here: nothing catches this, as nothing runs any more."""


class CheckedFiles(MemoryFiles):
    """Blobs in memory that let no status.json go backwards."""

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        """Write a blob, having looked at what was there."""
        there = self.info(container, name)
        before = b"".join(self.read(container, name)) if there is not None else b""
        done = super().write(container, name, data, create_only=create_only, etag=etag)
        if before and name.endswith("/status.json") and container is Container.RESULTS:
            check_forward(json.loads(before), json.loads(data))
        return done


def check_forward(before: dict[str, Any], after: dict[str, Any]) -> None:
    """A status may replace another of its job: nothing that was said is taken back."""
    if before["state"] in ("completed", "failed", "cancelled"):
        assert {**before, "updated_at": 0} == {**after, "updated_at": 0}
    for count in ("succeeded", "failed"):
        assert before["rows"][count] <= after["rows"][count], (before, after)
    paid = [sum(batch["state"] == "collected" for batch in status["batches"]) for status in (before, after)]
    assert paid == sorted(paid), (before, after)
    assert len(before["batches"]) <= len(after["batches"])
    assert before["usage"]["total_tokens"] <= after["usage"]["total_tokens"]


class Simulation:
    """One storage account, one batch service, one clock, and any number of hosts that come and go."""

    def __init__(self, **settings: str) -> None:
        self.clock = FakeClock()
        self.files: MemoryFiles = CheckedFiles(self.clock)
        self.store = MemoryStore()
        self.ledger = MemoryLedger()
        self.queues = MemoryQueues(self.clock)
        self.service = MemoryBatchService(self.clock, self.files)
        self.others: dict[str, MemoryBatchService] = {}
        """The services at other resources, by their names."""
        self.hook = SilentHook()
        self.settings = read_settings({**ENVIRONMENT, **settings})
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._ids = 0
        self._tries: Counter[Message] = Counter()

    def host(self, *, ahead: float = 0) -> App:
        """A fresh host on the same storage and service; its clock may be some seconds ahead of the others'."""
        return App(
            settings=self.settings,
            files=self.files,
            store=self.store,
            ledger=self.ledger,
            services=MemoryServices(self.service, self.others),
            queues=self.queues,
            hook=self.hook,
            renderer=PageRenderer(),
            now=lambda: self.clock.now() + timedelta(seconds=ahead),
            sleep=self.clock.advance,
            new_id=self._new_id,
        )

    def add_resource(self, host: str) -> MemoryBatchService:
        """Add a resource, whose service does to each row what the own one does."""
        service = self.others[host] = MemoryBatchService(self.clock, self.files)
        service.rows, service.plan_of, service._runs = self.service.rows, self.service.plan_of, self.service._runs
        return service

    def billed(self) -> list[tuple[str, Billed]]:
        """All rows that were billed, each with its resource; the ids of two resources' batches may be the same."""
        services = {"": self.service, **self.others}
        return [(host, row) for host, service in services.items() for row in service.billed]

    def uploads(self) -> list[str]:
        """The input files that are left at all services."""
        return [name for service in (self.service, *self.others.values()) for name in service.uploads()]

    def drop(self, name: str, content: str | bytes, **job_settings: Any) -> str:
        """Put a prompt file, with settings for its folder where some are given."""
        if job_settings:
            folder = name.rpartition("/")[0]
            path = f"{folder}/_job.json" if folder else "_job.json"
            self.files.write(Container.PROMPTS, path, json.dumps(job_settings).encode())
        self.files.write(Container.PROMPTS, name, content.encode() if isinstance(content, str) else content)
        return name

    def spend(self, usd: float) -> None:
        """Let an earlier job have cost this much in the present month."""
        entry = Entry(EARLIER, {month_of(self.clock.now()): usd}, ended=True)
        self.ledger.fold([self.ledger.save(entry)])
        self.spent[month_of(self.clock.now())] += usd

    def event(self, app: App, name: str) -> None:
        """What the blob trigger does, tried five times at once where it raises."""
        for _ in range(DEQUEUES):
            try:
                records = receiving.receive(app, name)
                if records is not None:
                    steps.advance(records)
                return
            except AppError:
                continue

    def tick(self, app: App) -> None:
        """What the timer does; where it raises, the next tick comes all the same."""
        try:
            polling.poll(app)
        except AppError:
            pass

    def deliver(self, app: App, *, lost: bool = False) -> None:
        """Deliver the messages that are due; one whose worker dies is seen again later, unless it is `lost`."""
        while (message := self.queues.take()) is not None:
            try:
                self._handle(app, message)
            except Killed:
                if not lost:
                    self.queues.waiting.append((self.clock.now() + INVISIBLE, message))
                raise

    def _handle(self, app: App, message: Message) -> None:
        try:
            steps.handle(app, message)
        except AppError:
            self._tries[message] += 1
            if self._tries[message] < DEQUEUES or not self._poison(app, message):
                self.queues.waiting.append((self.clock.now() + timedelta(seconds=30), message))

    def _poison(self, app: App, message: Message) -> bool:
        """Record that a message failed for good; False where not even that is possible now."""
        try:
            poison.record(app, message)
        except AppError:
            return False
        del self._tries[message]
        return True

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        keys = sorted({partition for partition, row in self.store._rows if row == "job"})
        return [job for job_id in keys if (job := self.store.job(job_id)) is not None]

    def settled(self) -> bool:
        """Whether every job has ended and been closed."""
        return not any(True for _ in self.store.all_listed())

    def go_on(self, app: App, *, minutes: int = 600) -> None:
        """Tick once a minute, and deliver what is due, until every job has ended and been closed."""
        for _ in range(minutes):
            self.tick(app)
            self.deliver(app)
            if self.settled():
                return
            self.clock.advance(60)
        raise AssertionError(f"jobs have not ended: {[(job.job_id, job.state, job.message) for job in self.jobs()]}")

    def status(self, job: Job) -> dict[str, Any]:
        """A job's status.json."""
        found: dict[str, Any] = json.loads(self.result(job, "status.json"))
        return found

    def result(self, job: Job, file: str) -> bytes:
        """One of a job's result files."""
        return b"".join(self.files.read(Container.RESULTS, blob_names.results_folder(job) + file))

    def result_names(self) -> list[str]:
        """The names of all blobs in the results container."""
        return [info.name for info in self.files.blobs(Container.RESULTS)]

    def _new_id(self) -> str:
        self._ids += 1
        return f"worker-{self._ids}"


@dataclass(frozen=True)
class End:
    """All that a user has in the end, but for times and ids, and what was paid for it."""

    files: dict[str, bytes]
    statuses: dict[str, Any]
    billed: dict[tuple[str, str, str, str], int]
    """How often the service billed each row of each (job, batch index, attempt)."""


def end_of(simulation: Simulation) -> End:
    """Take down how everything ended."""
    files, statuses = {}, {}
    for name in simulation.result_names():
        data = b"".join(simulation.files.read(Container.RESULTS, name))
        if name.endswith(".json"):
            statuses[_plain(name)] = timeless(json.loads(data), but_for=("target",) if simulation.others else ())
        else:
            files[_plain(name)] = data
    billed = Counter((_plain(row.job_id), row.index, row.attempt, row.custom_id) for _, row in simulation.billed())
    return End(files, statuses, dict(billed))


def timeless(status: dict[str, Any], *, but_for: Sequence[str] = ()) -> dict[str, Any]:
    """A status.json without times and ids, and without what else of a batch is of no account."""
    kept = {key: value for key, value in status.items() if not key.endswith("_at")}
    kept["job_id"], kept["retry_of"] = _plain(status["job_id"]), _plain(status["retry_of"] or "")
    of_no_account = ("batch_id", "created_at", *but_for)
    batches = [{key: value for key, value in batch.items() if key not in of_no_account} for batch in kept["batches"]]
    return {**kept, "batches": batches}


def _plain(text: str) -> str:
    """A name without what differs between two runs: the job id's time and hash."""
    return re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "JOB", text)


def check_payment(simulation: Simulation) -> None:
    """At most one batch of each (job, batch index, attempt) was billed."""
    paid = defaultdict(set)
    for host, row in simulation.billed():
        paid[row.job_id, row.index, row.attempt].add((host, row.batch_id))
    twice = {key: batches for key, batches in paid.items() if len(batches) > 1}
    assert not twice, f"paid twice: {twice}"


def check_money(simulation: Simulation) -> None:
    """Every month counts what was collected in it, once, and nothing stays reserved when all jobs have ended."""
    tidy(simulation.host(), [])
    expected = simulation.spent.copy()
    for job in simulation.jobs():
        for batch in simulation.store.batches(job.job_id):
            if batch.collected_at is not None:
                expected[month_of(batch.collected_at)] += batch.cost_usd
    for month in {*expected, month_of(simulation.clock.now())}:
        found = standing(*simulation.ledger.month(month))
        assert round(found.spent - expected[month], 9) == 0, (month, found, expected)
        assert found.reserved == 0, found


def check_balance(simulation: Simulation) -> None:
    """Every job that has ended and is closed accounts for every row of its file exactly once, in order.

    Between the two, its status.json may still say otherwise: a host may have died there, and the next poll writes it.
    """
    still_open = {listed.entry.job_id for listed in simulation.store.all_listed()}
    for job in simulation.jobs():
        if not job.state.ended or job.job_id in still_open:
            continue
        status = simulation.status(job)
        assert status["state"] == job.state.value
        results = _rows(simulation.result(job, "results.jsonl"))
        errors = [line["error"]["row"] for line in _lines(simulation.result(job, "errors.jsonl"))]
        rows = status["rows"]
        assert results == sorted(results)
        assert errors == sorted(errors)
        assert (len(results), len(errors), 0) == (rows["succeeded"], rows["failed"], rows["pending"])
        if rows["total"] is None:
            assert not results
            assert not errors
        else:
            assert sorted([*results, *errors]) == list(range(1, rows["total"] + 1))


def _rows(data: bytes) -> list[int]:
    return [line["row"] for line in _lines(data)]


def _lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.split(b"\n") if line]


type Act = Callable[[App], None]


def table(rows: Sequence[str], required: str = "Name") -> str:
    """A prompt table with these custom ids."""
    lines = [f"{row},Who built number {number}?,{required},note {row}" for number, row in enumerate(rows, 1)]
    return "\n".join(["Custom ID,Prompt,Required,Note", *lines, ""])
