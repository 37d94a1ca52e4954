"""A file that is read in ranges, for forms whose directory is at the end."""

import io
from collections.abc import Buffer, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode

MAX_HELD: Final = 256 * 1024 * 1024
"""The most bytes of a file that is held because it cannot be read in ranges."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """A blob's size, and how to read at most so many bytes from an offset."""

    size: int
    read: Callable[[int, int], bytes]


class RangedFile(io.RawIOBase):
    """Ranges as a file that readers can seek in."""

    def __init__(self, ranges: Ranges) -> None:
        super().__init__()
        self._ranges = ranges
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ranges.size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        wanted = min(len(view), self._ranges.size - self._at)
        found = self._ranges.read(self._at, wanted) if wanted > 0 else b""
        view[: len(found)] = found
        self._at += len(found)
        return len(found)


def held(chunks: Iterable[bytes]) -> Ranges:
    """Hold a file's bytes in memory, so that ranges of them can be read. Raises JobFault if they are too many."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_HELD:
            raise JobFault(JobCode.INVALID_FILE, f"The file has more than {MAX_HELD // 2**20} MB.")
    whole = bytes(data)
    return Ranges(len(whole), lambda offset, length: whole[offset : offset + length])
