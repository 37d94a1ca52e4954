"""The rows of results.jsonl and errors.jsonl, page by page and in input order, however large the files are."""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from shared import json_codec
from shared.domain.ports import Container, Files
from shared.results.files import ERRORS_JSONL, RESULTS_JSONL

CURSOR: Final = r"[0-9]{1,15}-[0-9]{1,15}"
"""What every cursor looks like: the bytes of results.jsonl and of errors.jsonl that earlier pages have shown."""

PIECE: Final = 256 * 1024
"""Bytes asked for at first; twice as many each time where a line is longer."""

LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes of a line that is shown; of a longer one it is only said that it is there."""

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of lines after which a page ends, even with fewer rows than asked for: a response is held in memory."""

STATUSES: Final = {"ok": RESULTS_JSONL, "error": ERRORS_JSONL}
"""The file in which the rows of each status stand."""

type Row = dict[str, Any]


class InvalidCursor(ValueError):
    """A cursor that no page has given."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One row as it is shown, the file that it comes from, and the byte at which that file's next row begins."""

    row: Row
    file: str
    end: int
    size: int

    @property
    def place(self) -> int:
        """The row's number; a row too long to be read comes as soon as it is met."""
        return self.row["row"] or 0


def read_page(files: Files, folder: str, *, status: str, limit: int, cursor: str) -> tuple[list[Row], str]:
    """Return at most `limit` rows of the results in `folder`, and the cursor of the next page, empty at the end.

    `status` is `ok`, `error`, or empty for both. Raises InvalidCursor.
    """
    ends = dict(zip(STATUSES.values(), _starts(cursor), strict=True))
    wanted = [STATUSES[status]] if status else list(ends)
    streams = [_lines(files, folder, name, ends[name]) for name in wanted]
    rows: list[Row] = []
    size = 0
    for line in heapq.merge(*streams, key=lambda line: line.place):
        if len(rows) == limit or size >= PAGE_BYTES:
            return rows, "-".join(map(str, ends.values()))
        rows.append(line.row)
        ends[line.file] = line.end
        size += line.size
    return rows, ""


def _starts(cursor: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    if not re.fullmatch(CURSOR, cursor):
        raise InvalidCursor
    results, _, errors = cursor.partition("-")
    return int(results), int(errors)


def _lines(files: Files, folder: str, name: str, start: int) -> Iterator[_Line]:
    """Read the lines of a file from the byte `start` on, some at a time."""
    found = files.info(Container.RESULTS, folder + name)
    size = 0 if found is None else found.size
    if start > size or (start and files.read_range(Container.RESULTS, folder + name, start - 1, 1) != b"\n"):
        raise InvalidCursor
    begun, piece = b"", PIECE
    while start + len(begun) < size:
        begun += files.read_range(Container.RESULTS, folder + name, start + len(begun), piece)
        *whole, begun = begun.split(b"\n")
        for line in whole:
            start += len(line) + 1
            yield _Line(_row(line), name, start, len(line))
        if len(begun) > LONGEST_LINE:
            start, begun = _line_end(files, folder + name, start + len(begun), size), b""
            yield _Line(_too_long(name), name, start, 0)
        piece = PIECE if whole else min(2 * piece, LONGEST_LINE)


def _line_end(files: Files, name: str, start: int, size: int) -> int:
    """Return the byte after the next line end."""
    while start < size:
        piece = files.read_range(Container.RESULTS, name, start, LONGEST_LINE // 4)
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


def _too_long(name: str) -> Row:
    message = f"This row takes more than {LONGEST_LINE // 1024**2} MB: it stands in {name} alone."
    return {"row": None, "custom_id": "", "input": {}, "error": {"code": "too_long", "message": message}}
