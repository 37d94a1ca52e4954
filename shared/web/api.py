"""The HTTP API's responses about jobs: use cases called, plain values in and out."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import tee
from typing import Any

from shared.domain import blob_names
from shared.domain.errors import AppError, NotFound
from shared.domain.model import Job, JobState
from shared.domain.ports import App, Container, Listed
from shared.domain.status_report import report
from shared.pipeline import job_control, steps
from shared.pipeline.listing import list_jobs
from shared.pipeline.month_total import this_month
from shared.pipeline.target_table import target_table
from shared.settings import SettingsFault
from shared.web.openapi import DESCRIPTION, LIMIT
from shared.web.openapi_schemas import LIMIT_MOST
from shared.web.response import HEADERS, BadParameter, Response, checked, guarded, job_of, limit_of

log = logging.getLogger("structuredbatch.http_api")


def list_response(app: Callable[[], App], query: Mapping[str, str]) -> Response:
    """List jobs, newest first, with the month's spending and the targets.

    `query` may hold state, prefix, limit and cursor.
    """

    def response(app: App) -> Response:
        limit, state = limit_of(query, LIMIT, LIMIT_MOST), query.get("state", "")
        if state and state not in set(JobState):
            raise BadParameter("state", f"state must be one of {', '.join(JobState)}.")
        # Read once, when it is first asked for.
        for_month, for_list, for_targets = tee(app.store.all_listed(), 3)
        month = _month(app, for_month)
        prefix, cursor = query.get("prefix", ""), query.get("cursor", "")
        try:
            jobs, cursor = list_jobs(app, state=state, prefix=prefix, limit=limit, cursor=cursor, opened=for_list)
        except ValueError as error:
            raise BadParameter("cursor", "cursor must be one that this route has returned.") from error
        targets = target_table(app, for_targets)
        return Response(200, {"jobs": jobs, "cursor": cursor or None, "month": month, "targets": targets})

    return guarded(app, response)


def job_response(app: Callable[[], App], job_id: str) -> Response:
    """Return one job's status.json; the header Link names the address of its results' folder."""

    def response(app: App) -> Response:
        job = job_of(app, job_id)
        folder = app.files.url(Container.RESULTS, blob_names.results_folder(job))
        link = f'<{folder}>; rel="related"; title="results"'
        return Response(200, _status(app, job), {**HEADERS, "Link": link})

    return guarded(app, response)


def cancel_response(app: Callable[[], App], job_id: str) -> Response:
    """Cancel a job."""
    return _steered(app, job_id, job_control.cancel)


def release_response(app: Callable[[], App], job_id: str) -> Response:
    """Let a held job go on."""
    return _steered(app, job_id, job_control.release)


def retry_response(app: Callable[[], App], job_id: str) -> Response:
    """Try the failed rows of an ended job again."""
    return _steered(app, job_id, job_control.retry)


def openapi_response() -> Response:
    """Return the description of these routes; it needs no app."""
    return Response(200, DESCRIPTION, {**HEADERS, "Cache-Control": "no-cache"})


def _month(app: App, opened: Iterable[Listed]) -> dict[str, float | None]:
    """Return what the app has spent and reserved in this calendar month, and may spend; None where it is not known."""
    month = this_month(app, opened)
    return {
        "spent_usd": round(month.spent, 9),
        "reserved_usd": round(month.reserved, 9),
        "budget_usd": app.settings.monthly_budget_usd,
    }


def _steered(app: Callable[[], App], job_id: str, use_case: Callable[[App, str], Job]) -> Response:
    def response(app: App) -> Response:
        job = use_case(app, checked(job_id))
        try:
            steps.queue_due(app, job.job_id)
        except (AppError, SettingsFault) as error:
            # The decision is saved: the timer does what follows from it.
            log.warning("steering left to the timer: %s", error, extra={"job_id": job.job_id})
        return Response(202, _status(app, app.store.job(job.job_id) or job))

    return guarded(app, response)


def _status(app: App, job: Job) -> dict[str, Any]:
    """Return the job as its status.json shows it; once it has ended, the file itself, which is the promise."""
    if job.state.ended:
        try:
            name = blob_names.status_file(job.prompt_file, job.job_id)
            found: dict[str, Any] = json.loads(b"".join(app.files.read(Container.RESULTS, name)))
            return found
        except (NotFound, ValueError):
            pass  # It was deleted: the table still knows.
    return report(job, app.store.batches(job.job_id), app.now())
