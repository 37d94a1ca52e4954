"""A job's state, when it gives up and how it ends, derived from its row and its batches."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.domain.model import Batch, BatchState, Job, JobCode, JobState, RowCode

GIVE_UP_GRACE: Final = timedelta(hours=1)
"""How long a batch may take to be cancelled after its job gave up; then it is closed without the service."""

_OF_THE_SERVICE: Final = frozenset({
    RowCode.REFUSAL, RowCode.CONTENT_FILTER, RowCode.TRUNCATED, RowCode.INVALID_OUTPUT, RowCode.REQUEST_FAILED
})  # fmt: skip
"""Codes of rows that the model service processed without giving a result."""

BEING_CANCELLED: Final = "The job is being cancelled: nothing more is sent, and answers that arrived are collected."


def is_stopping(job: Job) -> bool:
    """Return whether nothing new may be sent for this job."""
    return job.cancelled or job.gave_up_at is not None


def is_out_of_patience(job: Job, now: datetime) -> bool:
    """Return whether the job gave up so long ago that it no longer waits for the service to end its batches."""
    return job.gave_up_at is not None and now - job.gave_up_at > GIVE_UP_GRACE


def is_held(job: Job) -> bool:
    """Return whether the job waits to be released."""
    return job.state is JobState.HELD and not job.released and not is_stopping(job)


def waits_for_pilot(job: Job, batch: Batch) -> bool:
    """Return whether a batch must wait until the job's pilot is judged."""
    return job.pilot is not None and not job.pilot.judged and not batch.pilot


def pilot_is_due(job: Job, batches: Iterable[Batch]) -> bool:
    """Return whether the job's pilot is collected, follow-ups included, and must now be judged."""
    if job.pilot is None or job.pilot.judged or is_stopping(job):
        return False
    return all(batch.state is BatchState.COLLECTED for batch in batches if batch.pilot)


def gives_up(job: Job, batches: Sequence[Batch], now: datetime, max_wait: timedelta) -> bool:
    """Return whether the job has made no progress for so long that it gives up."""
    if job.gave_up_at is not None or is_held(job):
        return False
    settled = job.built and all(batch.state is BatchState.COLLECTED for batch in batches)
    return not settled and now - progress_at(job, batches) > max_wait


def progress_at(job: Job, batches: Iterable[Batch]) -> datetime:
    """Return when the job last made progress."""
    return max([job.progress_at, *(batch.changed_at for batch in batches if batch.changed_at is not None)])


def state_of(job: Job, batches: Sequence[Batch]) -> tuple[JobState, str]:
    """Return the job's state as users see it, and the message that goes with it."""
    state, message = _state_of(job, batches)
    # The service takes minutes to cancel a batch: without a message, the job would seem to be still running.
    return state, BEING_CANCELLED if job.cancelled and not message else message


def _state_of(job: Job, batches: Sequence[Batch]) -> tuple[JobState, str]:
    if job.state.ended:
        return job.state, job.message
    waits = [batch.wait for batch in batches if batch.wait is not None]
    if job.wait is not None:
        return JobState.WAITING, job.wait.message
    if is_held(job):
        return JobState.HELD, job.message
    if not job.built:
        return JobState.PREPARING, ""
    if waits:
        return JobState.WAITING, max(waits, key=lambda wait: wait.tries).message
    if all(batch.state in (BatchState.ENDED, BatchState.COLLECTED) for batch in batches):
        # A fault is shown now already, and again at the end.
        return JobState.COLLECTING, job.message if job.code is not None or job.gave_up_at is not None else ""
    if all(batch.state in (BatchState.PREPARED, BatchState.UPLOADED) for batch in batches):
        return JobState.PREPARING, ""
    return JobState.RUNNING, ""


def end_of(job: Job, batches: Sequence[Batch]) -> tuple[JobState, JobCode | None, str]:
    """Return the final state, code and message of a job whose batches are all collected."""
    if job.cancelled:
        return JobState.CANCELLED, None, "The job was cancelled; answers that had arrived are in the results."
    if job.code is not None:
        return JobState.FAILED, job.code, job.message
    answered = job.rows_carried_over or any(map(_was_processed, batches))
    if job.gave_up_at is not None:
        message = "No progress for MAX_WAIT_HOURS: the job gave up."
        if answered:
            return JobState.COMPLETED, None, f"{message} Answers that had arrived are in the results."
        return (
            JobState.FAILED,
            JobCode.GAVE_UP,
            f"{message} Fix the cause, then retry the job. {_last_wait(job)}".strip(),
        )
    sent = [batch for batch in batches if batch.requests]
    if sent and not answered and all(batch.failure is RowCode.BATCH_FAILED for batch in sent):
        return JobState.FAILED, JobCode.BATCH_FAILED, sent[0].message
    if not any(batch.succeeded for batch in sent) and not job.rows_carried_over:
        refused = next((batch.message for batch in sent if batch.message and batch.failure is None), "")
        return JobState.COMPLETED, None, refused
    return JobState.COMPLETED, None, ""


def _was_processed(batch: Batch) -> bool:
    """Return whether the model service processed any row of the batch, even if it refused it."""
    return bool(batch.succeeded or batch.usage.output_tokens or batch.errors.keys() & _OF_THE_SERVICE)


def _last_wait(job: Job) -> str:
    return f"It had waited because: {job.message}" if job.message else ""
