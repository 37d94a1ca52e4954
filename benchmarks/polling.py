"""One tick of the timer with many open batches: calls to the service, and the time that is not waiting for it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from benchmarks.measure import cost_of, peak_mb
from benchmarks.stand_ins import local_app
from shared.domain.batch_service import BatchService
from shared.domain.model import Batch, BatchState, Job, JobState, OpenJob, RemoteBatch
from shared.domain.ports import App, Listed
from shared.pipeline.poll import polling
from testing.fakes import FakeClock, MemoryFiles, MemoryServices, MemoryStore
from testing.memory_ledger import MemoryLedger

BATCHES_OF_A_JOB = 10
PAGE = 100


class PartitionedStore(MemoryStore):
    """The jobs table in memory, found by partition as the real one is, so that history costs nothing by its size."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: defaultdict[str, set[str]] = defaultdict(set)

    def batches(self, job_id: str) -> list[Batch]:
        found = [self._get(Batch, job_id, key) for key in sorted(self._keys[job_id]) if key != "job"]
        return [batch for batch in found if batch is not None]

    def all_listed(self) -> Iterator[Listed]:
        for key in sorted(self._keys["open"]):
            if (found := self.listed(key)) is not None:
                yield found

    def _put(self, partition: str, key: str, value: Any) -> str:
        self._keys[partition].add(key)
        return super()._put(partition, key, value)


class ListingService:
    """A service that lists batches, newest first, and counts the calls."""

    def __init__(self, batches: list[RemoteBatch], *, filters: bool = True) -> None:
        self.filters = filters
        self.seen: set[str] = set()
        self._by_id = {batch.batch_id: batch for batch in batches}
        self._lists = {"": batches, "in_progress": [batch for batch in batches if batch.status == "in_progress"]}
        self._places = {status: _places(found) for status, found in self._lists.items()}
        self.pages = 0
        self.single = 0

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        """Return one page of the list, or of that of one status where the service knows such lists."""
        self.pages += 1
        listed = status if self.filters else ""
        start = self._places[listed][after] + 1 if after else 0
        found = self._lists[listed][start : start + PAGE]
        self.seen.update(batch.batch_id for batch in found)
        return found, found[-1].batch_id if start + PAGE < len(self._lists[listed]) else ""

    def batch(self, batch_id: str) -> RemoteBatch | None:
        """Return one batch."""
        self.single += 1
        self.seen.add(batch_id)
        return self._by_id[batch_id]


def _places(batches: list[RemoteBatch]) -> dict[str, int]:
    return {batch.batch_id: place for place, batch in enumerate(batches)}


def measured(open_batches: int, closed_jobs: int, closed_between: int, filters: bool = True) -> dict[str, Any]:
    """Poll once; the closed jobs are in the table, the closed batches between the open ones in the service's list.

    `filters`: whether the service knows lists of one status.
    """
    clock = FakeClock()
    store = PartitionedStore()
    remote = [batch for job in open_jobs(clock, store, open_batches) for batch in job]
    _history(clock, store, closed_jobs)
    service = ListingService(mixed(remote, closed_between), filters=filters)
    app = app_over(clock, store, service)
    cost = cost_of(lambda: polling.poll(app))
    return {
        "open_batches": open_batches,
        "closed_jobs": closed_jobs,
        "closed_between": closed_between,
        "pages": service.pages,
        "single_calls": service.single,
        "calls": service.pages + service.single,
        "seen": sum(batch.batch_id in service.seen for batch in remote),
        "cpu_seconds": cost.cpu,
        "peak_mb": peak_mb(),
    }


def app_over(clock: FakeClock, store: MemoryStore, service: ListingService) -> App:
    return replace(
        local_app(Path("unused")),
        files=MemoryFiles(clock),
        store=store,
        ledger=MemoryLedger(),
        services=MemoryServices(cast(BatchService, service)),
        now=clock.now,
    )


def open_jobs(clock: FakeClock, store: MemoryStore, batches: int) -> Iterator[list[RemoteBatch]]:
    """Write open jobs, and give their batches as the service knows them."""
    for first in range(0, batches, BATCHES_OF_A_JOB):
        job = _job(clock, f"job-{first:06d}", JobState.RUNNING)
        store.open_entry(OpenJob(job.job_id, job.prompt_file, "etag", clock.now()))
        store.insert_job(replace(job, built=True))
        mine = [_batch(clock, job, index) for index in range(min(BATCHES_OF_A_JOB, batches - first))]
        store.add_batches(mine)
        yield [_remote(clock, batch.batch_id, batch.file_id, "in_progress") for batch in mine]


def _history(clock: FakeClock, store: MemoryStore, jobs: int) -> None:
    for number in range(jobs):
        job = _job(clock, f"old-{number:06d}", JobState.COMPLETED)
        store.open_entry(OpenJob(job.job_id, job.prompt_file, "etag", clock.now()))
        store.close(store.insert_job(job), {})


def mixed(open_batches: list[RemoteBatch], closed: int) -> list[RemoteBatch]:
    """Spread closed batches evenly between the open ones."""
    each = closed // max(len(open_batches), 1)
    return [
        batch
        for number, mine in enumerate(open_batches)
        for batch in (mine, *(_closed(mine, f"{number}-{place}") for place in range(each)))
    ]


def _closed(like: RemoteBatch, name: str) -> RemoteBatch:
    return replace(like, batch_id=f"old-{name}", input_file_id=f"old-file-{name}", status="completed")


def _job(clock: FakeClock, job_id: str, state: JobState) -> Job:
    now = clock.now()
    return Job(
        job_id=job_id,
        prompt_file=f"{job_id}.csv",
        source_etag="etag",
        state=state,
        created_at=now,
        updated_at=now,
        progress_at=now,
    )


def _batch(clock: FakeClock, job: Job, index: int) -> Batch:
    return Batch(
        job_id=job.job_id,
        index=index,
        attempt=1,
        state=BatchState.SUBMITTED,
        model="gpt-4o-batch",
        url="/chat/completions",
        requests=1000,
        status="in_progress",
        batch_id=f"{job.job_id}-{index}",
        file_id=f"file-{job.job_id}-{index}",
        created_at=clock.now() - timedelta(hours=1),
    )


def _remote(clock: FakeClock, batch_id: str, file_id: str, status: str) -> RemoteBatch:
    return RemoteBatch(
        batch_id=batch_id,
        status=status,
        input_file_id=file_id,
        created_at=clock.now() - timedelta(hours=1),
        counts=(1000, 500, 0),
        metadata={},
    )
