"""What to do next: pure decisions about jobs and batches. The clock is an argument; nothing here reads or writes.

    job     preparing ─▶ (held | waiting) ─▶ running ─▶ collecting ─▶ completed | failed | cancelled
    batch   prepared ─▶ uploaded ─▶ submitted ─▶ ended ─▶ collected   (refused for now: back to wait)

Pollers miss states: every jump forward is legal. Whatever must follow from a state is decided from the state alone, so
that a lost message or a crash strands nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.model import (
    KNOWN_STATUSES,
    TERMINAL_STATUSES,
    Batch,
    BatchState,
    Job,
    JobCode,
    JobState,
    Outcome,
    RemoteBatch,
    RowCode,
    Wait,
)
from shared.ports import Gate

LONGEST_WAIT: Final = timedelta(minutes=15)
GIVE_UP_GRACE: Final = timedelta(hours=1)
"""How long a batch may take to be cancelled after its job gave up, before its rows are closed without it."""

WINDOW: Final = timedelta(hours=24)
"""The completion window: a target of the service, not a promise."""

INVALID_OUTPUT_RETRIES: Final = 2
FAULTY_SCHEMA_ROWS: Final = 20
FAULTY_SCHEMA_SHARE: Final = 0.2


class Do(StrEnum):
    """A step that is due."""

    PREPARE = "prepare"
    SUBMIT = "submit"
    CANCEL = "cancel"
    COLLECT = "collect"
    ASSEMBLE = "assemble"
    GIVE_UP = "give_up"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class Due:
    """One step that is due now, for the job or for one of its batches."""

    do: Do
    batch: Batch | None = None


def decide(
    job: Job, batches: Sequence[Batch], gates: Mapping[str, Gate], now: datetime, max_wait: timedelta
) -> list[Due]:
    """Say which steps of a job are due now. Steps that somebody works on, or that wait, are not."""
    if job.state.ended:
        return []
    if not job.built:
        if _gives_up(job, batches, now, max_wait):
            return [Due(Do.GIVE_UP)]
        return [Due(Do.PREPARE)] if _is_idle(job, now) or (is_stopping(job) and _is_free(job, now)) else []
    due: list[Due] = []
    if _gives_up(job, batches, now, max_wait):
        due.append(Due(Do.GIVE_UP))
    for batch in batches:
        do = _batch_step(job, batch, gates.get(batch.model), now)
        if do is not None:
            due.append(Due(do, batch))
    if all(batch.state is BatchState.COLLECTED for batch in batches) and _is_idle(job, now):
        due.append(Due(Do.ASSEMBLE))
    return due


def is_stopping(job: Job) -> bool:
    """Whether nothing new may be sent for this job."""
    return job.cancelled or job.gave_up_at is not None


def is_out_of_patience(job: Job, now: datetime) -> bool:
    """Whether the job gave up so long ago that not even the end of its batches at the service is waited for."""
    return job.gave_up_at is not None and now - job.gave_up_at > GIVE_UP_GRACE


def is_held(job: Job) -> bool:
    """Whether the job waits for somebody to release it."""
    return job.state is JobState.HELD and not job.released and not is_stopping(job)


def _batch_step(job: Job, batch: Batch, gate: Gate | None, now: datetime) -> Do | None:
    if not _is_free(batch, now):
        return None
    if batch.state is BatchState.SUBMITTED:
        if is_out_of_patience(job, now):
            return Do.ABANDON
        return Do.CANCEL if is_stopping(job) and not batch.cancel_sent else None
    if batch.state is BatchState.ENDED:
        return Do.COLLECT if _is_idle(batch, now) else None
    if batch.state is BatchState.COLLECTED:
        return None
    if is_stopping(job):
        return Do.SUBMIT
    closed = gate is not None and gate.until > now
    return Do.SUBMIT if _is_idle(batch, now) and not is_held(job) and not closed else None


def _gives_up(job: Job, batches: Sequence[Batch], now: datetime, max_wait: timedelta) -> bool:
    if job.gave_up_at is not None or is_held(job):
        return False
    settled = job.built and all(batch.state is BatchState.COLLECTED for batch in batches)
    return not settled and now - progress_at(job, batches) > max_wait


def progress_at(job: Job, batches: Iterable[Batch]) -> datetime:
    """When the job last got anywhere."""
    return max([job.progress_at, *(batch.changed_at for batch in batches if batch.changed_at is not None)])


def _is_free(step: Job | Batch, now: datetime) -> bool:
    """Whether nobody works on it."""
    return step.lease is None or step.lease.until <= now


def _is_idle(step: Job | Batch, now: datetime) -> bool:
    """Whether nobody works on it, it waits for nothing, and no message for it is under way."""
    waits = step.wait is not None and step.wait.until > now
    queued = step.queued_until is not None and step.queued_until > now
    return _is_free(step, now) and not waits and not queued


def next_wait(
    before: Wait | None, message: str, now: datetime, first: timedelta, key: str, retry_after: float | None = None
) -> Wait:
    """The wait after a refusal that may pass: `first`, doubling to 15 minutes, up to a quarter more as jitter.

    The jitter follows from `key` and the count, so that the same refusal gives the same wait. `retry_after` (seconds)
    is respected, up to an hour.
    """
    tries = 0 if before is None else before.tries
    length = min(first * 2 ** min(tries, 30), LONGEST_WAIT)
    share = hashlib.sha256(f"{key}/{tries}".encode()).digest()[0] / 1024
    length = max(length * (1 + share), timedelta(seconds=min(retry_after or 0.0, 3600.0)))
    return Wait(until=now + length, tries=tries + 1, message=message)


def observed(batch: Batch, remote: RemoteBatch, now: datetime) -> Batch:
    """The batch with what the service says of it; ENDED where it has come to its end there."""
    changed = (remote.status, remote.counts) != (batch.status, batch.counts)
    seen = replace(
        batch,
        status=remote.status,
        counts=remote.counts,
        output_file_id=remote.output_file_id or remote.output_blob,
        error_file_id=remote.error_file_id or remote.error_blob,
        changed_at=now if changed else batch.changed_at,
    )
    if remote.status not in ("validating", "failed"):
        # Only now it is accepted: until then it may be refused for the same reason as before.
        seen = replace(seen, wait=None, refusals=0)
    if remote.status in TERMINAL_STATUSES and batch.state is BatchState.SUBMITTED:
        seen = replace(seen, state=BatchState.ENDED)
        if remote.status == "failed":
            seen = _failed(seen, remote)
    return seen


def _failed(batch: Batch, remote: RemoteBatch) -> Batch:
    shown = "; ".join(
        f"{code} {text}{f' (line {line})' if line else ''}".strip() for code, text, line in remote.errors[:3]
    )
    return replace(
        batch,
        wait=None,
        failure=RowCode.BATCH_FAILED,
        message=f"The service refused the batch at its validation: {shown or 'it gives no reason'}"[:900],
    )


class Refusal(StrEnum):
    """What a failed validation means for the batch's rows."""

    QUOTA = "quota"
    DEPLOYMENT = "deployment"
    PERMISSION = "permission"
    FINAL = "final"


