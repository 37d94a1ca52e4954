"""A batch's uploaded file at its target: whether it is ready, and its removal if it cannot be used."""

from datetime import timedelta
from typing import Any, Final

from shared.domain.errors import Refused, Unavailable
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App
from shared.pipeline.claims import Claim
from shared.pipeline.collect.downloads import delete_upload
from shared.pipeline.target_choice import is_by_storage, place_of
from shared.settings import Target

PROCESSING_CHECKS: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between checks of a file that was just uploaded; after that its batch waits for the poll."""

READY: Final = ("processed", "uploaded", "")
"""Statuses of a file for which creating its batch is tried; services that show no progress use only the last two."""

STUCK_FILE: Final = timedelta(minutes=30)
"""How long a file may be processed before another is uploaded."""

FILE_MARGIN: Final = timedelta(days=2)
"""A file that expires sooner is uploaded again, as the service may read it for a day."""

NO_FILE: Final[dict[str, Any]] = {"file_id": "", "file_expires_at": None, "uploaded_at": None}


def drop_unusable(app: App, claim: Claim[Batch], target: Target) -> None:
    """Delete and forget an uploaded file that expires soon, or that is at another target."""
    batch = claim.record
    expires = batch.file_expires_at
    is_stale = expires is not None and expires - app.now() < FILE_MARGIN
    # Rows of version 1.0.0, which had only the app's own resource, name none.
    at_own = place_of(app.settings, app.settings.own_target(batch.model))
    there = {"target": batch.target, "endpoint": batch.endpoint} if batch.target else at_own
    is_elsewhere = there != place_of(app.settings, target)
    if batch.state is BatchState.UPLOADED and (is_stale or is_elsewhere):
        _forget_file(app, claim)


def is_processed(app: App, claim: Claim[Batch], target: Target) -> bool:
    """Wait briefly for the service to process the file; return False if the poll must try again later."""
    if is_by_storage(app.settings, claim.record):
        return True
    for pause in (*PROCESSING_CHECKS, None):
        file = app.services.at(target).file(claim.record.file_id)
        if file is None or file.status in ("error", "deleted"):
            reason = file.message if file and file.message else "it gives no reason"
            _forget_file(app, claim)
            raise Unavailable(f"The service could not process an input file ({reason}); it is uploaded again")
        if file.status in READY:
            return True
        if pause is not None:
            app.sleep(pause)
    if claim.record.uploaded_at is not None and app.now() - claim.record.uploaded_at > STUCK_FILE:
        _forget_file(app, claim)
        raise Unavailable("The service did not process an input file for half an hour; it is uploaded again")
    pause_after = min(app.settings.backoff, timedelta(seconds=20))
    stuck = claim.record.uploaded_at is not None and app.now() - claim.record.uploaded_at > timedelta(minutes=2)
    if stuck:
        raise Unavailable(f"The service is still processing the input file {claim.record.file_id}")
    claim.release(queued_until=app.now() + pause_after)
    return False


def _forget_file(app: App, claim: Claim[Batch]) -> None:
    """Delete the uploaded file, then forget it: the other way round, a crash in between would leave the file behind."""
    delete_upload(app, claim.record)
    claim.change(state=BatchState.PREPARED, creating_since=None, **NO_FILE)


def check_file(app: App, claim: Claim[Batch], target: Target, error: Refused) -> None:
    """Raise Unavailable if the input file may be why a batch was refused: it is gone, or not yet processed."""
    file = app.services.at(target).file(claim.record.file_id)
    if file is None:
        _forget_file(app, claim)
        raise Unavailable("The input file was deleted before its batch was created; it is uploaded again") from error
    uploaded_at = claim.record.uploaded_at
    if file.status != "processed" and uploaded_at is not None and app.now() - uploaded_at < STUCK_FILE:
        raise Unavailable(f"{error}. It may be that the input file is not processed yet") from error
