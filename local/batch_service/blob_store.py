"""A storage account, Azurite's or a real one, as the service sees its blobs."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobClient, BlobServiceClient

from local.batch_service.errors import invalid_payload
from local.batch_service.own_storage import BlobRefusedError


class BlobStore:
    """A storage account, reached with a connection string."""

    def __init__(self, connection_string: str) -> None:
        self._service = BlobServiceClient.from_connection_string(
            connection_string, connection_timeout=5, read_timeout=30, retry_total=2, max_single_get_size=4 * 1024**2
        )

    def etag(self, url: str) -> str | None:
        """Return the blob's etag; None where it can't be read."""
        try:
            return str(self._blob(url).get_blob_properties().etag)
        except AzureError:
            return None

    def size(self, url: str) -> int:
        """Return the blob's size in bytes; raises BlobRefusedError."""
        try:
            return int(self._blob(url).get_blob_properties().size)
        except AzureError as error:
            raise BlobRefusedError(url) from error

    def download(self, url: str, target: Path, etag: str) -> None:
        """Write the blob's bytes to `target` if its etag is still that; raises BlobRefusedError."""
        try:
            stream = self._blob(url).download_blob(etag=etag, match_condition=MatchConditions.IfNotModified)
            with target.open("wb") as out:
                for chunk in stream.chunks():
                    out.write(chunk)
        except AzureError as error:
            raise BlobRefusedError(url) from error

    def upload(self, source: Path, url: str) -> None:
        """Write a file's bytes to the blob; raises BlobRefusedError."""
        try:
            with source.open("rb") as data:
                self._blob(url).upload_blob(data, overwrite=True)
        except AzureError as error:
            raise BlobRefusedError(url) from error

    def _blob(self, url: str) -> BlobClient:
        container, name = self._place(url)
        return self._service.get_blob_client(container, name)

    def _place(self, url: str) -> tuple[str, str]:
        """Return container and blob name of an address. Azurite's have the account's name as the path's first part."""
        path = urlsplit(url).path.lstrip("/")
        account_path = urlsplit(self._service.primary_endpoint).path.strip("/")
        if account_path and path.startswith(f"{account_path}/"):
            path = path.removeprefix(f"{account_path}/")
        container, _, name = path.partition("/")
        if not container or not name:
            raise invalid_payload(f"The address '{url}' names no blob.")
        return unquote(container), unquote(name)
