"""Lines of any number, kept in a temporary file and found again by a key: some 100 bytes of memory each."""

import io
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from shared.model import SentRow

_WRITE_SIZE: Final = 1024 * 1024
_LENGTH_BITS: Final = 32
_LENGTH_MASK: Final = (1 << _LENGTH_BITS) - 1


class Shelf:
    """Lines in a temporary file, found again by a key; beyond `limit` bytes only how long they are."""

    def __init__(self, file: io.FileIO, limit: int | None = None) -> None:
        self._file = file
        self._limit = limit
        self._first: dict[int, int] = {}
        self._others: dict[int, list[int]] = {}
        self._pending: list[bytes] = []
        self._written = 0
        self._end = 0
        self.lines = 0
        self.overflown = False

    def put(self, key: int, line: bytes) -> None:
        """Add a line; several may have the same key."""
        length = len(line)
        place = self._end << _LENGTH_BITS | length
        if self._first.setdefault(key, place) != place:
            self._others.setdefault(key, []).append(place)
        self.lines += 1
        self._end += length
        if not self.overflown:
            self._pending.append(line)
            if self._end - self._written >= _WRITE_SIZE:
                self._write()

    def finish(self) -> bool:
        """End the putting; False where the lines were too many to take any."""
        self._write()
        return not self.overflown

    def take(self, key: int) -> list[bytes]:
        """Read the lines of a key."""
        return [self._read(place) for place in self._places(key)]

    def next_window(self, rows: Iterator[SentRow]) -> list[int]:
        """Take as many rows, one at least, as have lines that fit into the limit together; gives their keys."""
        keys: list[int] = []
        size = 0
        longest = self._longest
        while not keys or size + longest <= (self._limit or 0):
            sent = next(rows, None)
            if sent is None:
                break
            keys.append(hash(sent.custom_id))
            size += self._size(keys[-1])
        return keys

    def _write(self) -> None:
        if self._limit is not None and self._end > self._limit:
            self.overflown = True
            self._file.truncate(0)
        else:
            unwritten = memoryview(b"".join(self._pending))
            while unwritten:
                unwritten = unwritten[self._file.write(unwritten) :]
        self._pending.clear()
        self._written = self._end

    def _places(self, key: int) -> list[int]:
        place = self._first.get(key)
        return [] if place is None else [place, *self._others.get(key, ())]

    def _read(self, place: int) -> bytes:
        self._file.seek(place >> _LENGTH_BITS)
        return self._file.read(place & _LENGTH_MASK)

    def _size(self, key: int) -> int:
        return sum(place & _LENGTH_MASK for place in self._places(key))

    @cached_property
    def _longest(self) -> int:
        return max(map(self._size, self._first), default=0)
