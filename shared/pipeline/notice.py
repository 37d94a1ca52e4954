"""Telling somebody's web hook how a job stands, until it has heard or a day has passed."""

import hashlib
import hmac
import logging
from datetime import timedelta
from typing import Final

from shared import names
from shared.errors import NotFound, Transient
from shared.lifecycle import next_wait
from shared.model import Wait
from shared.ports import App, Container, Message, Step

log = logging.getLogger("structuredbatch.notice")

LIFE: Final = timedelta(days=1)


def notify(app: App, job_id: str, tries: int) -> None:
    """Post the job's status.json to NOTIFY_URL; where it is not accepted, queue another try."""
    job = app.store.job(job_id)
    if job is None or not app.settings.notify_url:
        return
    try:
        body = b"".join(app.files.read(Container.RESULTS, names.status_file(job.prompt_file, job_id)))
    except NotFound:
        return
    try:
        app.hook.post(app.settings.notify_url, body, signature(body, app.settings.notify_secret))
    except Transient as error:
        now = app.now()
        if now - (job.completed_at or job.updated_at) > LIFE:
            log.exception("notice given up", extra={"job_id": job_id})
            return
        before = Wait(until=now, tries=tries, message="")
        pause = next_wait(before, "", now, app.settings.backoff, job_id, error.retry_after).until - now
        log.warning("notice not accepted: %s", error, extra={"job_id": job_id})
        app.queues.send(Message(Step.NOTIFY, job_id, attempt=tries + 1), pause)


def signature(body: bytes, secret: str) -> str:
    """The value of X-Signature-256: the HMAC-SHA256 of the raw body in hex digits; empty without a secret."""
    if not secret:
        return ""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
