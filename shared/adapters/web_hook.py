"""Adapter: notices over HTTP, behind shared.domain.ports.WebHook."""

import http.client
import urllib.error
import urllib.request
from email.message import Message
from typing import Final
from urllib.parse import urlsplit

from shared.adapters.retry_after import wait_asked
from shared.domain.errors import Misconfigured, Unavailable

TIMEOUT: Final = 10.0
"""Seconds for connecting, and for each wait for a part of the answer."""


class HttpWebHook:
    """Posts notices; see the port for what it promises. Redirects are not followed: the address is a setting."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._opener = urllib.request.OpenerDirector()
        # Only what a notice needs: neither files nor ftp, no cookies, no passwords, no redirects.
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def post(self, url: str, body: bytes, signature: str) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "StructuredBatch"}
        if signature:
            headers["X-Signature-256"] = signature
        if not _is_web_address(url):
            raise Misconfigured("NOTIFY_URL is no address that a notice can be posted to: it must be http or https")
        request = urllib.request.Request(url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                response.read(1)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.headers) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the address for notices cannot be reached ({type(error).__name__})") from error


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _refusal(status: int, headers: Message) -> Unavailable | Misconfigured:
    message = f"the address for notices answers {status}"
    if status == 429 or status >= 500:
        return Unavailable(message, wait_asked(headers))
    return Misconfigured(message)
