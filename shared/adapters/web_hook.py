"""Adapter: notices over HTTP, behind shared.domain.ports.WebHook."""

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

    def post(self, url: str, body: bytes, signature: str) -> None:
        if not _is_web_address(url):
            raise Misconfigured("NOTIFY_URL must be an http(s) URL")
        import httpx2  # Loaded only if notices are sent.

        headers = {"Content-Type": "application/json", "User-Agent": "StructuredBatch"}
        if signature:
            headers["X-Signature-256"] = signature
        try:
            # Nothing of the answer's body is read: it may be of any length.
            with httpx2.stream("POST", url, content=body, headers=headers, timeout=self._timeout) as response:
                status, wait = response.status_code, wait_asked(response.headers)
        except (httpx2.HTTPError, OSError) as error:
            raise Unavailable(f"the address for notices cannot be reached ({type(error).__name__})") from error
        except httpx2.InvalidURL as error:
            raise Misconfigured("NOTIFY_URL must be an http(s) URL") from error
        if status == 429 or status >= 500:
            raise Unavailable(f"the address for notices answers {status}", wait)
        if status >= 300:
            raise Misconfigured(f"the address for notices answers {status}")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
