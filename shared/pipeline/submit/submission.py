"""A prepared batch → a batch at the service, created once.

Before a batch is created, its row records the id of the input file, and then that a creating call begins. If the answer
to that call is lost, the batch is searched for by its input file until it has had time to show up; only then is it
created again. A batch that shows up even later is found by polling, and cancelled if it has a twin.
"""

import io
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import AnswerLost, Conflict, InputUnreadable, Refused, Transient, Unavailable
from shared.domain.lifecycle import (
    Refusal,
    cut,
    is_held,
    is_out_of_patience,
    is_stopping,
    refusal_of,
    waits_for_pilot,
)
from shared.domain.model import Batch, BatchState, Job, RemoteBatch, RowCode, Wait
from shared.domain.ports import App, Container
from shared.pipeline.claims import Claim, claim_batch
from shared.pipeline.records import JobRecords
from shared.pipeline.submit.input_file import InputFile, own_copy
from shared.pipeline.submit.lost_creations import find_created, look_out
from shared.pipeline.submit.refusals import fault_of, refused_at, wait_for
from shared.pipeline.submit.uploaded_file import check_file, drop_unusable, is_processed
from shared.pipeline.target_choice import choose, is_by_storage, place_of, target_of
from shared.settings import Target

log = logging.getLogger("structuredbatch.submission")

SEND_SIZE: Final = 256 * 1024
"""Bytes of an input file handed to the client at a time."""


def submit(records: JobRecords, index: int, attempt: int) -> None:
    """Send a batch to the service, or record why it has to wait; a stopping job's batch is closed instead."""
    app = records.app
    claim = claim_batch(records, index, attempt, BatchState.PREPARED, BatchState.UPLOADED)
    if claim is None:
        return
    with claim:
        try:
            _submit(records, claim)
        except AnswerLost as error:
            pause = max(min(app.settings.settle / 10, timedelta(seconds=30)), timedelta(seconds=1))
            message = f"{error}: looking for the batch before creating it again."
            # Looking for the batch is no refusal, and must not make later waits longer.
            tries = claim.record.wait.tries if claim.record.wait else 0
            claim.release(wait=Wait(until=app.now() + pause, tries=tries, message=message))
        except Transient as error:
            wait_for(claim, app, error)


def _submit(records: JobRecords, claim: Claim[Batch]) -> None:
    app, job = records.app, records.job
    # A job that is out of patience no longer waits for a batch to show up; the poll still looks for it.
    if claim.record.creating_since is not None and not is_out_of_patience(job, app.now()) and _settle(records, claim):
        return
    if is_stopping(job):
        _close_unsent(job, claim)
        return
    may_go = not is_held(job) and not waits_for_pilot(job, claim.record)
    target = _choose(records, claim.record) if may_go else None
    if target is None:
        claim.release()
        return
    try:
        _send(records, claim, target)
    except (AnswerLost, InputUnreadable):
        raise
    except Transient as error:
        refused_at(records, claim, target, error)


def _choose(records: JobRecords, batch: Batch) -> Target | None:
    """Return the target that the batch is sent to now, None if it has to wait."""
    settings = records.app.settings
    backoffs = records.backoffs(target.name for target in settings.targets(batch.model))
    return choose(settings, batch, backoffs, records.app.now())


def _send(records: JobRecords, claim: Claim[Batch], target: Target) -> None:
    """Upload the batch's input file to its target and create the batch there, skipping what was done before."""
    app = records.app
    drop_unusable(app, claim, target)
    if claim.record.state is BatchState.PREPARED:
        _upload(app, claim, target)
    if claim.record.creating_since is not None or is_processed(app, claim, target):
        _create(records, claim, target)


def _settle(records: JobRecords, claim: Claim[Batch]) -> bool:
    """Look for the batch of a creating call whose answer was lost; return whether it was found and recorded."""
    app = records.app
    since = claim.record.creating_since
    assert since is not None
    target = target_of(app.settings, claim.record)
    found = find_created(app.services.at(target), claim.record)
    if found is not None:
        record(records, claim, target, found)
        return True
    if app.now() < since + app.settings.settle:
        raise AnswerLost("The answer to the creation of a batch was lost")
    look_out(app, target, since)
    claim.change(creating_since=None)
    return False


