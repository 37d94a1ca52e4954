"""The functions' HTTP API, as the commands call it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.commands.job_names import Page
from local.servers.processes import ServerError

_SECONDS = 60
_PAGE = 500


class RefusedError(ServerError):
    """The app answered, but will not do it; the message is the app's own."""


@dataclass(frozen=True)
class HttpApi:
    """A running function app, on this machine or in Azure, and a key of it."""

    url: str
    key: str

    def steer(self, job_id: str, action: str) -> Mapping[str, Any]:
        """Ask for `cancel`, `release` or `retry` and return the job's status; raises RefusedError or ServerError."""
        return self._call("POST", f"jobs/{urllib.parse.quote(job_id)}/{action}")

    def page(self, cursor: str) -> Page:
        """Return a page of jobs, newest first, and the cursor of the next."""
        query = urllib.parse.urlencode({"limit": _PAGE, "cursor": cursor} if cursor else {"limit": _PAGE})
        found = self._call("GET", f"jobs?{query}")
        return found["jobs"], found["cursor"] or ""

    def _call(self, method: str, path: str) -> Mapping[str, Any]:
        address = f"{self.url.rstrip('/')}/api/{path}"
        request = urllib.request.Request(address, method=method, headers={"x-functions-key": self.key})
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise RefusedError(_reason(error, self.url)) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(f"The functions do not answer at {self.url} ({reason}). Are they running?") from error


def _reason(error: urllib.error.HTTPError, url: str) -> str:
    if error.code in (401, 403):
        return f"The functions at {url} do not take this key: give a function key of the app, or its host key."
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The functions at {url} answer {error.code} {error.reason}."
