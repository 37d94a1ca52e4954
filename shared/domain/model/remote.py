"""Blobs, files and batches as storage and the batch service describe them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A blob's properties; the etag is without quotes."""

    name: str
    etag: str
    size: int
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class BlobEvent:
    """A storage event for a blob: its container, its name, and the etag of its version, without quotes."""

    container: str
    name: str
    etag: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at the batch service; `status` is pending, running, processed, error or deleted.

    Some services only say `uploaded`, or nothing: then only creating a batch shows whether the file is ready.
    """

    file_id: str
    status: str
    size: int
    expires_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBatch:
    """A batch as the service describes it, in one consistent form.

    `status` is lower case, `cancelled` in one spelling. `errors` are (code, message, line) of a failed validation.
    """

    batch_id: str
    status: str
    input_file_id: str
    created_at: datetime | None
    output_file_id: str = ""
    error_file_id: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)
    errors: tuple[tuple[str, str, str], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    input_blob: str = ""
    output_blob: str = ""
    error_blob: str = ""
