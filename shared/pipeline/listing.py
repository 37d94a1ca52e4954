"""All jobs, newest first, page by page: the open ones and the history as one list."""

import re
from collections.abc import Iterator
from typing import Any

from shared.model import Job, newest_first
from shared.ports import App
from shared.status_report import report


def list_jobs(app: App, *, state: str, prefix: str, limit: int, cursor: str) -> tuple[list[dict[str, Any]], str]:
    """One page of jobs as status reports without batches, and the cursor for the next page (empty at the end).

    `state` and the prompt file's `prefix` filter where they are not empty. A cursor is the place of the last job shown,
    so that jobs which arrive meanwhile move nothing. Raises ValueError for a foreign cursor.
    """
    if cursor and not re.fullmatch(r"\d{15}-[\w-]{1,100}", cursor, re.ASCII):
        raise ValueError("no cursor of this list")
    history = app.store.history(after=cursor, limit=limit + 1, state=state, prefix=prefix)
    opened = [
        job
        for job in _open_jobs(app)
        if newest_first(job) > cursor and (not state or job.state == state) and job.prompt_file.startswith(prefix)
    ]
    found = sorted({job.job_id: job for job in [*history, *opened]}.values(), key=newest_first)
    page = found[:limit]
    return [_shown(app, job) for job in page], newest_first(page[-1]) if len(found) > limit else ""


def _open_jobs(app: App) -> Iterator[Job]:
    for entry in app.store.open_jobs():
        job = app.store.job(entry.job_id)
        if job is not None:
            yield job


def _shown(app: App, job: Job) -> dict[str, Any]:
    batches = app.store.batches(job.job_id)
    shown = report(job, batches, app.now())
    del shown["batches"]
    return shown
