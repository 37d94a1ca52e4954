"""The rows of result files, page by page and in input order, however large the files are."""

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from shared import json_codec
from shared.domain.ports import Container, Files

CURSOR: Final = r"[0-9]{1,15}-[0-9]{1,15}"
"""What every cursor looks like: the bytes of results.jsonl and of errors.jsonl that earlier pages have shown."""

PIECE: Final = 256 * 1024
"""Bytes read at first; twice as many each time a line is longer."""

LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes of the longest line that is shown; a longer one is only mentioned."""

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of lines after which a page ends, even with fewer rows than asked for: a response is held in memory."""

STATUSES: Final = ("ok", "error")

type Source = tuple[Container, str]
"""A file of JSON lines: results or errors, as a job's result files hold them."""

type Row = dict[str, Any]


class InvalidCursor(ValueError):
    """A cursor that no page has given."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One row as it is shown, its status, and the byte at which the next row of the same file begins."""

    row: Row
    status: str
    end: int
    size: int

    @property
    def place(self) -> int:
        """The row's number; a row too long to be read comes as soon as it is met."""
        return self.row["row"] or 0


def read_page(
    files: Files, sources: Mapping[str, Source], *, status: str, limit: int, cursor: str
) -> tuple[list[Row], str]:
    """Return at most `limit` rows of the files in `sources`, and the cursor of the next page, empty at the end.

    `sources` names the file of each status; `status` is one of them, or empty for both. Raises InvalidCursor.
    """
    ends = dict(zip(STATUSES, _starts(cursor), strict=True))
    streams = [_lines(files, sources[one], one, ends[one]) for one in ends if status in ("", one)]
    rows: list[Row] = []
    size = 0
    for line in heapq.merge(*streams, key=lambda line: line.place):
        if len(rows) == limit or size >= PAGE_BYTES:
            return rows, "-".join(map(str, ends.values()))
        rows.append(line.row)
        ends[line.status] = line.end
        size += line.size
    return rows, ""


def _starts(cursor: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    if not re.fullmatch(CURSOR, cursor):
        raise InvalidCursor
    results, _, errors = cursor.partition("-")
    return int(results), int(errors)


def _lines(files: Files, source: Source, status: str, start: int) -> Iterator[_Line]:
    """Read the lines of a file from the byte `start` on, some at a time."""
    found = files.info(*source)
    size = 0 if found is None else found.size
    if start > size or (start and files.read_range(*source, start - 1, 1) != b"\n"):
        raise InvalidCursor
    begun, piece = b"", PIECE
    while start + len(begun) < size:
        begun += files.read_range(*source, start + len(begun), piece)
        *whole, begun = begun.split(b"\n")
        for line in whole:
            start += len(line) + 1
            yield _Line(_row(line), status, start, len(line))
        if len(begun) > LONGEST_LINE:
            start, begun = _line_end(files, source, start + len(begun), size), b""
            yield _Line(_too_long(source), status, start, 0)
        piece = PIECE if whole else min(2 * piece, LONGEST_LINE)


def _line_end(files: Files, source: Source, start: int, size: int) -> int:
    """Return the byte after the next line end."""
    while start < size:
        piece = files.read_range(*source, start, LONGEST_LINE // 4)
        if (found := piece.find(b"\n")) >= 0:
            return start + found + 1
        start += len(piece)
    return size


def _row(line: bytes) -> Row:
    found = cast("Row", json_codec.loads(line))
    named = {"custom_id": found["custom_id"], "input": found["input"]}
    if "error" in found:
        return {"row": found["error"]["row"], **named, "error": found["error"]}
    return {"row": found["row"], **named, "output": found["output"]}


def _too_long(source: Source) -> Row:
    name = source[1].rpartition("/")[2]
    message = f"This row takes more than {LONGEST_LINE // 1024**2} MB: see {name}."
    return {"row": None, "custom_id": "", "input": {}, "error": {"code": "too_long", "message": message}}
