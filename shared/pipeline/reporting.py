"""Writing status.json and latest.json: at every change, and never backwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared import telemetry
from shared.domain import blob_names
from shared.domain.errors import Conflict, Transient
from shared.domain.lifecycle import state_of
from shared.domain.model import Job, JobState
from shared.domain.ports import App, Container, Listed, Message, Step
from shared.domain.status_report import digest_of, is_shortened, report, summary
from shared.pipeline.records import JobRecords
from shared.pipeline.spending import left_of_estimate, settle
from shared.pipeline.target_choice import open_batches

TRIES: Final = 5

PAUSES: Final = (JobState.HELD, JobState.WAITING)
"""States in which a job stands still; its row keeps them, and since when."""


def publish(records: JobRecords) -> bool:
    """Update the job's state, status.json and listed status to its records, if anything in them is new to readers.

    The published status was read before the records, and is replaced only if it is still that version: so it never
    goes back in time. If another worker publishes first, everything is read again. Return False if that kept happening;
    those workers then publish the newest state.
    """
    shown = _Shown.of(records.shown)
    for _ in range(TRIES):
        if shown is None:
            shown = _read_shown(records)
            records.reload()
        try:
            _publish(records, shown)
        except Conflict:
            shown = None
        else:
            return True
    return False


def publish_first(records: JobRecords) -> None:
    """Publish the status of a job that this worker has just created, unless one is published already."""
    after = report(records.job, records.batches, records.app.now())
    name = blob_names.status_file(records.job.prompt_file, records.job_id)
    try:
        etag = records.app.files.write(Container.RESULTS, name, to_bytes(after), create_only=True)
    except Conflict:
        return
    telemetry.job_changed(None, after)
    if records.shown is not None:
        # Nothing need be written into the open index yet: the list shows such a job as preparing without it.
        records.shown = replace(records.shown, status=summary(after), etag=etag, digest=digest_of(after))


def close(records: JobRecords) -> None:
    """Publish an ended job's status and remove it from the open index; repeating it changes nothing."""
    settle(records)  # First, so that every job shown as ended is charged to its month.
    if publish(records):
        status = report(records.job, records.batches, records.app.now())
        records.app.store.close(records.job, summary(status))


@dataclass(frozen=True, slots=True)
class _Shown:
    """The published status.json: its version, its digest, and its content, perhaps without batches."""

    etag: str
    digest: str
    status: Mapping[str, Any] | None

    @staticmethod
    def of(listed: Listed | None) -> "_Shown | None":
        """Return what the list knows of status.json; None if that is incomplete."""
        if listed is None or listed.status is None or not listed.etag or is_shortened(listed.status):
            return None
        return _Shown(listed.etag, listed.digest, listed.status)


def _read_shown(records: JobRecords) -> _Shown:
    etag, status = _read(records.app, blob_names.status_file(records.job.prompt_file, records.job_id))
    return _Shown(etag, "" if status is None else digest_of(status), status)


def _publish(records: JobRecords, shown: _Shown) -> None:
    _save_state(records)
    after = report(records.job, records.batches, records.app.now())
    told = shown.status if records.shown is None else records.shown.status
    if digest_of(after) != shown.digest:
        etag = _write(records, shown, after)
        telemetry.job_changed(shown.status, after)
        shown = _Shown(etag, digest_of(after), after)
    # The list is updated last: if a crash prevents that, the next worker finds it out of date and sends the notice.
    if records.app.settings.notify_url and _calls_for_notice(told, after):
        records.app.queues.send(Message(Step.NOTIFY, records.job_id))
    _list(records, shown, summary(after))


def _save_state(records: JobRecords) -> None:
    """Save in the job's row what it waits for or is held by; other states follow from the records."""
    job = records.job
    state, message = state_of(job, records.batches)
    # A faulty file's message stays in the job's row, whatever the job waits for meanwhile.
    message = message if job.code is None else job.message
    changed = (state, message) != (job.state, job.message)
    if changed and not job.state.ended and (state in PAUSES or job.state in PAUSES):
        records.save_job(replace(job, state=state, message=message, updated_at=records.app.now()))


def _write(records: JobRecords, shown: _Shown, after: dict[str, Any]) -> str:
    app, job = records.app, records.job
    if job.state.ended:  # status.json comes last: once it shows the end, all other files are in place
        _publish_latest(app, job, after)
    name = blob_names.status_file(job.prompt_file, job.job_id)
    return app.files.write(Container.RESULTS, name, to_bytes(after), create_only=not shown.etag, etag=shown.etag)


def _list(records: JobRecords, shown: _Shown, after: dict[str, Any]) -> None:
    listed = records.shown
    if listed is None or records.job.state.ended:
        return  # It is in the history, or is moved there next.
    if (listed.etag, listed.digest) != (shown.etag, shown.digest):
        at_targets = open_batches(records.app.settings, records.batches)
        left = left_of_estimate(records.job, records.batches)
        news = replace(listed, status=after, etag=shown.etag, digest=shown.digest)
        news = replace(news, open_batches=at_targets, left_usd=left)
        records.shown = records.app.store.list_as(news)


def _publish_latest(app: App, job: Job, status: dict[str, Any]) -> None:
    """Write the ended job's status to latest.json, unless that holds a newer job's."""
    name = blob_names.latest_file(job)
    etag = ""
    for _ in range(TRIES):
        try:
            # This is mostly the file's first job: then there is no latest.json to compare with.
            app.files.write(Container.RESULTS, name, to_bytes(status), create_only=not etag, etag=etag)
            return
        except Conflict:
            etag, there = _read(app, name)
            if there is not None and _age(there) > _age(status):
                return
    raise Transient(f"{name} is being written by other jobs")


def to_bytes(status: dict[str, Any]) -> bytes:
    """Return a status report as the bytes of status.json."""
    return json.dumps(status, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _calls_for_notice(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Return whether the job has just ended, been held, or begun to wait."""
    told = JobState(after["state"])
    return told.value != (before or {}).get("state") and (told.ended or told in (JobState.HELD, JobState.WAITING))


def _age(status: dict[str, Any]) -> tuple[str, str]:
    return str(status.get("created_at")), str(status.get("job_id"))


def _read(app: App, name: str) -> tuple[str, dict[str, Any] | None]:
    """Return the blob's version and content; None as content if it is no JSON object, and no version without a blob."""
    content, etag = app.files.load(Container.RESULTS, name) or (b"", "")
    try:
        found = json.loads(content)
    except ValueError:
        return etag, None
    return etag, found if isinstance(found, dict) else None
