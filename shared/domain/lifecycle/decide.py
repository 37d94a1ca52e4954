"""Which steps of a job are due now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.lifecycle.jobs import (
    gives_up,
    is_held,
    is_out_of_patience,
    is_stopping,
    pilot_is_due,
    waits_for_pilot,
)
from shared.domain.model import Batch, BatchState, Job
from shared.domain.ports import Step


@dataclass(frozen=True, slots=True)
class Due:
    """One step that is due now, for the job or for one of its batches."""

    step: Step
    batch: Batch | None = None


def decide(
    job: Job, batches: Sequence[Batch], closed: Collection[str], now: datetime, max_wait: timedelta
) -> list[Due]:
    """Return the steps of a job that are due now, leaving out those that a worker is doing or that wait.

    `closed` are the models for which no target has room.
    """
    if job.state.ended:
        return []
    if not job.built:
        if gives_up(job, batches, now, max_wait):
            return [Due(Step.GIVE_UP)]
        return [Due(Step.PREPARE)] if _is_idle(job, now) or (is_stopping(job) and _is_free(job, now)) else []
    due: list[Due] = []
    if gives_up(job, batches, now, max_wait):
        due.append(Due(Step.GIVE_UP))
    for batch in batches:
        step = _batch_step(job, batch, is_closed=batch.model in closed, now=now)
        if step is not None:
            due.append(Due(step, batch))
    if pilot_is_due(job, batches) and _is_idle(job, now):
        due.append(Due(Step.JUDGE))
    elif all(batch.state is BatchState.COLLECTED for batch in batches) and _is_idle(job, now):
        due.append(Due(Step.ASSEMBLE))
    return due


def _batch_step(job: Job, batch: Batch, *, is_closed: bool, now: datetime) -> Step | None:
    if not _is_free(batch, now):
        return None
    if batch.state is BatchState.SUBMITTED:
        if is_out_of_patience(job, now):
            return Step.ABANDON
        return Step.CANCEL if is_stopping(job) and not batch.cancel_sent else None
    if batch.state is BatchState.ENDED:
        return Step.COLLECT if _is_idle(batch, now) else None
    if batch.state is BatchState.COLLECTED:
        return None
    if is_stopping(job):
        return Step.SUBMIT
    may_go = not is_held(job) and not waits_for_pilot(job, batch) and not is_closed
    return Step.SUBMIT if may_go and _is_idle(batch, now) else None


def _is_free(record: Job | Batch, now: datetime) -> bool:
    """Return whether no worker holds a lease on it."""
    return record.lease is None or record.lease.until <= now


def _is_idle(record: Job | Batch, now: datetime) -> bool:
    """Return whether no worker holds a lease on it, it waits for nothing, and no message for it is under way."""
    waits = record.wait is not None and record.wait.until > now
    queued = record.queued_until is not None and record.queued_until > now
    return _is_free(record, now) and not waits and not queued
