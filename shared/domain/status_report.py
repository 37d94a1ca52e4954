"""A job and its batches → the status.json that users see."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.domain.estimate import Estimate, HeldBy
from shared.domain.lifecycle import age_warnings, state_of
from shared.domain.model import Batch, BatchState, Job, JobState, Usage

SHOWN_WARNINGS: Final = 20
"""How many warnings the list of jobs shows, so that a row of the table stays small."""


def report(job: Job, batches: Sequence[Batch], now: datetime) -> dict[str, Any]:
    """Describe a job as status.json does: plain JSON values, times as ISO 8601 in UTC."""
    state, message = state_of(job, batches)
    usage = sum((batch.usage for batch in batches), Usage())
    return {
        "job_id": job.job_id,
        "prompt_file": job.prompt_file,
        "retry_of": job.retry_of or None,
        "state": state.value,
        "code": job.code.value if job.code and job.state.ended else None,
        "message": message or None,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.completed_at or now),
        "completed_at": iso(job.completed_at),
        "rows": _rows(job, batches),
        "answered": answered(job, batches),
        "held_by": (job.held_by or HeldBy.INPUT_TOKENS.value) if state is JobState.HELD else None,
        "estimate": _estimate(job),
        "settings": list(job.settings),
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            **({"cached_tokens": usage.cached_tokens} if usage.cached_tokens else {}),
        },
        "cost": {
            "usd": round(sum(batch.cost_usd for batch in batches), 9),
            "unpriced_rows": sum(batch.unpriced_rows for batch in batches),
        },
        "errors": errors_of(job, batches),
        "warnings": [*job.warnings, *age_warnings(batches, now)],
        "batches": [_batch(batch) for batch in batches],
    }


def summary(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report as the list of jobs shows it: without its batches, and with a bounded number of warnings."""
    shown = {key: value for key, value in status.items() if key != "batches"}
    warnings = shown["warnings"]
    if len(warnings) > SHOWN_WARNINGS:
        left_out = len(warnings) - SHOWN_WARNINGS
        plural = "s" if left_out > 1 else ""
        shown["warnings"] = [*warnings[:SHOWN_WARNINGS], f"{left_out} more warning{plural}: see the job's status.json."]
    return shown


def errors_of(job: Job, batches: Sequence[Batch]) -> dict[str, int]:
    """Count the rows without a result by row code: so far, or in the end."""
    if job.state.ended:
        return dict(job.errors)
    counts = Counter(job.unsent)
    for batch in batches:
        counts.update(batch.errors)
    return dict(counts)


def answered(job: Job, batches: Sequence[Batch]) -> int:
    """Count the rows that the service reports as answered or failed, or that have an earlier job's result.

    A row in a follow-up was answered before. So of all attempts at the rows of one input file, the first counts in
    full, and later ones add only what exceeds it.
    """
    attempts: dict[int, list[Batch]] = {}
    for batch in batches:
        attempts.setdefault(batch.index, []).append(batch)
    found = job.rows_carried_over + sum(map(_answered_of, attempts.values()))
    return found if job.rows_total is None else min(found, job.rows_total)


def _answered_of(attempts: Sequence[Batch]) -> int:
    done = most = 0
    for batch in sorted(attempts, key=lambda batch: batch.attempt):
        most = max(most, done + min(sum(batch.counts[1:]), batch.requests))
        if batch.state is BatchState.COLLECTED:
            done += batch.requests - batch.followed
    return most


def _estimate(job: Job) -> dict[str, Any]:
    known = job.estimate or Estimate(job.input_tokens)
    return {
        "input_tokens": known.input_tokens if job.built else None,
        "output_tokens": known.output_tokens,
        "usd": None if known.usd is None else round(known.usd, 9),
        "basis": known.basis,
    }


def iso(time: datetime | None) -> str | None:
    """Return a time as the files show it: `2026-11-22T10:15:00Z`; None for None."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def digest_of(status: Mapping[str, Any]) -> str:
    """Return a hash of a report, ignoring when it was written."""
    text = json.dumps({**status, "updated_at": None}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_shortened(status: Mapping[str, Any]) -> bool:
    """Return whether a summary leaves out warnings that its report has."""
    return len(status["warnings"]) > SHOWN_WARNINGS


def _rows(job: Job, batches: Sequence[Batch]) -> dict[str, int | None]:
    if job.state.ended:
        succeeded, failed, pending = job.rows_succeeded, sum(job.errors.values()), 0
    else:
        done = [batch for batch in batches if batch.state is BatchState.COLLECTED]
        succeeded = job.rows_carried_over + sum(batch.succeeded for batch in done)
        failed = sum(errors_of(job, done).values())
        pending = 0 if job.rows_total is None else job.rows_total - succeeded - failed
    return {
        "total": job.rows_total,
        "succeeded": succeeded,
        "failed": failed,
        "pending": pending,
        "reused": job.rows_reused,
    }


def _batch(batch: Batch) -> dict[str, Any]:
    total, completed, failed = batch.counts
    return {
        "batch_id": batch.batch_id or None,
        "model": batch.model,
        "attempt": batch.attempt,
        "state": batch.state.value,
        "status": batch.status or None,
        "requests": batch.requests or total,
        "completed": completed,
        "failed": failed,
        "created_at": iso(batch.created_at),
        "message": (batch.wait.message if batch.wait else batch.message) or None,
        "pilot": batch.pilot,
        "target": batch.target or None,
    }
