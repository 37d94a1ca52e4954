"""A JSON array, cut into the texts of its elements while it is read; memory is that of a chunk and an element."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.prompt_file.lines import BLOCK, check_row_size

SPACE: Final = " \t\r\n"
_SKIP_SPACE: Final = re.compile(r"[ \t\r\n]*+")

# Each skips what cannot matter in its state, in one step of C; the character that follows decides.
_TO_BRACKET: Final = re.compile(r'[^"\[\]{}]*+')
_TO_ELEMENT_END: Final = re.compile(r'[^"\[\]{},]*+')
_TO_STRING_END: Final = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)

_skip_value: Final = json.JSONDecoder().raw_decode


def elements(chunks: Iterable[str]) -> Iterator[list[str]]:
    """Cut an array, which begins with the first character, into the texts of its elements, a chunk's at a time.

    Elements before a fault are returned before JobFault (`invalid_file`) is raised.
    """
    array = _Array()
    found: list[str] = []
    try:
        for chunk in chunks:
            for element in array.feed(chunk):
                found.append(element)
                if len(found) == BLOCK:
                    yield found
                    found = []
            if found:
                yield found
                found = []
        array.finish()
    except JobFault:
        if found:
            yield found
        raise


class _Array:
    """Where the reading stands: before, in or after the array, and in an element whose end is still to come."""

    def __init__(self) -> None:
        self._state = "before"
        self._count = 0
        self._element = _Element()

    def feed(self, chunk: str) -> Iterator[str]:
        """Read a chunk and yield the elements that it completes."""
        at = self._open(chunk) if self._state == "before" and chunk else 0
        while self._state == "within" and at < len(chunk):
            end = self._element.end_in(chunk, at)
            if end is None:
                self._element.add(chunk[at:])
                return
            text = self._element.complete(chunk[at:end])
            at = end + 1
            if chunk[end] == "]":
                self._state = "after"
            # A comma before the bracket ends the last element; nothing before a comma is an element that is missing.
            if text or self._state == "within":
                self._count += 1
                yield text
        if self._state == "after" and chunk[at:].strip(SPACE):
            raise broken("goes on after the end of its array")

    def finish(self) -> None:
        """Check at the end of the file that the array has ended."""
        if self._state == "within":
            raise broken(f"ends before its array does, after {self._count} whole rows")

    def _open(self, chunk: str) -> int:
        if chunk[0] in "/#":
            raise broken("begins with a comment, which JSON does not have")
        if chunk[0] != "[":
            raise broken("does not begin with [ or {")
        self._state = "within"
        return 1


class _Element:
    """An element that is being read: its text so far, and whether that ends within a string or brackets."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def end_in(self, chunk: str, at: int) -> int | None:
        """Find the comma or bracket after the element; `at` is where the chunk goes on with it."""
        if not self._pieces and (end := _end_of_value(chunk, at)) is not None:
            return end
        if self._escaped:
            at, self._escaped = at + 1, False
        while (at := self._next(chunk, at)) < len(chunk):
            character = chunk[at]
            if character == "\\":
                self._escaped = True
                return None
            if not self._depth and character in ",]":
                return at
            if character == '"':
                self._in_string = not self._in_string
            elif character in "[{":
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            at += 1
        return None

    def _next(self, chunk: str, at: int) -> int:
        """Go to the next character that matters: in a string its end, or a backslash that ends the chunk."""
        skip = _TO_STRING_END if self._in_string else _TO_BRACKET if self._depth else _TO_ELEMENT_END
        found = skip.match(chunk, at)
        return found.end() if found else at

    def add(self, piece: str) -> None:
        """Keep a piece that does not complete the element."""
        self._pieces.append(piece)
        self._size += len(piece)
        check_row_size(self._size)

    def complete(self, piece: str) -> str:
        """Return the element's text, and begin the next one."""
        if self._pieces:
            piece = "".join([*self._pieces, piece])
            self._pieces, self._size = [], 0
        return piece.strip(SPACE)


def _end_of_value(chunk: str, at: int) -> int | None:
    """Find the comma or bracket after a whole JSON value by parsing it, the fastest way in Python; else None."""
    try:
        end = space_end(chunk, _skip_value(chunk, space_end(chunk, at))[1])
    except (ValueError, RecursionError):
        return None
    return end if chunk[end : end + 1] in (",", "]") else None


def space_end(chunk: str, at: int) -> int:
    """Return where white space from `at` on ends."""
    found = _SKIP_SPACE.match(chunk, at)
    return found.end() if found else at


def broken(what: str) -> JobFault:
    """Say what is wrong with a .json file, and what one holds."""
    return JobFault(
        JobCode.INVALID_FILE,
        f"The file {what}. A .json file holds one array of objects, [{{…}}, {{…}}]; "
        "for one object a line, name it .jsonl.",
    )
