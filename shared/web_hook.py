"""Adapter: notices over HTTP, behind shared.ports.WebHook."""

import urllib.error
import urllib.request
from typing import Final

from shared.errors import Unavailable

TIMEOUT: Final = 20.0
"""Seconds for one call."""


class HttpWebHook:
    """Posts notices; see the port for what it promises. Redirects are not followed: the address is a setting."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_NoRedirect)

    def post(self, url: str, body: bytes, signature: str) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "StructuredBatch"}
        if signature:
            headers["X-Signature-256"] = signature
        request = urllib.request.Request(url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                response.read(1)
        except urllib.error.HTTPError as error:
            raise Unavailable(f"the address for notices answers {error.code}") from error
        except OSError as error:
            raise Unavailable(f"the address for notices cannot be reached ({type(error).__name__})") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None
