"""The wait that an answer's headers ask for.

Sources: RFC 9110, section 10.2.3 (Retry-After: seconds, or a date), and Azure OpenAI's `retry-after-ms`.
"""

import math
from email.utils import parsedate_to_datetime
from typing import Protocol


class Headers(Protocol):
    """The headers of any HTTP client, found by name in any case."""

    def get(self, name: str, /) -> object:
        """Return the value of a header, None where it is absent."""


def wait_asked(headers: Headers) -> float | None:
    """Give the seconds to wait, None where nothing readable is asked; a date counts from the answer's own."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    seconds = _number(asked)
    return _until(asked, headers.get("date")) if seconds is None else seconds


def _number(text: object) -> float | None:
    try:
        number = float(str(text))
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(then: object, now: object) -> float | None:
    try:
        seconds = (parsedate_to_datetime(str(then)) - parsedate_to_datetime(str(now))).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(seconds, 0.0)
