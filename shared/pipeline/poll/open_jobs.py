"""The open jobs, as one tick of the timer has them; one that cannot go on holds up no other."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.domain.errors import AppError
from shared.domain.model import Batch, Job, OpenJob
from shared.domain.ports import App
from shared.pipeline.assemble.assembly import close
from shared.pipeline.receiving import reserve

log = logging.getLogger("structuredbatch.polling")


@dataclass(slots=True)
class OpenNow:
    """An open job during one tick."""

    job: Job
    batches: list[Batch]
    changed: bool = False


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
    """The open jobs with their batches; entries that a crash left behind are mended on the way."""
    for entry in app.store.open_jobs():
        found = None
        with passing_over(entry.job_id):
            found = _open_job(app, entry)
        if found is not None:
            yield found


def _open_job(app: App, entry: OpenJob) -> OpenNow | None:
    job, batches = app.store.job_with_batches(entry.job_id)
    if job is not None and job.state.ended:
        close(app, job)
        return None
    job = job or reserve(app, entry)
    return None if job is None else OpenNow(job, batches)
