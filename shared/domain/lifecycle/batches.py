"""What the service's reports change in a batch, and how a batch is set back to be created again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.lifecycle.backoff import cut
from shared.domain.model import KNOWN_STATUSES, TERMINAL_STATUSES, Batch, BatchState, RemoteBatch, RowCode, Wait

WINDOW: Final = timedelta(hours=24)
"""The completion window: a target of the service, not a promise."""


def observed(batch: Batch, remote: RemoteBatch, now: datetime) -> Batch:
    """Return the batch updated with what the service reports; its state is ENDED if it has ended there."""
    changed = (remote.status, remote.counts) != (batch.status, batch.counts)
    seen = replace(
        batch,
        status=remote.status,
        counts=remote.counts,
        output_file_id=remote.output_file_id or remote.output_blob,
        error_file_id=remote.error_file_id or remote.error_blob,
        changed_at=now if changed else batch.changed_at,
    )
    if not batch.refusals or remote.status not in ("validating", "failed"):
        # A batch that failed validation before counts as accepted only once it has passed it.
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
        message=cut(f"The service refused the batch at its validation: {shown or 'it gives no reason'}"),
    )


def put_back(batch: Batch, wait: Wait) -> Batch:
    """Set the batch back to wait until it is created again; the failed creation no longer counts as progress."""
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
        turn="",
        wait=wait,
        refusals=batch.refusals + 1,
    )


def ends_before(page: Sequence[RemoteBatch], time: datetime) -> bool:
    """Return whether no later page of a list of batches can hold one created after `time`.

    That can be told only if the page is in the order newest first: some services list the oldest first.
    """
    first, last = (page[0].created_at, page[-1].created_at) if page else (None, None)
    return first is not None and last is not None and first > last and last < time


def age_warnings(batches: Iterable[Batch], now: datetime) -> list[str]:
    """Return warnings about batches that have run past their window, or have a status that is new to this app."""
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
