"""The batch service's objects, with whatever is absent, null or odd in them → the app's records.

Only a batch's id is certain. Anything but an object of the kind asked for, such as a web page with status 200, is a
ValueError.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.domain.model import RemoteBatch, RemoteFile


def remote_file(made: object) -> RemoteFile:
    """Read a file; its status is empty if the service gives none."""
    details = _given(made, "status_details")
    return RemoteFile(
        file_id=_id(made),
        status=str(_given(made, "status") or "").lower(),
        size=_number(_given(made, "bytes")),
        expires_at=_time(_given(made, "expires_at")),
        message=str(details or "")[:400],
    )


def remote_batch(made: object) -> RemoteBatch:
    """Read a batch, evening out nulls, absent and empty ids, two spellings of a status, and times as text."""
    status = str(_given(made, "status") or "").lower().replace(" ", "_")
    metadata = _given(made, "metadata")
    return RemoteBatch(
        batch_id=_id(made),
        status="cancelled" if status == "canceled" else status,
        input_file_id=_text(made, "input_file_id"),
        created_at=_time(_given(made, "created_at")),
        output_file_id=_text(made, "output_file_id"),
        error_file_id=_text(made, "error_file_id"),
        counts=_counts(_given(made, "request_counts")),
        errors=tuple(_errors(_given(made, "errors"))),
        metadata={str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, Mapping) else {},
        input_blob=_text(made, "input_blob"),
        output_blob=_text(made, "output_blob"),
        error_blob=_text(made, "error_blob"),
    )


def list_page(found: object, after: str) -> tuple[list[RemoteBatch], str]:
    """Return the batches of one page of a list, and the id to go on after (empty at the end).

    `after` is the id after which the page was to begin: if the page holds that batch, the service ignores `after`, and
    the list ends. If the page does not say whether there is more, the list goes on until a page is empty.
    """
    items = found if isinstance(found, list) else _given(found, "data")
    if items is None and _given(found, "object") != "list":
        raise ValueError("not a list of batches")
    batches = list(_readable(items if isinstance(items, list) else []))
    if not batches or _given(found, "has_more") is False or after in {batch.batch_id for batch in batches}:
        return batches, ""
    return batches, batches[-1].batch_id


def _readable(items: list[object]) -> Iterator[RemoteBatch]:
    """Yield the batches of a list; one without an id is left out, and hides no other."""
    for item in items:
        try:
            yield remote_batch(item)
        except ValueError:
            continue


def _given(made: object, name: str) -> Any:
    """Return a field, None where it is absent; the client gives objects, and mappings for what it does not know."""
    return made.get(name) if isinstance(made, Mapping) else getattr(made, name, None)


def _id(made: object) -> str:
    found = None if isinstance(made, str) else _given(made, "id")
    if not isinstance(found, str | int) or not str(found):
        raise ValueError("an object of the batch service bears no id")
    return str(found)


def _text(made: object, name: str) -> str:
    found = _given(made, name)
    return found if isinstance(found, str) else ""


def _number(value: object) -> int:
    try:
        return max(int(value), 0) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0


def _counts(counts: object) -> tuple[int, int, int]:
    total, completed, failed = (_number(_given(counts, name)) for name in ("total", "completed", "failed"))
    return total, completed, failed


def _errors(errors: object) -> Iterator[tuple[str, str, str]]:
    found = errors if isinstance(errors, list) else _given(errors, "data")
    for item in found if isinstance(found, list) else []:
        code, message, line = (_given(item, name) for name in ("code", "message", "line"))
        yield str(code or ""), str(message or "")[:400], "" if line is None else str(line)


def _time(value: object) -> datetime | None:
    """Read a time: seconds since 1970, or ISO 8601 in older api versions."""
    try:
        if isinstance(value, int | float) and value:
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and value:
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass  # No time that a calendar has.
    return None
