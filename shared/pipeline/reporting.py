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
from shared.pipeline.spending import settle
from shared.pipeline.targets import open_batches

TRIES: Final = 5

PAUSES: Final = (JobState.HELD, JobState.WAITING)
"""States in which a job stands still, and since when is of interest."""


def publish(records: JobRecords) -> bool:
    """Bring the job's state and its status.json up to what its records say, where that is news for the reader.

    What is shown of a job was read before its records, and is replaced only if it is still that version: so what is
    written is never older than what was there. Where another worker was quicker, all is read again; return False where
    others always were, who then show the rest.
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
    """Show a job that this worker has just made; where it is shown already, that is left alone."""
    after = report(records.job, records.batches, records.app.now())
    name = blob_names.status_file(records.job.prompt_file, records.job_id)
    try:
        etag = records.app.files.write(Container.RESULTS, name, to_bytes(after), create_only=True)
    except Conflict:
        return
    telemetry.job_changed(None, after)
    if records.shown is not None:
        # It is listed as it begins without this, so that nothing has to be written into the open index yet.
        records.shown = replace(records.shown, status=summary(after), etag=etag, digest=digest_of(after))


def close(records: JobRecords) -> None:
    """Show the ended job's state, and take it out of the open index; repeating it changes nothing."""
    settle(records)  # First, so that a job that is seen to have ended has its cost in its month.
    if publish(records):
        status = report(records.job, records.batches, records.app.now())
        records.app.store.close(records.job, summary(status))


@dataclass(frozen=True, slots=True)
class _Shown:
    """The status.json that is there: its version, a digest of it, and what it says, batches perhaps left out."""

    etag: str
    digest: str
    status: Mapping[str, Any] | None

    @staticmethod
    def of(listed: Listed | None) -> "_Shown | None":
        """Return what was listed with it; None where that does not say enough."""
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
    # What is listed is written last: a worker that finds it out of date sends the notice that a crash kept back.
    if records.app.settings.notify_url and _calls_for_notice(told, after):
        records.app.queues.send(Message(Step.NOTIFY, records.job_id))
    _list(records, shown, summary(after))


def _save_state(records: JobRecords) -> None:
    """Keep in the job's row what it waits for, or is held by: other states follow from the records."""
    job = records.job
    state, message = state_of(job, records.batches)
    # What the file's fault is stays in the job's row, whatever the job waits for meanwhile.
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
        return  # It is in the history, or goes there next.
    if (listed.etag, listed.digest) != (shown.etag, shown.digest):
        at_targets = open_batches(records.app.settings, records.batches)
        news = replace(listed, status=after, etag=shown.etag, digest=shown.digest, open_batches=at_targets)
        records.shown = records.app.store.list_as(news)


def _publish_latest(app: App, job: Job, status: dict[str, Any]) -> None:
    """Write the ended job's status to latest.json, unless a newer job's is there."""
    name = blob_names.latest_file(job)
    etag = ""
    for _ in range(TRIES):
        try:
            # Most often it is the file's first job: then there is nothing to look at.
            app.files.write(Container.RESULTS, name, to_bytes(status), create_only=not etag, etag=etag)
            return
        except Conflict:
            etag, there = _read(app, name)
            if there is not None and _age(there) > _age(status):
                return
    raise Transient(f"{name} is being written by others")


def to_bytes(status: dict[str, Any]) -> bytes:
    """Return a status report as the file holds it."""
    return json.dumps(status, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _calls_for_notice(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Return whether the job has just ended, been held, or begun to wait."""
    told = JobState(after["state"])
    return told.value != (before or {}).get("state") and (told.ended or told in (JobState.HELD, JobState.WAITING))


def _age(status: dict[str, Any]) -> tuple[str, str]:
    return str(status.get("created_at")), str(status.get("job_id"))


def _read(app: App, name: str) -> tuple[str, dict[str, Any] | None]:
    """Return the blob's version and content; empty and None where there is no blob, or none of ours."""
    content, etag = app.files.load(Container.RESULTS, name) or (b"", "")
    try:
        found = json.loads(content)
    except ValueError:
        return etag, None
    return etag, found if isinstance(found, dict) else None
