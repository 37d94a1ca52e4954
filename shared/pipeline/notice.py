"""Notices to the web hook at NOTIFY_URL: each is tried until it is accepted, or a day has passed."""

import hashlib
import hmac
import logging
from datetime import datetime, timedelta
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import NotFound, Transient, Unavailable
from shared.domain.lifecycle import next_backoff
from shared.domain.model import Job, Wait
from shared.domain.ports import App, Container, Message, Step

log = logging.getLogger("structuredbatch.notice")

LIFE: Final = timedelta(days=1)
BOOKMARK: Final = "notices"


def notify(app: App, job_id: str, tries: int) -> None:
    """Post the job's status.json to NOTIFY_URL; if it is not accepted, queue another try.

    A receiver that does not answer is left alone for BACKOFF_SECONDS: meanwhile the notices of all jobs wait without
    being tried, so that time-outs do not hold up the queue.
    """
    job = app.store.job(job_id)
    if job is None or not app.settings.notify_url:
        return
    until = _quiet_until(app)
    if until > app.now():
        app.queues.send(Message(Step.NOTIFY, job_id, attempt=tries), until - app.now() + _spread(app, job_id))
        return
    try:
        body = b"".join(app.files.read(Container.RESULTS, blob_names.status_file(job.prompt_file, job_id)))
    except NotFound:
        return  # Its results were deleted: there is nothing to send.
    try:
        app.hook.post(app.settings.notify_url, body, signature(body, app.settings.notify_secret))
    except Transient as error:
        if isinstance(error, Unavailable):
            # A second less than the wait before its own next try, as queues round down.
            app.store.save_bookmark(BOOKMARK, (app.now() + app.settings.backoff - timedelta(seconds=1)).isoformat())
        _try_again(app, job, tries, error)
        return
    log.info("notice accepted", extra={"job_id": job_id, "state": job.state.value, "tries": tries + 1})


def signature(body: bytes, secret: str) -> str:
    """Return the value of X-Signature-256: the HMAC-SHA256 of the raw body in hex digits; empty without a secret."""
    if not secret:
        return ""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _try_again(app: App, job: Job, tries: int, error: Transient) -> None:
    now = app.now()
    fields = {"job_id": job.job_id, "tries": tries + 1}
    if now - (job.completed_at or job.updated_at) > LIFE:
        log.error("notice given up: %s", error, extra=fields)
        return
    before = Wait(until=now, tries=tries, message="")
    pause = next_backoff(before, "", now, app.settings.backoff, job.job_id, error.retry_after).until - now
    log.warning("notice not accepted: %s", error, extra=fields)
    app.queues.send(Message(Step.NOTIFY, job.job_id, attempt=tries + 1), pause)


def _quiet_until(app: App) -> datetime:
    noted = app.store.bookmark(BOOKMARK)
    return datetime.fromisoformat(noted) if noted else app.now()


def _spread(app: App, job_id: str) -> timedelta:
    """Return an extra delay of up to BACKOFF_SECONDS, so that waiting notices are not all sent at once."""
    return app.settings.backoff * (hashlib.sha256(job_id.encode()).digest()[0] / 256)
