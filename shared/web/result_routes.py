"""The HTTP API's responses about a job's results: its files, links to them, and its rows."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import NotFound
from shared.domain.model import Job
from shared.domain.ports import App, Container
from shared.pipeline.job_control import NotNow
from shared.results.files import ERRORS_JSONL, RESULTS_JSONL
from shared.web.response import HEADERS, BadParameter, Forbidden, Response, guarded, job_of, limit_of
from shared.web.row_pages import STATUSES, InvalidCursor, Source, read_page

FILE_NAMES: Final = (
    "results.csv",
    "results.xlsx",
    "results.parquet",
    "results.jsonl",
    "errors.jsonl",
    "pilot.csv",
    "status.json",
)
"""The files that a job's results may have, the most useful first."""

LINK_LIFE: Final = timedelta(minutes=5)

ROWS: Final = 20
"""Rows on a page, where nothing else is asked for."""

ROWS_MOST: Final = 200


def files_response(app: Callable[[], App], job_id: str) -> Response:
    """List the result files that there are, with their sizes in bytes."""

    def response(app: App) -> Response:
        folder = blob_names.results_folder(_job(app, job_id))
        there = {blob.name.removeprefix(folder): blob for blob in app.files.blobs(Container.RESULTS, prefix=folder)}
        found = [{"name": name, "bytes": there[name].size} for name in FILE_NAMES if name in there]
        return Response(200, {"files": found})

    return guarded(app, response)


def file_response(app: Callable[[], App], job_id: str, name: str, query: Mapping[str, str]) -> Response:
    """Redirect to one result file by a link that is valid for five minutes; with `redirect=false`, return the link."""

    def response(app: App) -> Response:
        redirect = query.get("redirect") or "true"
        if redirect not in ("true", "false"):
            raise BadParameter("redirect", "redirect must be true or false.")
        job = _job(app, job_id)
        blob = blob_names.results_folder(job) + name
        if name not in FILE_NAMES or app.files.info(Container.RESULTS, blob) is None:
            raise NotFound("The job has no such file.")
        download_as = f"{PurePosixPath(job.prompt_file).stem}-{name}"
        url = app.files.link(Container.RESULTS, blob, until=app.now() + LINK_LIFE, download_as=download_as)
        if redirect == "false":
            return Response(200, {"url": url})
        return Response(302, {"url": url}, {**HEADERS, "Location": url})

    return guarded(app, response)


def rows_response(app: Callable[[], App], job_id: str, query: Mapping[str, str]) -> Response:
    """Return a page of the rows of an ended job, or of a job's pilot, in input order.

    `query` may hold status, limit and cursor.
    """

    def response(app: App) -> Response:
        limit, status = limit_of(query, ROWS, ROWS_MOST), query.get("status", "")
        if status and status not in STATUSES:
            raise BadParameter("status", f"status must be one of {', '.join(STATUSES)}.")
        sources = _rows_of(app, _job(app, job_id))
        try:
            rows, cursor = read_page(app.files, sources, status=status, limit=limit, cursor=query.get("cursor", ""))
        except InvalidCursor as error:
            raise BadParameter("cursor", "cursor must be one that this route has returned for this job.") from error
        return Response(200, {"rows": rows, "cursor": cursor or None})

    return guarded(app, response)


def _rows_of(app: App, job: Job) -> Mapping[str, Source]:
    """Return the files of an ended job's rows, or of its collected pilot's; raises NotNow where there are none yet."""
    names = dict(zip(STATUSES, (RESULTS_JSONL, ERRORS_JSONL), strict=True))
    if job.state.ended:
        folder = blob_names.results_folder(job)
        return {status: (Container.RESULTS, folder + name) for status, name in names.items()}
    pilot = {status: (Container.WORK, blob_names.pilot_rows(job, name)) for status, name in names.items()}
    if any(app.files.info(*source) for source in pilot.values()):
        return pilot
    raise NotNow(f"The job has no rows to show yet ({job.state.value}).")


def _job(app: App, job_id: str) -> Job:
    """Return the job. Raises Forbidden where the settings keep files from the API, and NotFound."""
    if not app.settings.api_files:
        raise Forbidden("Files and rows are switched off for this API (API_FILES): read them in the storage account.")
    return job_of(app, job_id)
