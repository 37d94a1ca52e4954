"""`.csv` and `.tsv`: text tables by RFC 4180, whatever their separator."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from shared.errors import JobFault
from shared.model import Fault, JobCode, Record, RowCode
from shared.prompt_file.encoding import decode, sniff
from shared.prompt_file.lines import check_row_size, text_lines
from shared.prompt_file.table import read_headers

MAX_HEADER: Final = 1024 * 1024
"""Characters of a header; what is longer has an open quote."""

_PIECE: Final = 256 * 1024
"""Bytes that are decoded at a time: as lines they take several times that."""

_FIELD_LIMIT: Final = 2**31 - 1
"""The csv module's own limit is 128 KB a field, and one for the whole process; ours counts whole rows."""

_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab"}


class CsvTable:
    """A text table that is read once: `headers` at once, `records` as they are asked for."""

    def __init__(self, chunks: Iterable[bytes], separators: str, notes: list[str]) -> None:
        """Read the header.

        `separators` are the candidates, the one that wins a tie first. Raises JobFault: `not_utf8`, `empty_file`,
        `invalid_file`.
        """
        csv.field_size_limit(_FIELD_LIMIT)
        source = text_lines(decode(*sniff(_pieces(chunks))))
        cells, self._separator, rest = _read_header(source, separators)
        self.headers = read_headers(cells, notes)
        self._lines = _Lines(rest)

    def records(self) -> Iterator[Record]:
        """Read row after row; blank lines, and lines of nothing but separators, are skipped and not counted."""
        headers, lines, width = self.headers, self._lines, len(self.headers)
        reader = csv.reader(lines, delimiter=self._separator)
        row = 0
        while True:
            lines.held.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                # The only error that is left in the csv module's lenient mode; it goes on at the next line.
                row += 1
                yield self._stray_return(row)
                continue
            if lines.ended:
                raise _unclosed(row + 1)
            if not any(cells) or (len(cells) == 1 and not cells[0].strip(" \t\r\n")):
                continue
            row += 1
            lines.size = 0
            if len(cells) == width:
                yield Record(row, dict(zip(headers, cells, strict=True)))
            elif len(cells) < width:
                yield Record(row, dict(zip(headers, cells + [""] * (width - len(cells)), strict=True)))
            else:
                yield self._too_wide(row, cells)

    def _too_wide(self, row: int, cells: Sequence[str]) -> Record:
        return self._faulty(
            row,
            f"has {len(cells)} cells, but the header names {len(self.headers)} columns. "
            f"Put texts that hold a {_NAMES[self._separator]} or a quote in double quotes.",
        )

    def _stray_return(self, row: int) -> Record:
        return self._faulty(row, "holds a carriage return outside of quotes. Put the text in double quotes.")

    def _faulty(self, row: int, reason: str) -> Record:
        text = "".join(self._lines.held).rstrip("\r\n")
        self._lines.size = 0
        return Record(row, {}, text, Fault(RowCode.INVALID_REQUEST, f"Row {row} {reason}"))


class _Lines:
    """Lines on their way into the csv module, which reads on for as long as a quote is open.

    `held` are the lines of the row at hand, `size` the characters since the last row, `ended` whether the csv module
    asked for a line after the last: it does so before the end only where a quote is open.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.held: list[str] = []
        self.size = 0
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.held.append(line)
            self.size += len(line)
            if self.size > MAX_HEADER:
                check_row_size(self.size)
            yield line
        self.ended = True


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]


def _read_header(source: Iterator[str], separators: str) -> tuple[list[str], str, Iterator[str]]:
    """Read the header with the separator that cuts it into most columns; give its cells, that, and the other lines."""
    first = _first_line(source)
    if hint := _separator_hint(first, separators):
        separators, first = hint, _first_line(source)
    seen = [first]
    best: tuple[list[str], str, int] | None = None
    for separator in separators:
        found = _header_with(separator, seen, source)
        if found and (best is None or len(found[0]) > len(best[0])):
            best = (found[0], separator, found[1])
    if best is None:
        raise _unclosed(0)
    cells, separator, count = best
    return cells, separator, chain(seen[count:], source)


def _first_line(source: Iterator[str]) -> str:
    """Give the first line that is not blank."""
    size = 0
    for line in source:
        # A double byte order mark is what some tools make of a file that has one already.
        line = line.lstrip("\ufeff")
        if line.strip(" \t\r\n,;"):
            return line
        size += len(line)
        check_row_size(size)
    raise JobFault(JobCode.EMPTY_FILE, "The file is empty. The first line must name the columns, the others are rows.")


def _separator_hint(line: str, separators: str) -> str:
    """Give the separator that a first line `sep=;`, which Excel understands, names."""
    hint = line.strip("\r\n").strip('"')
    return hint[4:] if hint[:4].lower() == "sep=" and hint[4:] in list(separators) else ""


def _header_with(separator: str, seen: list[str], source: Iterator[str]) -> tuple[list[str], int] | None:
    """Try one separator: the header's cells and how many lines it takes, or None where a quote stays open.

    Lines taken from `source` are added to `seen`.
    """
    taken = size = 0

    def lines() -> Iterator[str]:
        nonlocal taken, size
        while size <= MAX_HEADER:
            if taken == len(seen):
                following = next(source, None)
                if following is None:
                    break
                seen.append(following)
            line = seen[taken]
            taken += 1
            size += len(line)
            yield line
        taken = -1

    try:
        cells = next(csv.reader(lines(), delimiter=separator))
    except csv.Error:
        raise JobFault(
            JobCode.INVALID_FILE,
            "The header holds a carriage return outside of quotes: the line ends of an old Mac? "
            "Save the file again as CSV UTF-8.",
        ) from None
    return None if taken < 0 else (cells, taken)


def _unclosed(row: int) -> JobFault:
    where = f"row {row}" if row else "the header"
    return JobFault(
        JobCode.INVALID_FILE,
        f"A quote that opens in {where} is never closed. Close it, or write a quote within a text twice.",
    )
