"""How long to wait after a refusal that may pass."""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Final

from shared.domain.model import Wait

LONGEST_WAIT: Final = timedelta(minutes=15)

LONGEST_MESSAGE: Final = 3_000
"""Characters of a message in a record: a table row has room for two such messages, and one can name every setting."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def cut(message: str) -> str:
    """Shorten a message to what a record has room for, without control characters, which take six bytes in JSON."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", message[:LONGEST_MESSAGE])


def next_backoff(
    before: Wait | None, message: str, now: datetime, first: timedelta, key: str, retry_after: float | None = None
) -> Wait:
    """Return the wait after a passing refusal: `first`, doubling up to 15 minutes, plus up to a quarter of jitter.

    The jitter is derived from the number of tries and `key`, the full name of what waits, so that the same refusal
    gives the same wait. `retry_after` (seconds) is respected, up to an hour. The message is shortened with `cut`.
    """
    tries = 0 if before is None else before.tries
    length = min(first * 2 ** min(tries, 30), LONGEST_WAIT)
    share = hashlib.sha256(f"{key}/{tries}".encode()).digest()[0] / 1024
    # A header may hold anything that a float can be, even NaN.
    asked = min(retry_after, 3600.0) if retry_after is not None and retry_after > 0 else 0.0
    length = max(length * (1 + share), timedelta(seconds=asked))
    return Wait(until=now + length, tries=tries + 1, message=cut(message))