def _close_unsent(job: Job, claim: Claim[Batch]) -> None:
    gave_up = job.gave_up_at is not None
    claim.release(
        state=BatchState.ENDED,
        failure=RowCode.GAVE_UP if gave_up else RowCode.NOT_SENT,
        message="The job gave up before this batch could be sent." if gave_up else "The job was cancelled first.",
        wait=None,
    )


def _upload(app: App, claim: Claim[Batch], target: Target) -> None:
    batch = claim.record
    name = blob_names.batch_input(batch)
    place = {**place_of(app.settings, target), "turn": ""}
    if app.settings.transfer == "storage" and not place["endpoint"]:
        url = app.files.url(Container.WORK, own_copy(app, claim, target))
        claim.change(state=BatchState.UPLOADED, file_id=url, uploaded_at=app.now(), **place)
        return
    content = io.BufferedReader(InputFile(app, claim, name, target), buffer_size=SEND_SIZE)
    try:
        file = app.services.at(target).upload(f"{batch.job_id}-{batch.key}.jsonl", content)
    except Refused as error:
        raise Unavailable(f"{error}: the file is uploaded again later") from error
    if file.expires_at is None:
        log.warning("the service set no expiry on an uploaded file", extra={"file_id": file.file_id})
    claim.change(
        state=BatchState.UPLOADED,
        file_id=file.file_id,
        file_expires_at=file.expires_at,
        uploaded_at=app.now(),
        **place,
        # If the file is ready at once, its batch is created next: recording both together saves a call.
        creating_since=app.now() if file.status == "processed" else None,
    )


def _create(records: JobRecords, claim: Claim[Batch], target: Target) -> None:
    app = records.app
    batch = claim.record if claim.record.creating_since else claim.change(creating_since=app.now())
    metadata = {"job": batch.job_id, "index": str(batch.index), "attempt": str(batch.attempt)}
    folder = ""
    if is_by_storage(app.settings, batch):
        folder = app.files.url(Container.WORK, blob_names.batch_output_folder(batch))
    try:
        remote = app.services.at(target).create(batch, metadata=metadata, output_folder=folder)
    except AnswerLost:
        raise
    except Refused as error:
        _refused_at_creation(app, claim, target, error)
        return
    except Transient:
        claim.change(creating_since=None)
        raise
    try:
        record(records, claim, target, remote)
    except Conflict:
        _cancel_own_twin(app, batch, target, remote)
        raise


def _cancel_own_twin(app: App, batch: Batch, target: Target, remote: RemoteBatch) -> None:
    """Cancel the batch just created if another worker has taken over and recorded one of its own."""
    stored = app.store.batch(batch.job_id, batch.index, batch.attempt)
    place = place_of(app.settings, target)
    ours = (remote.batch_id, place["target"], place["endpoint"])
    if stored is not None and stored.batch_id and (stored.batch_id, stored.target, stored.endpoint) != ours:
        log.error("a second batch for the same rows is cancelled", extra={"job_id": batch.job_id})
        app.services.at(target).cancel(remote.batch_id)


def record(records: JobRecords, claim: Claim[Batch], target: Target, remote: RemoteBatch) -> None:
    """Record the batch that was created at a target, and that the target has room again."""
    app = records.app
    batch = claim.release(
        state=BatchState.SUBMITTED,
        **place_of(app.settings, target),
        turn="",
        batch_id=remote.batch_id,
        status=remote.status,
        counts=remote.counts,
        created_at=remote.created_at or app.now(),
        changed_at=app.now(),
        creating_since=None,
        wait=claim.record.wait if claim.record.refusals else None,
        message="",
    )
    backoff = records.backoff(target.name)
    if backoff is not None and backoff.tries:
        records.save_backoff(replace(backoff, until=app.now(), tries=0, version=""))
    log.info("batch submitted", extra={"job_id": batch.job_id, "batch_id": batch.batch_id, "requests": batch.requests})


def _refused_at_creation(app: App, claim: Claim[Batch], target: Target, error: Refused) -> None:
    """End a batch that was refused, unless its file was the reason, or something that can be corrected."""
    claim.change(creating_since=None)
    if not is_by_storage(app.settings, claim.record):
        check_file(app, claim, target, error)
    refusal = refusal_of([(error.code, str(error), "")])
    if refusal is not Refusal.FINAL:
        raise fault_of(app, claim.record, target, refusal, str(error)) from error
    claim.release(state=BatchState.ENDED, failure=RowCode.BATCH_FAILED, message=cut(str(error)), wait=None)
