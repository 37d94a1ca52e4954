"""`.json`: an array of objects, cut into its elements while it is read."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from shared.errors import JobFault
from shared.model import JobCode, Record
from shared.prompt_file.encoding import checked_utf8, sniff_utf8
from shared.prompt_file.json_record import parse_record
from shared.prompt_file.lines import check_row_size

_SPACE: Final = b" \t\r\n"

# Each skips what cannot matter in its state, in one step of C; what follows decides.
_TO_BRACKET: Final = re.compile(rb'[^"\[\]{}]*+')
_TO_ELEMENT_END: Final = re.compile(rb'[^"\[\]{},]*+')
_TO_STRING_END: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


def read_json_array(chunks: Iterable[bytes]) -> Iterator[Record]:
    """Read one record an element; memory is that of a chunk and an element.

    Raises JobFault: `not_utf8`, `empty_file` is the caller's, `invalid_file` where the file is no array, ends within
    it or goes on after it.
    """
    for row, element in enumerate(_elements(checked_utf8(sniff_utf8(chunks))), 1):
        yield parse_record(row, element)


def _elements(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut an array into the texts of its elements, which are checked by nobody yet."""
    scanner = _Scanner()
    for chunk in chunks:
        yield from scanner.feed(chunk)
    scanner.finish()


class _Scanner:
    """Where the reading stands: before, in or after the array; in a string or not; how deep in an element."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._state = "before"
        self._in_string = False
        self._depth = 0
        self._count = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take in a chunk and give the elements that it completes."""
        self._buffer += chunk
        if self._state == "before":
            self._open()
        if self._state == "within":
            yield from self._scan()
        if self._state == "after" and self._buffer.strip(_SPACE):
            raise _broken("goes on after the end of its array")
        if self._state != "within":
            self._buffer.clear()
        check_row_size(len(self._buffer))

    def finish(self) -> None:
        """Note the end of the file."""
        if self._state == "within":
            where = f"row {self._count + 1}" if self._buffer.strip(_SPACE) else "its array"
            raise _broken(f"ends within {where}: it is not complete, or a bracket or quote is not closed")

    def _open(self) -> None:
        text = self._buffer.lstrip(_SPACE)
        if not text:
            return
        if not text.startswith(b"["):
            raise _broken("does not begin with [")
        self._buffer = text[1:]
        self._state = "within"

    def _scan(self) -> Iterator[bytes]:
        buffer, start = self._buffer, 0
        while self._step():
            byte = buffer[self._at]
            self._at += 1
            if byte == _QUOTE:
                self._in_string = not self._in_string
            elif byte in _OPENING:
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            elif byte in _ENDING:
                element = bytes(buffer[start : self._at - 1]).strip(_SPACE)
                start = self._at
                if element or byte == _COMMA or self._count:
                    self._count += 1
                    yield element
                if byte == _CLOSE:
                    self._state = "after"
                    break
        del buffer[:start]
        self._at -= start

    def _step(self) -> bool:
        """Go to the next byte that matters; False where the buffer ends before it."""
        skip = _TO_STRING_END if self._in_string else _TO_BRACKET if self._depth else _TO_ELEMENT_END
        found = skip.match(self._buffer, self._at)
        self._at = found.end() if found else self._at
        # A backslash at the buffer's end waits for what it escapes.
        return self._at < len(self._buffer) and self._buffer[self._at] != _BACKSLASH


_QUOTE, _BACKSLASH, _COMMA, _CLOSE = b'"\\,]'
_OPENING: Final = b"[{"
_ENDING: Final = b",]"


def _broken(what: str) -> JobFault:
    return JobFault(
        JobCode.INVALID_FILE,
        f"The file {what}. A .json file holds one array of objects, [{{…}}, {{…}}]; "
        "for one object a line, name it .jsonl.",
    )
