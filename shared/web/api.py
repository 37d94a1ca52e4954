"""The HTTP API's answers: use cases called, their errors turned into statuses. Plain values in and out."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.domain import blob_names
from shared.domain.errors import AppError, Conflict, NotFound, Transient
from shared.domain.model import Job, JobState
from shared.domain.ports import App, Container
from shared.domain.status_report import report
from shared.pipeline import job_control, steps
from shared.pipeline.listing import list_jobs
from shared.settings import SettingsFault
from shared.web.openapi import DESCRIPTION, JOB_ID, LIMIT, LIMIT_MOST

log = logging.getLogger("structuredbatch.http_api")

HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status, its JSON body, and headers."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)

    def content(self) -> bytes:
        """The body as JSON text in UTF-8."""
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "replace")


def list_answer(app: Callable[[], App], query: Mapping[str, str]) -> Answer:
    """The jobs, newest first; `query` may hold state, prefix, limit and cursor."""

    def answer(app: App) -> Answer:
        limit = query.get("limit", str(LIMIT))
        if not re.fullmatch("[0-9]{1,9}", limit) or not 1 <= int(limit) <= LIMIT_MOST:
            return _error(400, "invalid_limit", f"limit must be a whole number from 1 to {LIMIT_MOST}.")
        state = query.get("state", "")
        if state and state not in set(JobState):
            return _error(400, "invalid_state", f"state must be one of {', '.join(JobState)}.")
        try:
            jobs, cursor = list_jobs(
                app, state=state, prefix=query.get("prefix", ""), limit=int(limit), cursor=query.get("cursor", "")
            )
        except ValueError:
            return _error(400, "invalid_cursor", "cursor must be one that this route has given.")
        return Answer(200, {"jobs": jobs, "cursor": cursor or None})

    return _guarded(app, answer)


def job_answer(app: Callable[[], App], job_id: str) -> Answer:
    """One job's status.json; the header Link names the address of its results' folder."""

    def answer(app: App) -> Answer:
        known = _checked(job_id)
        job = app.store.job(known)
        if job is None:
            raise NotFound("There is no such job.")
        folder = app.files.url(Container.RESULTS, blob_names.results_folder(job))
        link = f'<{folder}>; rel="related"; title="results"'
        return Answer(200, _status(app, job), {**HEADERS, "Link": link})

    return _guarded(app, answer)


def cancel_answer(app: Callable[[], App], job_id: str) -> Answer:
    """Cancel a job."""
    return _steered(app, job_id, job_control.cancel)


def release_answer(app: Callable[[], App], job_id: str) -> Answer:
    """Let a held job go on."""
    return _steered(app, job_id, job_control.release)


def retry_answer(app: Callable[[], App], job_id: str) -> Answer:
    """Try the failed rows of an ended job again."""
    return _steered(app, job_id, job_control.retry)


def openapi_answer() -> Answer:
    """The description of these routes; it needs no app."""
    return Answer(200, DESCRIPTION, {**HEADERS, "Cache-Control": "no-cache"})


def _steered(app: Callable[[], App], job_id: str, use_case: Callable[[App, str], Job]) -> Answer:
    def answer(app: App) -> Answer:
        job = use_case(app, _checked(job_id))
        try:
            steps.queue_due(app, job.job_id)
        except (AppError, SettingsFault) as error:
            # What was decided is written down: the timer does what follows from it.
            log.warning("steering left to the timer: %s", error, extra={"job_id": job.job_id})
        return Answer(202, _status(app, app.store.job(job.job_id) or job))

    return _guarded(app, answer)


def _checked(job_id: str) -> str:
    """The id, where it can be one at all: table storage refuses keys with some characters."""
    if not re.fullmatch(JOB_ID, job_id):
        raise NotFound("There is no such job.")
    return job_id


def _guarded(app: Callable[[], App], answer: Callable[[App], Answer]) -> Answer:
    try:
        return answer(app())
    except NotFound as error:
        return _error(404, "not_found", str(error))
    except job_control.NotNow as error:
        return _error(409, "not_now", str(error))
    except Conflict as error:
        return _error(409, "conflict", str(error))
    except Transient as error:
        return _error(503, "unavailable", str(error))
    except SettingsFault as error:
        return _error(500, "settings", str(error))
    except Exception:
        # Every error of the API has the same form; the log has the rest.
        log.exception("request failed")
        return _error(500, "internal", "The request failed for a reason that this app does not know; its log has more.")


def _status(app: App, job: Job) -> dict[str, Any]:
    """The job as its status.json shows it; the file itself where the job has ended, as it is what was promised."""
    if job.state.ended:
        try:
            name = blob_names.status_file(job.prompt_file, job.job_id)
            found: dict[str, Any] = json.loads(b"".join(app.files.read(Container.RESULTS, name)))
            return found
        except (NotFound, ValueError):
            pass  # It was deleted: the table still knows.
    return report(job, app.store.batches(job.job_id), app.now())


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})
