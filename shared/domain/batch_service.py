"""The seam to the batch services: the Files and Batch API of one resource, and one service for each."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from shared.domain.model import Batch, RemoteBatch, RemoteFile
from shared.settings import Target


class BatchService(Protocol):
    """The Azure OpenAI Files and Batch API."""

    def upload(self, name: str, content: BinaryIO) -> RemoteFile:
        """Upload an input file, which expires by itself."""

    def file(self, file_id: str) -> RemoteFile | None:
        """Return a file's state, None where it is gone."""

    def read_file(self, file_id: str) -> Iterator[bytes]:
        """Return a file's bytes in chunks. Raises NotFound if it is gone, Unavailable if the download breaks off."""

    def delete_file(self, file_id: str) -> None:
        """Delete a file; one that is gone already is fine."""

    def create(self, batch: Batch, *, metadata: dict[str, str], output_folder: str = "") -> RemoteBatch:
        """Create a batch over `batch.file_id`, once. Raises AnswerLost if it may or may not have been created."""

    def batch(self, batch_id: str) -> RemoteBatch | None:
        """Return one batch, None where unknown."""

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        """Return up to 100 batches, newest first, and the id after which the next page begins (empty at the end).

        With `status`, only batches of that status. Not every service supports this filter: it may reject the call,
        ignore the filter or return nothing.
        """

    def cancel(self, batch_id: str) -> None:
        """Ask for a batch to be cancelled; one that has ended already is fine."""


class BatchServices(Protocol):
    """The batch services that batches may go to, one for each resource."""

    def at(self, target: Target) -> BatchService:
        """Return the service at a target's resource, creating its client on first use."""
