"""A message that failed for good → a job that waits, or one that ended as poisoned: never silence.

The poll derives every step from the states again, so the step itself is not lost with its message; only a prompt file
that cannot be built time after time ends its job.
"""

import logging
from dataclasses import replace
from typing import Final

from shared.domain.errors import Conflict
from shared.domain.lifecycle import is_out_of_patience, next_backoff
from shared.domain.model import Batch, BatchState, Job, JobCode, RowCode, Wait
from shared.domain.ports import App, Message, Step
from shared.pipeline.records import JobRecords, load
from shared.pipeline.reporting import publish

log = logging.getLogger("structuredbatch.poison")

PATIENCE: Final = 3
"""How many messages in a row may be poisoned over a job before it ends."""

TRIES: Final = 10
EXPLANATION: Final = (
    "A step of this job keeps failing with an unexpected error; the function app's log has the exception. The step is "
    "tried again."
)


def record(app: App, message: Message) -> None:
    """Record that a step failed for good, and let it wait before it is tried again."""
    log.error("message poisoned", extra={"job_id": message.job_id, "step": message.step.value})
    if message.step is Step.NOTIFY:
        return
    records = load(app, message.job_id)
    if records is None:
        return
    for _ in range(TRIES):
        try:
            _record(records, message)
        except Conflict:
            records.reload()
            continue
        publish(records)
        return


def report_foreign() -> None:
    """Log that a message in a poison queue was not written by this app; it is dropped, as no step can handle it."""
    log.error("a message that this app did not write was taken from a poison queue")


def _record(records: JobRecords, message: Message) -> None:
    job, batch = records.job, records.batch(message.index, message.attempt)
    if job.state.ended:
        return
    if batch is not None:
        records.save_batch(_poisoned_batch(records.app, job, batch))
        return
    records.save_job(_poisoned(records.app, job))


def _poisoned_batch(app: App, job: Job, batch: Batch) -> Batch:
    """Let the batch wait; close it without its answers if they are still unreadable long after its job gave up."""
    wait = _wait(app, batch.wait, batch.full_name)
    batch = replace(batch, lease=None, queued_until=None, wait=wait)
    if batch.state is BatchState.ENDED and batch.failure is None and is_out_of_patience(job, app.now()):
        message = "The job gave up: reading the batch's answers keeps failing with an unexpected error."
        return replace(batch, failure=RowCode.GAVE_UP, message=message, output_file_id="", error_file_id="")
    return batch


def _poisoned(app: App, job: Job) -> Job:
    wait = _wait(app, job.wait, job.job_id)
    if job.built or wait.tries < PATIENCE:
        return replace(job, lease=None, queued_until=None, wait=wait)
    message = "The prompt file could not be processed because of an unexpected error; see the function app's log."
    return replace(job, lease=None, queued_until=None, wait=None, built=True, code=JobCode.POISONED, message=message)


def _wait(app: App, before: Wait | None, key: str) -> Wait:
    """Return the wait of a poisoned step; waits for a known reason do not count as failures."""
    if before is not None and before.message != EXPLANATION:
        before = None
    return next_backoff(before, EXPLANATION, app.now(), app.settings.backoff, key)
