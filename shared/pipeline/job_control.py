"""What people, or the clock, decide about a job: cancel, release, retry, give up."""

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import AppError, Conflict, NoAnswer, NotFound, Transient
from shared.domain.lifecycle import is_held
from shared.domain.model import Batch, BatchState, Job, OpenJob, RowCode
from shared.domain.ports import App, Container, Listed, Message, Step
from shared.pipeline.receiving import new_job
from shared.pipeline.records import JobRecords, load
from shared.pipeline.reporting import publish, publish_first
from shared.pipeline.spending import reserve_released
from shared.pipeline.target_choice import account_of, service_of

log = logging.getLogger("structuredbatch.steering")

TRIES: Final = 10


class NotNow(AppError):
    """The job's state does not allow what was asked for."""


def cancel(app: App, job_id: str) -> Job:
    """Stop a job: nothing more is sent, open batches are cancelled, and answers that arrived are collected.

    Raises NotFound for an unknown job and NotNow for one that has ended.
    """

    def cancelled(job: Job) -> Job:
        if job.state.ended:
            raise NotNow(f"The job has ended already ({job.state.value}).")
        # A worker that builds or assembles it at this moment loses the claim and stops.
        return replace(job, cancelled=True, wait=None, queued_until=None, lease=None)

    records = _change(_known(app, job_id), cancelled)
    log.info("job cancelled", extra={"job_id": job_id})
    publish(records)
    return records.job


def release(app: App, job_id: str) -> Job:
    """Let a held job go on. Raises NotFound for an unknown job and NotNow for one that is not held."""

    def released(job: Job) -> Job:
        if not is_held(job):
            raise NotNow(f"The job is not held ({job.state.value}).")
        return replace(job, released=True, progress_at=app.now())

    records = _change(_known(app, job_id), released)
    log.info("job released", extra={"job_id": job_id})
    try:
        reserve_released(records)
    except Transient as error:  # The poll puts it right.
        log.warning("nothing reserved yet for a released job: %s", error, extra={"job_id": job_id})
    publish(records)
    return records.job


def give_up(records: JobRecords) -> None:
    """Stop a job that has made no progress for too long."""

    def given_up(job: Job) -> Job:
        if job.state.ended:
            raise NotNow("The job has ended already.")
        gave_up_at = job.gave_up_at or records.app.now()
        return replace(job, gave_up_at=gave_up_at, wait=None, queued_until=None, lease=None)

    _change(records, given_up)
    log.error("job gave up", extra={"job_id": records.job_id})


def cancel_batch(records: JobRecords, batch: Batch) -> None:
    """Ask the service to cancel a stopping job's batch; if that fails, the poll asks again."""
    account = account_of(records.app.settings, batch)
    if account in records.silent:
        return
    try:
        service_of(records.app, batch).cancel(batch.batch_id)
    except Transient as error:
        if isinstance(error, NoAnswer):
            records.silent.add(account)
        log.warning("batch not cancelled yet: %s", error, extra={"job_id": batch.job_id, "batch_id": batch.batch_id})
        return
    try:
        records.save_batch(replace(batch, cancel_sent=True))
    except Conflict:
        records.reload()  # Then the service is asked again, which does no harm.


def abandon_batch(records: JobRecords, batch: Batch) -> None:
    """Close a batch that the service has still not ended long after its job gave up."""
    message = "The job gave up before the service ended this batch."
    records.save_batch(
        replace(batch, state=BatchState.ENDED, failure=RowCode.GAVE_UP, message=message, wait=None, queued_until=None)
    )
    log.error("batch abandoned", extra={"job_id": batch.job_id, "batch_id": batch.batch_id})


def retry(app: App, job_id: str) -> Job:
    """Try the failed rows of an ended job again, as a new job over the same copy of the prompt file.

    Raises NotFound for an unknown job, and NotNow if the job or a retry of it is still running, or if no row failed.
    """
    newest, number = _newest(app, job_id)
    if not newest.state.ended:
        raise NotNow(f"The job {newest.job_id} is still running ({newest.state.value}).")
    if not newest.errors:
        raise NotNow(f"No row of the job {newest.job_id} failed.")
    if app.files.info(Container.WORK, blob_names.snapshot(newest)) is None:
        raise NotNow("The job's copy of its prompt file has been deleted: drop its errors.jsonl instead.")
    first = newest.retry_of or newest.job_id
    entry = OpenJob(
        f"{first}-r{number + 1}",
        newest.prompt_file,
        newest.source_etag,
        app.now(),
        retry_of=first,
        previous=newest.job_id,
    )
    version = app.store.open_entry(entry)
    try:
        job = app.store.insert_job(new_job(entry))
    except Conflict as error:
        raise NotNow(f"The job {entry.job_id} is still running.") from error
    app.queues.send(Message(Step.PREPARE, job.job_id))
    log.info("job retried", extra={"job_id": job_id, "retry": job.job_id})
    publish_first(JobRecords(app, job, (), Listed(entry, None, version), is_new=True))
    return job


def _newest(app: App, job_id: str) -> tuple[Job, int]:
    """Return the latest retry of a job, or the job itself if there is none, and the retry's number (0 for none)."""
    job = app.store.job(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    first = job.retry_of or job_id
    found = re.search(r"-r(\d+)$", job_id) if job.retry_of else None
    number = int(found[1]) if found else 0
    while (later := app.store.job(f"{first}-r{number + 1}")) is not None:
        job, number = later, number + 1
    return job, number


def _known(app: App, job_id: str) -> JobRecords:
    records = load(app, job_id)
    if records is None:
        raise NotFound(f"There is no job {job_id}.")
    return records


def _change(records: JobRecords, change: Callable[[Job], Job]) -> JobRecords:
    for _ in range(TRIES):
        try:
            records.save_job(change(records.job))
            return records
        except Conflict:
            records.reload()
    raise Conflict(f"The job {records.job_id} is being changed by others; try again.")
