"""The port Files on a folder: the same promises as blob storage, without its transfers."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from shared.adapters.blob_files import PIECE
from shared.domain.errors import Conflict, NotFound
from shared.domain.model import BlobInfo
from shared.domain.ports import BlobWriter, Container


class LocalFiles:
    """A folder for each container."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def info(self, container: Container, name: str) -> BlobInfo | None:
        path = self._path(container, name)
        if not path.exists():
            return None
        found = path.stat()
        return BlobInfo(name, _etag(path), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def read(self, container: Container, name: str, *, etag: str = "") -> Iterator[bytes]:
        path = self._found(container, name)
        if etag and _etag(path) != etag:
            raise Conflict(f"{name} was changed")
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(PIECE):
                yield chunk

    def load(self, container: Container, name: str) -> tuple[bytes, str] | None:
        path = self._path(container, name)
        return (path.read_bytes(), _etag(path)) if path.exists() else None

    def read_range(self, container: Container, name: str, offset: int, length: int) -> bytes:
        with self._found(container, name).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def fetch(self, container: Container, name: str, most: int) -> Callable[[], bytes]:
        return lambda: self.read_range(container, name, 0, most)

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        path = self._path(container, name)
        if (create_only and path.exists()) or (etag and (not path.exists() or _etag(path) != etag)):
            raise Conflict(f"{name} was changed")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return _etag(path)

    def writer(self, container: Container, name: str, *, create_only: bool = False) -> BlobWriter:
        return _Writer(self._path(container, name), create_only)

    def blobs(self, container: Container, *, prefix: str = "", after: str = "") -> Iterator[BlobInfo]:
        folder = self._root / container.value
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for name in names:
            info = self.info(container, name) if name.startswith(prefix) and name > after else None
            if info is not None:
                yield info

    def url(self, container: Container, name: str) -> str:
        return self._path(container, name).as_uri()

    def link(self, container: Container, name: str, *, until: datetime, download_as: str) -> str:
        return self.url(container, name)

    def name_of(self, container: Container, url: str) -> str:
        return url.removeprefix(f"{(self._root / container.value).as_uri()}/")

    def _path(self, container: Container, name: str) -> Path:
        return self._root / container.value / name

    def _found(self, container: Container, name: str) -> Path:
        path = self._path(container, name)
        if not path.exists():
            raise NotFound(f"{name} does not exist")
        return path


class _Writer:
    """A file that appears under its name when it is whole."""

    def __init__(self, path: Path, create_only: bool) -> None:
        self._path = path
        self._create_only = create_only
        path.parent.mkdir(parents=True, exist_ok=True)
        self._draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
        self._file = self._draft.open("wb", buffering=PIECE)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> str:
        self._file.close()
        if self._create_only and self._path.exists():
            self._draft.unlink()
            raise Conflict(f"{self._path.name} exists")
        self._draft.replace(self._path)
        return _etag(self._path)


def _etag(path: Path) -> str:
    found = path.stat()
    return hashlib.sha256(f"{found.st_ino} {found.st_mtime_ns} {found.st_size}".encode()).hexdigest()[:16]