def refusal_of(errors: Sequence[tuple[str, str, str]]) -> Refusal:
    """Read a failed batch's errors (code, message, line): may it be accepted later, and what has to happen first?"""
    for code, message, _ in errors:
        text = message.lower()
        if code == "token_limit_exceeded" or "token_limit_exceeded" in text or "enqueued tokens" in text:
            return Refusal.QUOTA
        if code in ("model_not_found", "DeploymentNotFound"):
            return Refusal.DEPLOYMENT
        if code == "invalid_request" and re.search(r"\bsku\b|batch deployment|deployment type", text):
            return Refusal.DEPLOYMENT
        if code == "input_no_permissions":
            return Refusal.PERMISSION
    return Refusal.FINAL


def token_limit(message: str) -> int | None:
    """The deployment's limit of enqueued tokens where a refusal names it, as in `limit of 30K`."""
    found = re.search(r"limit of (\d[\d,]*(?:\.\d+)?)\s?([KMB]?)\b", message, re.IGNORECASE | re.ASCII)
    if found is None:
        return None
    number = float(found[1].replace(",", ""))
    return int(number * {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}[found[2].upper()])


def put_back(batch: Batch, wait: Wait) -> Batch:
    """The batch as it waits to be created again; its creation no longer counts as progress."""
    return replace(
        batch,
        state=BatchState.UPLOADED if batch.file_id else BatchState.PREPARED,
        batch_id="",
        status="",
        counts=(0, 0, 0),
        created_at=None,
        creating_since=None,
        changed_at=None,
        output_file_id="",
        error_file_id="",
        failure=None,
        message="",
        lease=None,
        wait=wait,
        refusals=batch.refusals + 1,
    )


