"""Batches at the service that no open row knows: one of ours is adopted, or cancelled if its rows have another."""

import logging
from collections.abc import Sequence

from shared.domain.model import TERMINAL_STATUSES, Batch, BatchState, RemoteBatch
from shared.domain.ports import App
from shared.pipeline.claims import claim_batch
from shared.pipeline.collect.downloads import delete_upload
from shared.pipeline.poll.open_jobs import OpenNow
from shared.pipeline.records import load
from shared.pipeline.submit.lost_creations import look_out, name_of
from shared.pipeline.target_choice import account_of, target_of
from shared.settings import Settings, Target

log = logging.getLogger("structuredbatch.polling")


class Known:
    """The open jobs, and an index of their batches in which each batch of the service's list is looked up."""

    def __init__(self, settings: Settings, jobs: Sequence[OpenNow]) -> None:
        self.jobs = jobs
        self._by_file: dict[tuple[str, str], Batch] = {}
        self._by_name: dict[tuple[str, str, str], Batch] = {}
        for item in jobs:
            for batch in item.records.batches:
                self._by_file[account_of(settings, batch), batch.file_id] = batch
                self._by_name[batch.job_id, str(batch.index), str(batch.attempt)] = batch

    def find(self, account: str, remote: RemoteBatch) -> Batch | None:
        """Return the batch with the same input file at this resource, or with the same name in its metadata."""
        for file in (remote.input_file_id, remote.input_blob):
            if file and (found := self._by_file.get((account, file))) is not None:
                return found
        name = remote.metadata
        return self._by_name.get((name.get("job", ""), name.get("index", ""), name.get("attempt", "")))


def adopt_or_cancel(app: App, resource: Target, remote: RemoteBatch, known: Known) -> None:
    """Adopt a listed batch that no open row knows if it is ours and its row has none, or cancel it as a twin.

    The row is read again first: it may have been written since this tick began.
    """
    row = _row_of(app, resource, remote, known)
    if row is None or _is_at(app, row, resource, remote) or remote.status == "failed":
        return  # Not ours, known, or refused while its rows wait to be sent again.
    if row.batch_id or row.state in (BatchState.ENDED, BatchState.COLLECTED):
        _cancel_twin(app, resource, remote, row.job_id)
    elif row.creating_since is not None or remote.status not in ("cancelling", "cancelled"):
        _adopt(app, row, resource, remote, known.jobs)


def _is_at(app: App, row: Batch, resource: Target, remote: RemoteBatch) -> bool:
    return row.batch_id == remote.batch_id and account_of(app.settings, row) == resource.account


def _row_of(app: App, resource: Target, remote: RemoteBatch, known: Known) -> Batch | None:
    """Return our row for a batch at the service: of an open job by input file or name, of an ended one by name."""
    batch = known.find(resource.account, remote)
    if batch is not None:
        return app.store.batch(batch.job_id, batch.index, batch.attempt)
    if remote.status in TERMINAL_STATUSES:
        return None
    name = name_of(app, remote)
    return None if name is None else app.store.batch(*name)


def _adopt(app: App, row: Batch, resource: Target, remote: RemoteBatch, jobs: Sequence[OpenNow]) -> None:
    items = [item for item in jobs if item.job.job_id == row.job_id]
    records = items[0].records if items else load(app, row.job_id)
    if records is None:
        return
    records.put(row)
    claim = claim_batch(records, row.index, row.attempt, BatchState.PREPARED, BatchState.UPLOADED)
    if claim is None:
        return
    target = _target_at(app, row, resource)
    if account_of(app.settings, row) != resource.account:
        _leave(app, row)
    from shared.pipeline.submit.submission import record  # It is seldom needed, and brings much with it.

    record(records, claim, target, remote)
    for item in items:
        item.changed = True
    log.warning("batch adopted", extra={"job_id": row.job_id, "batch_id": remote.batch_id})


def _leave(app: App, row: Batch) -> None:
    """Leave the resource where a batch was about to be created: look out for what may have been, or delete its file."""
    if row.creating_since is not None:
        look_out(app, target_of(app.settings, row), row.creating_since)
    else:
        delete_upload(app, row)


def _target_at(app: App, row: Batch, resource: Target) -> Target:
    """Return the row's target at a resource, even if the row has moved to another target since."""
    if account_of(app.settings, row) == resource.account:
        return target_of(app.settings, row)
    targets = app.settings.targets(row.model)
    return next((target for target in targets if target.account == resource.account), resource)


def _cancel_twin(app: App, resource: Target, remote: RemoteBatch, job_id: str) -> None:
    if remote.status in TERMINAL_STATUSES or remote.status == "cancelling":
        return
    log.error("a second batch for the same rows is cancelled", extra={"job_id": job_id, "batch_id": remote.batch_id})
    app.services.at(resource).cancel(remote.batch_id)
