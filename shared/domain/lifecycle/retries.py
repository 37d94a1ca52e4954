"""Which rows are tried again in a follow-up batch."""

from typing import Final

from shared.domain.lifecycle.jobs import is_stopping
from shared.domain.model import Batch, Job, Outcome, RowCode

INVALID_OUTPUT_RETRIES: Final = 2
FAULTY_SCHEMA_ROWS: Final = 20
FAULTY_SCHEMA_SHARE: Final = 0.2


def tries_again(
    outcome: Outcome, attempt: int, max_attempts: int, schema_is_faulty: bool, other_attempts: int = 0
) -> bool:
    """Return whether a row may go into a follow-up batch; a truncated one will only if its token cap can be raised.

    `other_attempts` counts the earlier attempts after which the row was tried again for a reason other than
    `invalid_output`.
    """
    if outcome.code is None or attempt >= max_attempts:
        return False
    if outcome.code is RowCode.REQUEST_FAILED:
        return outcome.status >= 500
    if outcome.code is RowCode.INVALID_OUTPUT:
        return attempt - other_attempts <= INVALID_OUTPUT_RETRIES and not schema_is_faulty
    return outcome.code in (RowCode.RATE_LIMITED, RowCode.EXPIRED, RowCode.MISSING, RowCode.TRUNCATED)


def is_schema_faulty(invalid: int, rows: int) -> bool:
    """Return whether so many answers fail the check that the schema or the prompt must be at fault."""
    return rows >= FAULTY_SCHEMA_ROWS and invalid > rows * FAULTY_SCHEMA_SHARE


def may_follow(job: Job, batch: Batch) -> bool:
    """Return whether rows of this batch may be tried again at all: it was not cancelled, and the job continues."""
    return not is_stopping(job) and batch.status != "cancelled" and batch.failure is None
