"""The open jobs, as one tick of the timer has them; one that cannot go on holds up no other."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.errors import AppError, Conflict
from shared.domain.model import Batch, Job
from shared.domain.ports import App, Listed
from shared.pipeline.receiving import reserve
from shared.pipeline.records import JobRecords, load_after
from shared.pipeline.reporting import close

log = logging.getLogger("structuredbatch.polling")


class OpenNow:
    """An open job during one tick; what the service says of its batches is written once, with what follows from it."""

    def __init__(self, records: JobRecords) -> None:
        self.records = records
        self.changed = False
        self._unsaved: set[str] = set()

    @property
    def job(self) -> Job:
        """The job."""
        return self.records.job

    def take_note(self, batch: Batch) -> None:
        """Keep a change of a batch, to be saved before the tick ends."""
        self.records.put(batch)
        self._unsaved.add(batch.key)
        self.changed = True

    def save(self, batch: Batch) -> Batch | None:
        """Save a batch now; None where another worker was quicker: the next tick sees what it did."""
        self._unsaved.discard(batch.key)
        try:
            return self.records.save_batch(batch)
        except Conflict:
            self.records.reload()
            self._unsaved.clear()
            return None

    def save_rest(self) -> None:
        """Save what is noted and not saved yet."""
        for batch in self.records.batches:
            if batch.key in self._unsaved:
                self.save(batch)

    def settled(self, batch: Batch) -> Batch | None:
        """Return a batch in its stored form, saved if need be; None if another worker was quicker."""
        return self.save(batch) if batch.key in self._unsaved else batch


@contextmanager
def passing_over(job_id: str) -> Iterator[None]:
    """Leave a job that cannot go on to the next tick, so that it holds up no other."""
    try:
        yield
    except AppError as error:
        log.warning("job passed over in this tick: %s", error, extra={"job_id": job_id})
    except Exception as error:  # noqa: BLE001  # A fault of our own, of which the other jobs know nothing.
        # Neither its text nor its trace is shown, as they might quote a row.
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__} in {where.name}, line {where.lineno}"
        log.error("job passed over in this tick: %s", fault, extra={"job_id": job_id})  # noqa: TRY400


def open_jobs(app: App) -> Iterator[OpenNow]:
    """Read the open jobs with their batches; entries that a crash left behind are repaired on the way."""
    for listed in app.store.all_listed():
        found = None
        with passing_over(listed.entry.job_id):
            found = _open_job(app, listed)
        if found is not None:
            yield OpenNow(found)


def _open_job(app: App, listed: Listed) -> JobRecords | None:
    records = load_after(app, listed.entry.job_id, listed)
    if records is not None and records.job.state.ended:
        close(records)
        return None
    return records or reserve(app, listed.entry)
