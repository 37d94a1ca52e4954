"""All jobs, newest first, page by page: the open ones and the history as one list."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.domain.model import CURSOR, Job, JobState, newest_first
from shared.domain.ports import App, Listed
from shared.domain.status_report import report, summary
from shared.pipeline.receiving import new_job

LONGEST_NAME: Final = 1024
"""Characters of a blob's name, https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata."""

type Status = Mapping[str, Any]


def list_jobs(
    app: App, *, state: str, prefix: str, limit: int, cursor: str, opened: Iterable[Listed] | None = None
) -> tuple[list[Status], str]:
    """Return one page of jobs as status reports without batches, and the cursor for the next page (empty at the end).

    `state` and the prompt file's `prefix` filter unless they are empty. A cursor is the position of the last job shown,
    so that jobs which arrive meanwhile shift nothing. `opened` are the open jobs as they are listed, if the caller has
    read them already. This takes two calls to storage, and one more for each thousand open jobs. Raises ValueError for
    a cursor that this function has not returned.
    """
    if cursor and not re.fullmatch(CURSOR, cursor):
        raise ValueError("not a cursor of this list")
    if not _may_be_a_name(prefix):
        return [], ""
    # The open ones first: a job that ends in between is then found twice instead of being missed.
    found = _open(app, app.store.all_listed() if opened is None else opened, state, prefix, cursor)
    if not state or JobState(state).ended:
        history = app.store.history(after=cursor, limit=limit + 1, state=state, prefix=prefix)
        found |= {newest_first(job): _ended(app, job, status) for job, status in history}
    places = sorted(found)
    page = places[:limit]
    return [found[place] for place in page], page[-1] if len(places) > limit else ""


def _open(app: App, opened: Iterable[Listed], state: str, prefix: str, cursor: str) -> dict[str, Status]:
    """Return the matching open jobs by position."""
    found = {}
    for listed in opened:
        place = newest_first(listed.entry)
        if place > cursor and listed.entry.prompt_file.startswith(prefix):
            status = _begun(app, listed) if listed.status is None else listed.status
            if not state or status["state"] == state:
                found[place] = status
    return found


def _begun(app: App, listed: Listed) -> Status:
    """Return the status of a job whose status was never published."""
    return summary(report(new_job(listed.entry), (), app.now()))


def _ended(app: App, job: Job, status: Status | None) -> Status:
    """Return the status listed when the job ended; if a crash kept it from being listed, the one of the job's row."""
    if status is None or status["state"] != job.state:
        return summary(report(job, (), app.now()))
    return status


def _may_be_a_name(prefix: str) -> bool:
    """Return whether a blob's name can begin like this: storage rejects queries with anything else."""
    return len(prefix) <= LONGEST_NAME and not any(char < " " or "\ud800" <= char <= "\udfff" for char in prefix)
