"""`.json`: an array of objects, or one object, which is a row or stands around that array."""

from collections.abc import Iterable, Iterator
from itertools import chain

from shared.domain.model import RowBlock
from shared.prompt_file import lines
from shared.prompt_file.encoding import decode, sniff
from shared.prompt_file.json_array import broken, elements, space_end
from shared.prompt_file.json_object import rows_of_object
from shared.prompt_file.json_record import blocks_of, parse_all


def read_json_file(chunks: Iterable[bytes]) -> Iterator[RowBlock]:
    """Read one row an element; memory is that of a chunk and an element, or of an object around the array.

    Raises JobFault: `not_utf8`, `empty_file`, `invalid_file` where the file is neither an array nor an object, ends
    within it or goes on after it.
    """
    encoding, body = sniff(chunks)
    text = lines.without_tail(decode(encoding, body), "\r\n", "\x1a\0")
    row = 1
    for texts in _rows(text):
        raw = [element.encode() for element in texts]
        yield from blocks_of(row, raw, parse_all(raw))
        row += len(raw)


def _rows(chunks: Iterator[str]) -> Iterator[list[str]]:
    """Cut a file into the texts of its rows, some at a time, which may still be no JSON."""
    spaces = 0
    for chunk in chunks:
        start = space_end(chunk, 0)
        spaces += start
        lines.check_row_size(spaces)
        if start < len(chunk):
            whole = chain([chunk[start:]], chunks)
            yield from rows_of_object(_joined(whole)) if chunk[start] == "{" else elements(whole)
            return


def _joined(chunks: Iterable[str]) -> str:
    pieces: list[str] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > lines.MAX_ROW:
            raise broken(f"begins with {{ and goes on for more than {lines.MAX_ROW // 2**20} MB")
    return "".join(pieces)
