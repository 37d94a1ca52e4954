"""How long to wait after a refusal that may pass."""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Final

from shared.domain.model import Wait

LONGEST_WAIT: Final = timedelta(minutes=15)

LONGEST_MESSAGE: Final = 3_000
"""Characters of a message in a record: a row of the table has room for two, and all faulty settings fit into one."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def cut(message: str) -> str:
    """Return as much of a message as a record has room for; control characters would take it sixfold."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", message[:LONGEST_MESSAGE])


def next_backoff(
    before: Wait | None, message: str, now: datetime, first: timedelta, key: str, retry_after: float | None = None
) -> Wait:
    """Return the wait after a refusal that may pass: `first`, doubling to 15 minutes, up to a quarter more as jitter.

    The jitter follows from `key`, the full name of what waits, and the count, so that the same refusal gives the same
    wait. `retry_after` (seconds) is respected, up to an hour. The message is cut to what a record has room for.
    """
    tries = 0 if before is None else before.tries
    length = min(first * 2 ** min(tries, 30), LONGEST_WAIT)
    share = hashlib.sha256(f"{key}/{tries}".encode()).digest()[0] / 1024
    # A header may hold anything that a float can be, even NaN.
    asked = min(retry_after, 3600.0) if retry_after is not None and retry_after > 0 else 0.0
    length = max(length * (1 + share), timedelta(seconds=asked))
    return Wait(until=now + length, tries=tries + 1, message=cut(message))
