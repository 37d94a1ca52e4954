"""One HTTP response of the API as a plain value, and the app's errors as such responses."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.domain.errors import Conflict, NotFound, Transient
from shared.domain.model import JOB_ID, Job
from shared.domain.ports import App
from shared.pipeline import job_control
from shared.settings import SettingsFault

log = logging.getLogger("structuredbatch.http_api")

HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Response:
    """An HTTP response: its status, its JSON body, and headers."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)

    def content(self) -> bytes:
        """Return the body as JSON text in UTF-8."""
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "replace")


class BadParameter(ValueError):
    """An invalid query parameter; the message says what it must be."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Forbidden(Exception):
    """A setting denies this to holders of a function key."""


def guarded(app: Callable[[], App], response: Callable[[App], Response]) -> Response:
    """Return the response, or the error that the app raised instead."""
    try:
        return response(app())
    except BadParameter as error:
        return error_response(400, f"invalid_{error.name}", str(error))
    except Forbidden as error:
        return error_response(403, "forbidden", str(error))
    except NotFound as error:
        return error_response(404, "not_found", str(error))
    except job_control.NotNow as error:
        return error_response(409, "not_now", str(error))
    except Conflict as error:
        return error_response(409, "conflict", str(error))
    except Transient as error:
        return error_response(503, "unavailable", str(error))
    except SettingsFault as error:
        return error_response(500, "settings", str(error))
    except Exception:
        # Every error of the API has the same form; the log has the rest.
        log.exception("request failed")
        message = "The request failed because of an unexpected error; the function app's log has it."
        return error_response(500, "internal", message)


def error_response(status: int, code: str, message: str) -> Response:
    """Return an error in the form that all errors of the API have."""
    return Response(status, {"error": {"code": code, "message": message}})


def checked(job_id: str) -> str:
    """Return the id if it has the form of one, else raise NotFound: table storage rejects some characters in keys."""
    if not re.fullmatch(JOB_ID, job_id):
        raise NotFound("There is no such job.")
    return job_id


def job_of(app: App, job_id: str) -> Job:
    """Read a job; raises NotFound if it does not exist, or the id cannot be one."""
    known = checked(job_id)
    job = app.store.job(known)
    if job is None:
        raise NotFound("There is no such job.")
    return job


def limit_of(query: Mapping[str, str], default: int, most: int) -> int:
    """Read the query's `limit`; raises BadParameter where it is not a whole number from 1 to `most`."""
    limit = query.get("limit", str(default))
    if not re.fullmatch("[0-9]{1,9}", limit) or not 1 <= int(limit) <= most:
        raise BadParameter("limit", f"limit must be a whole number from 1 to {most}.")
    return int(limit)
