"""Lines stored in any order and read by place: in memory up to a limit, the others in a file."""

import io
from collections.abc import Iterator, Sequence
from typing import Final

MEMORY_LIMIT: Final = 48 * 1024 * 1024
"""Estimated bytes of lines that are kept in memory: 100,000 short ones take half of it."""

_OVERHEAD: Final = 33 + 8
"""Bytes of memory that a line takes in addition to its text."""

_WRITE_SIZE: Final = 1024 * 1024
_LENGTH_BITS: Final = 32
_LENGTH_MASK: Final = (1 << _LENGTH_BITS) - 1

type _Held = bytes | int
"""A line, or its offset in the file and its length."""


class SpilledLines:
    """Lines at places from 0 to `places` - 1; a place may have several lines, and no line is empty.

    The first `memory` bytes stay in memory, up to `limit` more go to `file`. Beyond that the lines are dropped and only
    their sizes are kept, from which `windows` follow.
    """

    def __init__(self, places: int, file: io.FileIO, memory: int, limit: int | None = None) -> None:
        self._file = file
        self._limit = limit
        self._memory = memory
        self._first: list[_Held | None] = [None] * places
        self._others: dict[int, list[_Held]] = {}
        self._pending: list[bytes] = []
        self._written = 0
        self._end = 0
        self.overflown = False
        """Whether the limit was exceeded, so that no lines can be taken."""

    def put(self, place: int, line: bytes) -> None:
        """Add a line."""
        self._memory -= len(line) + _OVERHEAD
        held = line if self._memory >= 0 else self._filed(line)
        if self._first[place] is None:
            self._first[place] = held
        else:
            self._others.setdefault(place, []).append(held)

    def finish(self) -> None:
        """Write what is pending, after the last `put` and before the first `take`."""
        self._write()

    def take(self, start: int, end: int) -> list[bytes | Sequence[bytes]]:
        """Read these places: the line itself if it is the only one and in memory, else the sequence of lines."""
        others = self._others
        return [
            first if type(first) is bytes and place not in others else self._lines_at(place)
            for place, first in enumerate(self._first[start:end], start)
        ]

    def windows(self) -> Iterator[range]:
        """Yield ranges of at least one place whose lines fit into the limit together."""
        start, left = 0, self._limit or 0
        for place, first in enumerate(self._first):
            size = sum(map(_size, (first, *self._others.get(place, ()))))
            if size > left and place > start:
                yield range(start, place)
                start, left = place, self._limit or 0
            left -= size
        yield range(start, len(self._first))

    def _filed(self, line: bytes) -> int:
        place = self._end << _LENGTH_BITS | len(line)
        self._end += len(line)
        if not self.overflown:
            self._pending.append(line)
            if self._end - self._written >= _WRITE_SIZE:
                self._write()
        return place

    def _write(self) -> None:
        if self._limit is not None and self._end > self._limit:
            self._overflow()
        else:
            unwritten = memoryview(b"".join(self._pending))
            while unwritten:
                unwritten = unwritten[self._file.write(unwritten) :]
        self._pending.clear()
        self._written = self._end

    def _overflow(self) -> None:
        """Free memory and disk; from now on only sizes are kept."""
        if not self.overflown:
            self.overflown = True
            self._file.truncate(0)
            self._first = [None if held is None else _size(held) for held in self._first]
            self._others = {place: list(map(_size, others)) for place, others in self._others.items()}

    def _lines_at(self, place: int) -> Sequence[bytes]:
        first = self._first[place]
        return () if first is None else list(map(self._line, (first, *self._others.get(place, ()))))

    def _line(self, held: _Held) -> bytes:
        if isinstance(held, bytes):
            return held
        self._file.seek(held >> _LENGTH_BITS)
        return self._file.read(held & _LENGTH_MASK)


def _size(held: _Held | None) -> int:
    if held is None:
        return 0
    return len(held) if isinstance(held, bytes) else held & _LENGTH_MASK
