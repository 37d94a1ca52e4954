"""A worker's claim to a step: a lease in the record itself, renewed while the step runs; losing it does no harm."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Self

from shared.domain.errors import AppError, Conflict
from shared.domain.model import Batch, BatchState, Job, Lease
from shared.domain.ports import App
from shared.pipeline.records import JobRecords

log = logging.getLogger("structuredbatch.claims")

FINISH_TRIES: Final = 10
CLAIM_TRIES: Final = 3
"""How often to try again when other workers change the records meanwhile."""


class Claim[R: (Job, Batch)]:
    """A claimed record. Every change goes through the claim, and raises Conflict once another worker has taken over."""

    def __init__(self, app: App, record: R, save: Callable[[R], R]) -> None:
        self.record: R = record
        self._app = app
        self._save: Callable[[R], R] = save

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Release the claim if the step failed unexpectedly, so that the next delivery of its message can do it."""
        if isinstance(error, Exception) and not isinstance(error, Conflict) and self.record.lease is not None:
            try:
                self.release()
            except AppError as lost:
                log.info("claim not released: %s", lost)

    def change(self, **changes: Any) -> R:
        """Write changes and renew the lease."""
        self.record = self._save(replace(self.record, lease=self._lease(), **changes))
        return self.record

    def release(self, **changes: Any) -> R:
        """Write changes and release the claim."""
        self.record = self._save(replace(self.record, lease=None, **changes))
        return self.record

    def replace(self, record: R) -> R:
        """Replace the whole record and release the claim."""
        self.record = self._save(replace(record, lease=None))
        return self.record

    def keep(self) -> None:
        """Renew the lease if a third of it has passed."""
        lease = self.record.lease
        left = None if lease is None else lease.until - self._app.now()
        if left is None or left < self._app.settings.lease * 2 / 3:
            self.change()

    def refresh(self, stored: R | None) -> None:
        """Continue with the record as it is stored now. Raises Conflict if the lease is no longer ours."""
        mine = self.record.lease
        if stored is None or mine is None or stored.lease is None or stored.lease.owner != mine.owner:
            raise Conflict("another worker took over this step")
        self.record = stored

    def keeping[T](self, items: Iterable[T], every: int = 1) -> Iterator[T]:
        """Yield the items and keep the claim meanwhile, checking the clock once for `every` of them."""
        for number, item in enumerate(items):
            if number % every == 0:
                self.keep()
            yield item

    def _lease(self) -> Lease:
        owner = self.record.lease.owner if self.record.lease else self._app.new_id()
        return Lease(owner=owner, until=self._app.now() + self._app.settings.lease)


def claim_job(records: JobRecords) -> Claim[Job] | None:
    """Claim a job; None if it has ended, or another worker has claimed it."""
    for _ in range(CLAIM_TRIES):
        job = records.job
        if job.state.ended or _is_taken(job, records.app.now()):
            return None
        if (claim := _claimed(records, Claim(records.app, replace(job, lease=None), records.save_job))) is not None:
            return claim
    return None


def claim_batch(records: JobRecords, index: int, attempt: int, *states: BatchState) -> Claim[Batch] | None:
    """Claim a batch that is in one of these states; None if it is in another, or another worker has claimed it."""
    for _ in range(CLAIM_TRIES):
        batch = records.batch(index, attempt)
        if batch is None or batch.state not in states or _is_taken(batch, records.app.now()):
            return None
        claim = _claimed(records, Claim(records.app, replace(batch, lease=None), records.save_batch))
        if claim is not None:
            return claim
    return None


def finish(
    records: JobRecords, claim: Claim[Batch], change: Callable[[Job, Batch], tuple[Job, Batch, list[Batch]] | None]
) -> bool:
    """Write what `change` makes of the job, the claimed batch and its follow-ups in one transaction; end the claim.

    If another worker changes the job or the batch meanwhile, `change` is called again with the new records; it may
    return None to write nothing. Return False if others kept changing them. Raises Conflict if the claim is lost.
    """
    for _ in range(FINISH_TRIES):
        changed = change(records.job, claim.record)
        if changed is None:
            return True
        try:
            claim.record = records.finish_batch(*changed)
        except Conflict:
            records.reload()
            claim.refresh(records.batch(claim.record.index, claim.record.attempt))
        else:
            return True
    return False


def _claimed[R: (Job, Batch)](records: JobRecords, claim: Claim[R]) -> Claim[R] | None:
    """Write the lease; if the record changed since it was read, read everything again and return None."""
    try:
        claim.change(queued_until=None)
    except Conflict:
        records.reload()
        return None
    return claim


def _is_taken(record: Job | Batch, now: datetime) -> bool:
    return record.lease is not None and record.lease.until > now
