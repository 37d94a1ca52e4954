"""Writing status.json and latest.json: at every change, and never backwards."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared import telemetry
from shared.domain import blob_names
from shared.domain.errors import Conflict, Transient
from shared.domain.lifecycle import state_of
from shared.domain.model import Job, JobState
from shared.domain.ports import App, Container, Message, Step
from shared.domain.status_report import is_news, report, summary

TRIES = 5


def publish(app: App, job_id: str) -> Job | None:
    """Bring the job's state and its status.json up to what its batches say; returns the job, None where unknown.

    The blob's version is read before the table, and the blob is written only if it is still that version: so what is
    written is never older than what was there.
    """
    for _ in range(TRIES):
        try:
            return _publish(app, job_id)
        except Conflict:
            continue
    return app.store.job(job_id)


def _publish(app: App, job_id: str) -> Job | None:
    listed = app.store.listed(job_id)
    known = app.store.job(job_id) if listed is None else listed.entry
    if known is None:
        return None
    name = blob_names.status_file(known.prompt_file, job_id)
    etag, before = _read(app, name)
    job, batches = app.store.job_with_batches(job_id)
    if job is None:
        return None
    state, message = state_of(job, batches)
    # What the file's fault is stays in the job's row, whatever the job waits for meanwhile.
    kept = message if job.code is None else job.message
    if (state, kept) != (job.state, job.message) and not job.state.ended:
        job = app.store.save_job(replace(job, state=state, message=kept, updated_at=app.now()))
    after = report(job, batches, app.now())
    if before is None or is_news(before, after):
        if job.state.ended:  # status.json comes last: whoever sees the end there finds all other files in their places
            _publish_latest(app, job, after)
        app.files.write(Container.RESULTS, name, to_bytes(after), create_only=not etag, etag=etag)
        telemetry.job_changed(before, after)
    # What is listed is written last: whoever finds it behind sends the notice that a crash kept back.
    told = before if listed is None else listed.status
    if app.settings.notify_url and _calls_for_notice(told, after):
        app.queues.send(Message(Step.NOTIFY, job_id))
    if listed is not None and (listed.status is None or is_news(listed.status, summary(after))):
        app.store.list_as(listed, summary(after))
    return job


def _publish_latest(app: App, job: Job, status: dict[str, Any]) -> None:
    """Write the ended job's status to latest.json, unless a newer job's is there."""
    for _ in range(TRIES):
        etag, there = _read(app, blob_names.latest_file(job))
        if there is not None and _age(there) > _age(status):
            return
        try:
            app.files.write(
                Container.RESULTS, blob_names.latest_file(job), to_bytes(status), create_only=not etag, etag=etag
            )
            return
        except Conflict:
            continue
    raise Transient(f"{blob_names.latest_file(job)} is being written by others")


def to_bytes(status: dict[str, Any]) -> bytes:
    """A status report as the file holds it."""
    return json.dumps(status, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _calls_for_notice(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether the job has just ended, been held, or begun to wait."""
    told = JobState(after["state"])
    return told.value != (before or {}).get("state") and (told.ended or told in (JobState.HELD, JobState.WAITING))


def _age(status: dict[str, Any]) -> tuple[str, str]:
    return str(status.get("created_at")), str(status.get("job_id"))


def _read(app: App, name: str) -> tuple[str, dict[str, Any] | None]:
    """The blob's version and content; empty and None where there is no blob, or none of ours."""
    content, etag = app.files.load(Container.RESULTS, name) or (b"", "")
    try:
        found = json.loads(content)
    except ValueError:
        return etag, None
    return etag, found if isinstance(found, dict) else None
