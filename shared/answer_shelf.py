"""Answers of any number, found again by their custom_id: in memory while they are few, the others in a file."""

import io
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, cast

from shared import exact_json
from shared.answers import Answer
from shared.model import RowCode

MEMORY_LIMIT: Final = 48 * 1024 * 1024
"""Bytes of answers, by estimate, that are kept in memory: 100,000 short ones."""

_OVERHEAD: Final = 350
"""Bytes of memory that an answer takes beside its text."""

_WRITE_SIZE: Final = 1024 * 1024
_LENGTH_BITS: Final = 32
_LENGTH_MASK: Final = (1 << _LENGTH_BITS) - 1


class AnswerShelf:
    """Answers in memory and, beyond `memory` bytes, in `file`; beyond `limit` bytes there only their sizes."""

    def __init__(self, file: io.FileIO, memory: int, limit: int | None = None) -> None:
        self._file = file
        self._limit = limit
        self._memory = memory
        self._first: dict[str, Answer | int] = {}
        self._others: dict[str, list[Answer | int]] = {}
        self._pending: list[bytes] = []
        self._written = 0
        self._end = 0
        self.overflown = False
        """Whether there are too many answers to take any."""

    def put(self, custom_id: str, answer: Answer) -> None:
        """Add an answer; several may have the same custom_id."""
        self._memory -= len(answer.text or answer.message) + _OVERHEAD
        place = answer if self._memory >= 0 else self._filed(answer)
        if self._first.setdefault(custom_id, place) is not place:
            self._others.setdefault(custom_id, []).append(place)

    def finish(self) -> None:
        """End the putting."""
        self._write()

    def take(self, custom_id: str) -> Sequence[Answer]:
        """Read the answers of a custom_id, in the order they were put."""
        place = self._first.get(custom_id)
        if place is None:
            return ()
        if isinstance(place, Answer) and not self._others:
            return (place,)
        places = (place, *self._others.get(custom_id, ()))
        return [place if isinstance(place, Answer) else self._read(place) for place in places]

    def next_window(self, custom_ids: Iterator[str]) -> list[str]:
        """Take as many custom_ids, one at least, as have answers that fit into the limit together."""
        window: list[str] = []
        left = self._limit or 0
        while not window or left >= self._largest:
            custom_id = next(custom_ids, None)
            if custom_id is None:
                break
            window.append(custom_id)
            left -= self._size(custom_id)
        return window

    def _filed(self, answer: Answer) -> int:
        line = _to_line(answer)
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
        """Give memory and disk back; from here on only sizes are kept."""
        if not self.overflown:
            self.overflown = True
            self._file.truncate(0)
            for custom_id, place in self._first.items():
                self._first[custom_id] = _length(place)
            for custom_id, places in self._others.items():
                self._others[custom_id] = list(map(_length, places))

    def _read(self, place: int) -> Answer:
        self._file.seek(place >> _LENGTH_BITS)
        return _from_line(self._file.read(place & _LENGTH_MASK))

    def _size(self, custom_id: str) -> int:
        place = self._first.get(custom_id)
        return 0 if place is None else sum(map(_length, (place, *self._others.get(custom_id, ()))))

    @cached_property
    def _largest(self) -> int:
        return max(map(self._size, self._first), default=0)


def _length(place: Answer | int) -> int:
    """The size of an answer in the file."""
    return len(_to_line(place)) if isinstance(place, Answer) else place & _LENGTH_MASK


def _to_line(answer: Answer) -> bytes:
    return exact_json.dumps(list(answer))


def _from_line(line: bytes) -> Answer:
    code, message, text, finish_reason, model, tokens, status = cast("list[Any]", exact_json.loads_line(line))
    code = None if code is None else RowCode(code)
    return Answer(code, message, text, finish_reason, model, None if tokens is None else tuple(tokens), status)
