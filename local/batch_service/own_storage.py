"""Own-storage mode: a batch whose input is the caller's blob and whose results go to the caller's folder."""

import uuid
from pathlib import Path
from typing import Protocol

from local.batch_service.batch_record import BlobSource
from local.batch_service.errors import invalid_payload
from local.batch_service.new_batch import NewBatch
from local.batch_service.scenario import Limits, LineFault

UNREADABLE = LineFault(
    code="input_no_permissions",
    message="The input blob can't be read. Please check that it exists, and its account's permissions and network.",
)
UNWRITABLE = LineFault(
    code="input_no_permissions",
    message="The results can't be written. Please check the output folder, and its account's permissions and network.",
)
MODIFIED = LineFault(code="input_modified", message="The input blob was modified after the batch was submitted.")


class BlobRefusedError(Exception):
    """The storage account did not do what was asked."""


class Blobs(Protocol):
    """The blobs of the caller's storage account; every method but `etag` raises BlobRefusedError."""

    def etag(self, url: str) -> str | None:
        """Return the blob's etag; None where it can't be read."""

    def size(self, url: str) -> int:
        """Return the blob's size in bytes."""

    def download(self, url: str, target: Path, etag: str) -> None:
        """Write the blob's bytes to `target` if its etag is still that."""

    def upload(self, source: Path, url: str) -> None:
        """Write a file's bytes to the blob."""


def take_input(blobs: Blobs | None, new: NewBatch, target: Path, limits: Limits) -> tuple[BlobSource, str]:
    """Copy the input blob to `target` and remember which version that was; return it and its name."""
    if blobs is None or new.input_blob is None or new.output_folder is None:
        raise invalid_payload("This service has no storage account: start it with --storage CONNECTION_STRING.")
    etag = blobs.etag(new.input_blob)
    try:
        if etag is not None and blobs.size(new.input_blob) > limits.blob_bytes:
            raise invalid_payload(f"The input blob is larger than the {limits.blob_bytes} bytes that are allowed.")
        if etag is not None:
            blobs.download(new.input_blob, target, etag)
    except BlobRefusedError:
        etag = None
    source = BlobSource(new.input_blob, new.output_folder, etag, str(uuid.uuid4()))
    return source, new.input_blob.rsplit("/", 1)[-1]
