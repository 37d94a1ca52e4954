"""Adapter: the three containers in Azure Blob Storage, behind shared.domain.ports.Files."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, BlobServiceClient, ContentSettings, StorageStreamDownloader

from shared.adapters.blob_links import sign
from shared.adapters.block_writer import BLOCK_SIZE, BlockWriter
from shared.adapters.storage_errors import parent_is_missing, translate, translated, with_parent
from shared.adapters.transfers import begin, begin_fetch
from shared.domain.errors import NotFound
from shared.domain.model import BlobInfo
from shared.domain.ports import BlobWriter, Container

READ_SIZE: Final = BLOCK_SIZE
"""Bytes asked for by one call; while they are worked on, the next as many are fetched."""

PIECE: Final = 1024 * 1024
"""Bytes handed on at a time, as cutting them into rows holds them more than once."""

CONTENT_TYPES: Final = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class BlobFiles:
    """Files in blob storage; see the port for what each method promises."""

    def __init__(self, client: BlobServiceClient, names: Mapping[Container, str]) -> None:
        self._client = client
        self._names = names

    def info(self, container: Container, name: str) -> BlobInfo | None:
        blob = self._blob(container, name)
        try:
            found = blob.get_blob_properties()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise translate(error, _title(container, name)) from error
        if found.metadata.get("hdi_isfolder") == "true":
            return None  # How storage with a hierarchical namespace marks a folder.
        return BlobInfo(name, _plain(found.etag), found.size, found.last_modified)

    def read(self, container: Container, name: str, *, etag: str = "") -> Iterator[bytes]:
        conditions = _unchanged(etag) if etag else {}
        with translated(_title(container, name)):
            found = self._blob(container, name).download_blob(**conditions)
            for chunk in _ahead(found.chunks(), found.size):
                for start in range(0, len(chunk), PIECE):
                    yield chunk[start : start + PIECE]

    def load(self, container: Container, name: str) -> tuple[bytes, str] | None:
        try:
            with translated(_title(container, name)):
                found = self._blob(container, name).download_blob()
                return found.readall(), _plain(found.properties.etag)
        except NotFound:
            return None

    def read_range(self, container: Container, name: str, offset: int, length: int) -> bytes:
        with translated(_title(container, name)):
            return self._blob(container, name).download_blob(offset=offset, length=length).readall()

    def fetch(self, container: Container, name: str, most: int) -> Callable[[], bytes]:
        def begin_reading() -> StorageStreamDownloader[bytes]:
            # This call brings the first READ_SIZE bytes, mostly all; what is beyond waits until its turn has come.
            return self._blob(container, name).download_blob()

        begun = begin_fetch(begin_reading)

        def wait() -> bytes:
            with translated(_title(container, name)):
                return begun.result().read(most)

        return wait

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        conditions = _unchanged(etag) if etag else {}

        def upload() -> Mapping[str, Any]:
            return self._blob(container, name).upload_blob(
                data, overwrite=not create_only, content_settings=_content_type(name), **conditions
            )

        with translated(_title(container, name)):
            return _plain(with_parent(upload, lambda: self._make(container))["etag"])

    def writer(self, container: Container, name: str, *, create_only: bool = False) -> BlobWriter:
        return BlockWriter(self, container, name, create_only)

    def blobs(self, container: Container, *, prefix: str = "", after: str = "") -> Iterator[BlobInfo]:
        names = self._client.get_container_client(self._names[container])
        options: dict[str, Any] = {"start_from": after} if after else {}
        try:
            for found in names.list_blobs(name_starts_with=prefix or None, **options):
                if found.name > after or not after:
                    yield BlobInfo(found.name, _plain(found.etag), found.size, found.last_modified)
        except AzureError as error:
            if not parent_is_missing(error):
                raise translate(error, f"container {container}") from error
            # It holds nothing, but people look for the place to drop into: the first poll makes it.
            with translated(f"container {container}"), suppress(ResourceExistsError):
                self._make(container)

    def url(self, container: Container, name: str) -> str:
        return str(self._blob(container, name).url)

    def link(self, container: Container, name: str, *, until: datetime, download_as: str) -> str:
        blob = self._blob(container, name)
        with translated(_title(container, name)):
            return f"{blob.url}?{sign(self._client, blob, until, download_as)}"

    def name_of(self, container: Container, url: str) -> str:
        mine = urlsplit(f"{self._client.get_container_client(self._names[container]).url}/")
        theirs = urlsplit(url)
        # Neither the scheme, the port nor a signature behind the name makes it another blob.
        if theirs.hostname != mine.hostname or not theirs.path.startswith(mine.path):
            raise NotFound(f"the address {theirs.hostname}{theirs.path} is not in the {container} container")
        return unquote(theirs.path.removeprefix(mine.path))

    def stage(self, container: Container, name: str, block_id: str, data: bytes) -> None:
        """Send one block of a blob that is being written."""
        blob = self._blob(container, name)
        with translated(_title(container, name)):
            with_parent(lambda: blob.stage_block(block_id, data, length=len(data)), lambda: self._make(container))

    def commit(self, container: Container, name: str, block_ids: list[str], *, create_only: bool) -> str:
        """Make the staged blocks the blob's content and return its etag."""
        conditions: dict[str, Any] = {"match_condition": MatchConditions.IfMissing} if create_only else {}
        blocks = [BlobBlock(block_id) for block_id in block_ids]
        with translated(_title(container, name)):
            done = self._blob(container, name).commit_block_list(
                blocks, content_settings=_content_type(name), **conditions
            )
        return _plain(done["etag"])

    def _blob(self, container: Container, name: str) -> BlobClient:
        return self._client.get_blob_client(self._names[container], name)

    def _make(self, container: Container) -> None:
        self._client.create_container(self._names[container])


def _ahead(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield the chunks of a blob of `size` bytes; while one is worked on, the next is fetched."""
    left = size
    chunk = next(chunks, b"")
    while chunk:
        left -= len(chunk)
        coming = begin(lambda: next(chunks, b"")) if left > 0 else None
        yield chunk
        chunk = b"" if coming is None else coming.result()


def _unchanged(etag: str) -> dict[str, Any]:
    return {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}


def _plain(etag: object) -> str:
    return str(etag).strip('"')


def _title(container: Container, name: str) -> str:
    return f"blob {name} in the {container} container"


def _content_type(name: str) -> ContentSettings:
    return ContentSettings(content_type=CONTENT_TYPES.get(name.rsplit(".", 1)[-1], "application/octet-stream"))
