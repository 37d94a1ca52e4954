"""Azure storage's refusals in the app's own words, for the three storage adapters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from shared.adapters.retry_after import wait_asked
from shared.domain.errors import AppError, Conflict, Misconfigured, NotFound, NotPermitted, Throttled, Unavailable

TIMEOUTS: Final[dict[str, Any]] = {
    "connection_timeout": 10,
    "read_timeout": 60,
    "retry_total": 3,
    # Else blobs and queues wait 15, 18 and 24 seconds, longer than a step may be held up.
    "initial_backoff": 0.5,
    "increment_base": 2,
    "random_jitter_range": 0.5,
}
"""Time-outs in seconds, and the client's own retries; after those, the app waits and tries again later."""

MISSING_PARENTS: Final = frozenset({"ContainerNotFound", "QueueNotFound", "TableNotFound", "ContainerBeingDeleted"})
"""Codes for a missing container, queue or table: the parent of what a call is about."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the app's errors for storage's; `what` names the thing asked for in messages."""
    try:
        yield
    except AzureError as error:
        raise translate(error, what) from error


def translate(error: AzureError, what: str) -> AppError:
    """Find the app's error for one of storage's."""
    if isinstance(error, ResourceNotFoundError):
        return NotFound(f"{what} does not exist")
    if isinstance(error, ResourceExistsError | ResourceModifiedError):
        return Conflict(f"{what} was changed meanwhile")
    if isinstance(error, ClientAuthenticationError) and _status(error) is None:
        return NotPermitted(
            f"There is no identity to sign in with for {what} in storage: give the function app a managed identity "
            "(BatchStorage__clientId names a user-assigned one), or correct BatchStorage"
        )
    if isinstance(error, ClientAuthenticationError) or _status(error) in (401, 403):
        return NotPermitted(
            f"Storage does not permit access to {what}: give the app's identity the data roles for blobs, queues "
            "and tables on the storage account, or correct BatchStorage"
        )
    if isinstance(error, HttpResponseError):
        return _by_status(error, what)
    return Unavailable(f"Storage does not answer for {what} ({type(error).__name__})")


def _by_status(error: HttpResponseError, what: str) -> AppError:
    status = _status(error)
    if _code(error) == "BlobArchived":
        return NotFound(f"{what} is in the archive tier, and cannot be read")
    if status in (409, 412) or _code(error) in ("InvalidBlockList", "InvalidBlobOrBlock", "InvalidBlockId"):
        return Conflict(f"{what} was changed meanwhile")
    if status in (429, 503):
        headers = getattr(error.response, "headers", None) or {}
        return Throttled(f"Storage is busy ({status} for {what})", wait_asked(headers))
    if status == 416:
        return NotFound(f"{what} is shorter than asked for")
    if status is None or status >= 500:
        return Unavailable(f"Storage answers {status} for {what}")
    return Misconfigured(f"Storage refuses the call for {what}: {status} {_code(error)}")


def parent_is_missing(error: AzureError) -> bool:
    """Return whether a container, queue or table has to be made first."""
    # For an insert into a missing table, the tables client gives no code but in the answer's text.
    return _code(error) in MISSING_PARENTS or '"TableNotFound"' in str(error)


def with_parent[T](call: Callable[[], T], make: Callable[[], object]) -> T:
    """Make a call; if its container, queue or table is missing, create that and make the call again."""
    try:
        return call()
    except HttpResponseError as error:
        if not parent_is_missing(error):
            raise
    try:
        make()
    except ResourceExistsError:
        pass  # Another worker made it meanwhile.
    return call()


def _status(error: AzureError) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _code(error: AzureError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")
