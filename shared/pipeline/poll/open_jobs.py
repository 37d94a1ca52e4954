"""The open jobs as one tick of the timer sees them; a job that fails holds up no other."""

import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched, groupby
from typing import Final

from shared.domain.errors import AppError, Conflict
from shared.domain.model import Batch, Job
from shared.domain.ports import App, Listed
from shared.pipeline.receiving import reserve
from shared.pipeline.records import JobRecords, load_after
from shared.pipeline.reporting import close

log = logging.getLogger("structuredbatch.polling")

MINUTE: Final = len("20261130T1926")
"""How many characters of their ids jobs of the same minute have in common."""

TOGETHER: Final = 100
"""The most jobs that are read together."""


class OpenNow:
    """An open job during one tick; what the service reports of its batches is saved once, with what follows from it."""

    def __init__(self, records: JobRecords) -> None:
        self.records = records
        self.changed = False
        self._unsaved: set[str] = set()

    @property
    def job(self) -> Job:
        """The job."""
        return self.records.job

    def note_change(self, batch: Batch) -> None:
        """Note a batch's change, to be saved before the tick ends."""
        self.records.put(batch)
        self._unsaved.add(batch.key)
        self.changed = True

    def save(self, batch: Batch) -> Batch | None:
        """Save a batch now; None if another worker changed it first: the next tick sees that change."""
        self._unsaved.discard(batch.key)
        try:
            return self.records.save_batch(batch)
        except Conflict:
            self.records.reload()
            self._unsaved.clear()
            return None

    def save_rest(self) -> None:
        """Save the changes that were noted and not saved yet."""
        for batch in self.records.batches:
            if batch.key in self._unsaved:
                self.save(batch)

    def stored(self, batch: Batch) -> Batch | None:
        """Return a batch as it is stored, saving it first if necessary; None if another worker changed it first."""
        return self.save(batch) if batch.key in self._unsaved else batch


@contextmanager
def passing_over(job_id: str) -> Iterator[None]:
    """Leave a job that fails to the next tick, so that it holds up no other."""
    try:
        yield
    except AppError as error:
        log.warning("job passed over in this tick: %s", error, extra={"job_id": job_id})
    except Exception as error:  # noqa: BLE001  # A fault of our own, which must not affect the other jobs.
        # Neither its text nor its trace is logged, as they might quote a row.
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__} in {where.name}, line {where.lineno}"
        log.error("job passed over in this tick: %s", fault, extra={"job_id": job_id})  # noqa: TRY400


def open_jobs(app: App) -> Iterator[OpenNow]:
    """Yield the open jobs with their batches, repairing entries that a crash left behind."""
    # A job's id begins with its time: those of one minute are close together in the table.
    for _, of_one_minute in groupby(app.store.all_listed(), key=lambda listed: listed.entry.job_id[:MINUTE]):
        for some in batched(of_one_minute, TOGETHER, strict=False):
            together = _together(app, some)
            for listed in some:
                found = None
                with passing_over(listed.entry.job_id):
                    found = _open_job(app, listed, together.get(listed.entry.job_id))
                if found is not None:
                    yield OpenNow(found)


def _together(app: App, some: Sequence[Listed]) -> Mapping[str, tuple[Job, list[Batch]]]:
    """Read several jobs at once; none if that fails, so that each is then read by itself."""
    if len(some) > 1:
        with passing_over(some[0].entry.job_id):
            return app.store.jobs_together([listed.entry.job_id for listed in some])
    return {}


def _open_job(app: App, listed: Listed, found: tuple[Job, list[Batch]] | None) -> JobRecords | None:
    records = load_after(app, listed.entry.job_id, listed) if found is None else JobRecords(app, *found, listed)
    if records is not None and records.job.state.ended:
        close(records)
        return None
    return records or reserve(app, listed.entry)
