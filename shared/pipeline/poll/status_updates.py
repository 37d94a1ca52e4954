"""What the service says of a batch, written down where it is news."""

from dataclasses import replace

from shared.domain.lifecycle import Refusal, next_backoff, observed, refusal_of
from shared.domain.model import Batch, BatchState, RemoteBatch, RowCode
from shared.pipeline.claims import claim_batch
from shared.pipeline.poll.open_jobs import OpenNow
from shared.pipeline.submit.refusals import fault_of, refuse_for_quota, refuse_late
from shared.pipeline.targets import target_of


def apply(item: OpenNow, batch: Batch, remote: RemoteBatch) -> None:
    """Take note of what the service says of one batch, where it is news."""
    seen = observed(batch, remote, item.records.app.now())
    if seen == batch:
        return
    if seen.failure is RowCode.BATCH_FAILED and _may_be_accepted_later(item, batch, remote):
        item.changed = True
    else:
        item.take_note(seen)


def _may_be_accepted_later(item: OpenNow, batch: Batch, remote: RemoteBatch) -> bool:
    """Put a batch that failed its validation back to wait, where time or a corrected setting can help."""
    refusal = refusal_of(remote.errors)
    if refusal is Refusal.FINAL:
        return False
    claim = claim_batch(item.records, batch.index, batch.attempt, BatchState.SUBMITTED)
    if claim is None:
        return True  # Another poll, or a step, was quicker: the next tick sees what it did.
    app, target = item.records.app, target_of(item.records.app.settings, batch)
    reason = "; ".join(f"{code} {text}" for code, text, _ in remote.errors[:3])
    if refusal is Refusal.QUOTA:
        refuse_for_quota(item.records, claim, target, reason)
        return True
    refuse_late(item.records, claim, target, str(fault_of(app, batch, target, refusal, reason)))
    return True


def mark_unreachable(item: OpenNow, batch: Batch, message: str) -> None:
    """Show that a batch could not be asked about, once; the next answer takes it back."""
    if batch.wait is not None:
        return
    app = item.records.app
    wait = next_backoff(None, message, app.now(), app.settings.backoff, batch.full_name)
    item.take_note(replace(batch, wait=wait))
