"""What the service says of a batch, written down where it is news."""

from dataclasses import replace

from shared.domain.errors import Conflict
from shared.domain.lifecycle import Refusal, next_backoff, observed, put_back, refusal_of
from shared.domain.model import Batch, BatchState, RemoteBatch, RowCode
from shared.domain.ports import App
from shared.pipeline.claims import Claim, claim_batch
from shared.pipeline.poll.open_jobs import OpenNow
from shared.pipeline.submit.refusals import deployment_fault, refuse_for_quota


def see(app: App, item: OpenNow, number: int, remote: RemoteBatch) -> None:
    """Write down what the service says of one batch, where it is news."""
    batch = item.batches[number]
    seen = observed(batch, remote, app.now())
    if seen == batch:
        return
    try:
        if seen.failure is RowCode.BATCH_FAILED and _may_be_accepted_later(app, batch, remote):
            item.batches[number] = app.store.batch(batch.job_id, batch.index, batch.attempt) or batch
        else:
            item.batches[number] = app.store.save_batch(seen)
        item.changed = True
    except Conflict:
        pass  # Another poll, or a step, was quicker: the next tick sees what it did.


def _may_be_accepted_later(app: App, batch: Batch, remote: RemoteBatch) -> bool:
    """Put a batch that failed its validation back to wait, where waiting or mending can help."""
    refusal = refusal_of(remote.errors)
    if refusal is Refusal.FINAL:
        return False
    claim = claim_batch(app, batch.job_id, batch.index, batch.attempt, BatchState.SUBMITTED)
    if claim is None:
        raise Conflict("somebody else works on this batch")
    reason = "; ".join(f"{code} {text}" for code, text, _ in remote.errors[:3])
    if refusal is Refusal.QUOTA:
        refuse_for_quota(app, claim, reason)
        return True
    message = str(deployment_fault(batch, reason))
    if refusal is Refusal.PERMISSION:
        message = f"The batch service may not read the input blob: give its identity access to WORK_CONTAINER. {reason}"
    _wait_again(app, claim, message)
    return True


def _wait_again(app: App, claim: Claim[Batch], message: str) -> None:
    batch = claim.record
    wait = next_backoff(batch.wait, message[:900], app.now(), app.settings.backoff, f"{batch.job_id}/{batch.key}")
    claim.replace(put_back(batch, wait))


def note(app: App, item: OpenNow, number: int, message: str) -> None:
    """Show that a batch could not be asked about, once; the next answer takes it back."""
    batch = item.batches[number]
    if batch.wait is not None:
        return
    wait = next_backoff(None, message[:900], app.now(), app.settings.backoff, batch.key)
    try:
        item.batches[number] = app.store.save_batch(replace(batch, wait=wait))
        item.changed = True
    except Conflict:
        pass