def tries_again(
    outcome: Outcome, attempt: int, max_attempts: int, schema_is_faulty: bool, other_attempts: int = 0
) -> bool:
    """Whether a row goes into a follow-up batch; a truncated one only where a token cap can be raised.

    `other_attempts` are those before this one after which the row was tried again for another reason than
    `invalid_output`.
    """
    if outcome.code is None or attempt >= max_attempts:
        return False
    if outcome.code is RowCode.REQUEST_FAILED:
        return outcome.status >= 500
    if outcome.code is RowCode.INVALID_OUTPUT:
        return attempt - other_attempts <= INVALID_OUTPUT_RETRIES and not schema_is_faulty
    return outcome.code in (RowCode.RATE_LIMITED, RowCode.EXPIRED, RowCode.MISSING, RowCode.TRUNCATED)


def is_schema_faulty(invalid: int, rows: int) -> bool:
    """Whether so many answers do not fit that asking again would only be paid twice."""
    return rows >= FAULTY_SCHEMA_ROWS and invalid > rows * FAULTY_SCHEMA_SHARE


def may_follow(job: Job, batch: Batch) -> bool:
    """Whether rows of this batch may be asked again at all: nobody cancelled it, and the job goes on."""
    return not is_stopping(job) and batch.status != "cancelled" and batch.failure is None


def state_of(job: Job, batches: Sequence[Batch]) -> tuple[JobState, str]:
    """The job's state as it shows outside, and the message that goes with it."""
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
        # What went wrong is said again at the end.
        return JobState.COLLECTING, job.message if job.code is not None or job.gave_up_at is not None else ""
    if all(batch.state in (BatchState.PREPARED, BatchState.UPLOADED) for batch in batches):
        return JobState.PREPARING, ""
    return JobState.RUNNING, ""


def age_warnings(batches: Iterable[Batch], now: datetime) -> list[str]:
    """What an operator should know of batches that run long or say something new."""
    found = []
    for batch in batches:
        if batch.state is not BatchState.SUBMITTED:
            continue
        if batch.created_at is not None and now - batch.created_at > WINDOW:
            hours = int((now - batch.created_at) / timedelta(hours=1))
            found.append(f"Batch {batch.batch_id} has run for {hours} hours, beyond the completion window of 24.")
        if batch.status and batch.status not in KNOWN_STATUSES:
            found.append(f"Batch {batch.batch_id} has a status unknown to this app, {batch.status[:40]}: it waits.")
    return found


def end_of(job: Job, batches: Sequence[Batch]) -> tuple[JobState, JobCode | None, str]:
    """How a job ends whose batches are all collected."""
    if job.cancelled:
        return JobState.CANCELLED, None, "The job was cancelled; what had been answered is in the results."
    if job.code is not None:
        return JobState.FAILED, job.code, job.message
    if job.gave_up_at is not None:
        message = "Nothing moved for as long as MAX_WAIT_HOURS allows; the job gave up."
        if job.rows_kept or any(batch.succeeded or batch.usage.output_tokens for batch in batches):
            return JobState.COMPLETED, None, f"{message} What had been answered is in the results."
        return (
            JobState.FAILED,
            JobCode.GAVE_UP,
            f"{message} Mend the cause, then retry the job. {_last_wait(job)}".strip(),
        )
    sent = [batch for batch in batches if batch.requests]
    if sent and not job.rows_kept and all(batch.failure is RowCode.BATCH_FAILED for batch in sent):
        return JobState.FAILED, JobCode.BATCH_FAILED, sent[0].message
    return JobState.COMPLETED, None, ""


def _last_wait(job: Job) -> str:
    return f"It had waited because: {job.message}" if job.message else ""
