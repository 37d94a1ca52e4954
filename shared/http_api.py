"""The HTTP API's answers: use cases called, their errors turned into statuses. Plain values in and out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared import names
from shared.errors import AppError, Conflict, NotFound, Transient
from shared.model import Job, JobState
from shared.pipeline import steering, steps
from shared.pipeline.listing import list_jobs
from shared.ports import App, Container
from shared.settings import SettingsFault
from shared.status_report import report

LIMIT: Final = 50
LIMIT_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status and its JSON body."""

    status: int
    body: Mapping[str, Any]

    def text(self) -> str:
        """The body as JSON text."""
        return json.dumps(self.body, ensure_ascii=False)


def list_answer(app: Callable[[], App], query: Mapping[str, str]) -> Answer:
    """The jobs, newest first; `query` may hold state, prefix, limit and cursor."""

    def answer(app: App) -> Answer:
        limit = query.get("limit", str(LIMIT))
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= LIMIT_MOST:
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
    """One job's status.json."""

    def answer(app: App) -> Answer:
        job = app.store.job(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return Answer(200, _status(app, job))

    return _guarded(app, answer)


def cancel_answer(app: Callable[[], App], job_id: str) -> Answer:
    """Cancel a job."""
    return _steered(app, job_id, steering.cancel)


def release_answer(app: Callable[[], App], job_id: str) -> Answer:
    """Let a held job go on."""
    return _steered(app, job_id, steering.release)


def retry_answer(app: Callable[[], App], job_id: str) -> Answer:
    """Try the failed rows of an ended job again."""
    return _steered(app, job_id, steering.retry)


def _steered(app: Callable[[], App], job_id: str, use_case: Callable[[App, str], Job]) -> Answer:
    def answer(app: App) -> Answer:
        job = use_case(app, job_id)
        steps.queue_due(app, job.job_id)
        return Answer(202, _status(app, app.store.job(job.job_id) or job))

    return _guarded(app, answer)


def _guarded(app: Callable[[], App], answer: Callable[[App], Answer]) -> Answer:
    try:
        return answer(app())
    except NotFound as error:
        return _error(404, "not_found", str(error))
    except steering.NotNow as error:
        return _error(409, "not_now", str(error))
    except Conflict as error:
        return _error(409, "conflict", str(error))
    except Transient as error:
        return _error(503, "unavailable", str(error))
    except SettingsFault as error:
        return _error(500, "settings", str(error))
    except AppError as error:
        return _error(500, "internal", str(error))


def _status(app: App, job: Job) -> dict[str, Any]:
    """The job as its status.json shows it; the file itself where the job has ended, as it is what was promised."""
    if job.state.ended:
        try:
            name = names.status_file(job.prompt_file, job.job_id)
            found: dict[str, Any] = json.loads(b"".join(app.files.read(Container.RESULTS, name)))
            return found
        except (NotFound, ValueError):
            pass  # It was deleted: the table still knows.
    return report(job, app.store.batches(job.job_id), app.now())


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})
