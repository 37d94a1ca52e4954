"""Which steps of a job are due now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.lifecycle.jobs import gives_up, is_held, is_out_of_patience, is_stopping
from shared.domain.model import Batch, BatchState, Job
from shared.domain.ports import DeploymentBackoff


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
    job: Job, batches: Sequence[Batch], backoffs: Mapping[str, DeploymentBackoff], now: datetime, max_wait: timedelta
) -> list[Due]:
    """Say which steps of a job are due now. Steps that somebody works on, or that wait, are not."""
    if job.state.ended:
        return []
    if not job.built:
        if gives_up(job, batches, now, max_wait):
            return [Due(Do.GIVE_UP)]
        return [Due(Do.PREPARE)] if _is_idle(job, now) or (is_stopping(job) and _is_free(job, now)) else []
    due: list[Due] = []
    if gives_up(job, batches, now, max_wait):
        due.append(Due(Do.GIVE_UP))
    for batch in batches:
        do = _batch_step(job, batch, backoffs.get(batch.model), now)
        if do is not None:
            due.append(Due(do, batch))
    if all(batch.state is BatchState.COLLECTED for batch in batches) and _is_idle(job, now):
        due.append(Due(Do.ASSEMBLE))
    return due


def _batch_step(job: Job, batch: Batch, gate: DeploymentBackoff | None, now: datetime) -> Do | None:
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


def _is_free(step: Job | Batch, now: datetime) -> bool:
    """Whether nobody works on it."""
    return step.lease is None or step.lease.until <= now


def _is_idle(step: Job | Batch, now: datetime) -> bool:
    """Whether nobody works on it, it waits for nothing, and no message for it is under way."""
    waits = step.wait is not None and step.wait.until > now
    queued = step.queued_until is not None and step.queued_until > now
    return _is_free(step, now) and not waits and not queued
