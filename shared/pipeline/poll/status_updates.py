"""What the service says about a batch, recorded if it is new."""

from dataclasses import replace

from shared.domain.lifecycle import Refusal, next_backoff, observed, refusal_of
from shared.domain.model import Batch, BatchState, RemoteBatch, RowCode
from shared.pipeline.claims import claim_batch
from shared.pipeline.poll.open_jobs import OpenNow
from shared.pipeline.submit.refusals import fault_of, refuse_for_quota, refuse_late
from shared.pipeline.target_choice import target_of


def apply(item: OpenNow, batch: Batch, remote: RemoteBatch) -> None:
    """Record what the service says about one batch, if it is new."""
    seen = observed(batch, remote, item.records.app.now())
    if seen == batch:
        return
    if seen.failure is RowCode.BATCH_FAILED and _may_be_accepted_later(item, batch, remote):
        item.changed = True
    else:
        item.note_change(seen)


def _may_be_accepted_later(item: OpenNow, batch: Batch, remote: RemoteBatch) -> bool:
    """Put a batch that failed its validation back to wait, where time or a corrected setting can help."""
    refusal = refusal_of(remote.errors)
    if refusal is Refusal.FINAL:
        return False
    claim = claim_batch(item.records, batch.index, batch.attempt, BatchState.SUBMITTED)
    if claim is None:
        return True  # Another worker was faster: the next tick sees what it did.
    app, target = item.records.app, target_of(item.records.app.settings, batch)
    reason = "; ".join(f"{code} {text}" for code, text, _ in remote.errors[:3])
    if refusal is Refusal.QUOTA:
        refuse_for_quota(item.records, claim, target, reason)
        return True
    refuse_late(item.records, claim, target, str(fault_of(app, batch, target, refusal, reason)))
    return True


def mark_unreachable(item: OpenNow, batch: Batch, message: str) -> None:
    """Show once, as a wait, that the service could not be asked about a batch; its next answer removes the wait."""
    if batch.wait is not None:
        return
    app = item.records.app
    wait = next_backoff(None, message, app.now(), app.settings.backoff, batch.full_name)
    item.note_change(replace(batch, wait=wait))
