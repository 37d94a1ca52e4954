"""One row of a text table, read by RFC 4180; where its quotes don't follow that, as it was most likely meant.

Other programs escape a quote with a backslash, don't double it, or put a space before a quoted cell. A row's reading
counts only if it has as many cells as the header and the lines after it are separate rows, so that an odd quote
never swallows another row. Otherwise the row has a fault.
"""

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from shared.prompt_file.csv_lines import LineSource
from shared.prompt_file.lines import check_row_size

_AHEAD: Final = 200
"""Lines that are read ahead to find out where an odd row ends."""


class CsvRow(NamedTuple):
    """A row's lines and cells; `fault` says what is wrong with it, in which case the cells don't count."""

    lines: list[str]
    cells: list[str]
    fault: str = ""


class UnclosedQuoteError(Exception):
    """A quote that opens in this row is not closed before the end of the file."""


class _Reading(NamedTuple):
    """What a row may mean: its cells, how many lines it takes, and whether quotes stand where they should not."""

    cells: list[str]
    lines: int
    has_inner_quotes: bool
    has_loose_quotes: bool


class CsvRowReader:
    """Reads rows of `width` cells, one by one."""

    def __init__(self, source: LineSource, separator: str, width: int) -> None:
        self._source = source
        self._separator = separator
        self._width = width

    def read(self) -> CsvRow | None:
        """Read the row that begins with the next line; None at the end.

        Raises UnclosedQuoteError, and JobFault (`invalid_file`) for an endless row.
        """
        held: list[str] = []
        try:
            cells = next(csv.reader(self._holding(held), delimiter=self._separator, strict=True))
        except StopIteration:
            return None
        except csv.Error as error:
            return self._read_odd(held, str(error))
        cells = self._without_empty_end(cells)
        if len(cells) > self._width:
            return self._read_odd(held, f"has {len(cells)} cells")
        if any(map(is_spaced_quote, cells)):
            spaced = self._reading(held, 0, "plain")
            if spaced and spaced.lines == len(held) and not spaced.has_inner_quotes:
                cells = self._without_empty_end(spaced.cells)
        return CsvRow(held, cells)

    def _holding(self, held: list[str]) -> Iterator[str]:
        size = 0
        for line in self._source:
            held.append(line)
            size += len(line)
            check_row_size(size)
            yield line

    def _without_empty_end(self, cells: list[str]) -> list[str]:
        count = len(cells)
        while count > self._width and not cells[count - 1].strip():
            count -= 1
        return cells[:count]

    def _read_odd(self, held: list[str], fault: str) -> CsvRow:
        """Find the reading of a row that cannot be read by the rules; what was read too far is put back."""
        is_wide = fault.startswith("has ")
        if is_wide and '"' not in "".join(held):
            return CsvRow(held, [], fault)
        seen = len(held)
        lines = self._with_lines_ahead(held)
        readings = [
            reading
            for way in (("backslash",) if '\\"' in "".join(held[:_AHEAD]) else ()) + ("plain", "doubled")
            if (reading := self._reading(lines, 0, way)) is not None
        ]
        last = max([min(seen, _AHEAD), *(reading.lines for reading in readings)])
        end = next(count for count in range(1, last + 1) if self._are_rows(lines, count, last))
        meant = next((found for found in readings if found.lines == end and len(found.cells) == self._width), None)
        if meant is None and "unexpected end" in fault:
            raise UnclosedQuoteError
        if meant is None and (is_wide or "new-line" in fault):
            end = seen
        self._source.put_back(lines[end:])
        if meant is not None:
            return CsvRow(lines[:end], meant.cells)
        return CsvRow(lines[:end], [], fault if is_wide else _reason(fault))

    def _with_lines_ahead(self, held: list[str]) -> list[str]:
        lines = list(held)
        while len(lines) < _AHEAD and (line := next(self._source, None)) is not None:
            lines.append(line)
        return lines

    def _are_rows(self, lines: list[str], start: int, end: int) -> bool:
        """Return whether each of these lines is a row, with a cell for each header."""
        while start < end:
            if not lines[start].strip():
                start += 1
                continue
            found = next(
                (row for way in _WAYS if (row := self._reading(lines, start, way)) and self._is_row(row)), None
            )
            if found is None:
                return False
            start += found.lines
        return True

    def _is_row(self, reading: _Reading) -> bool:
        is_plain = reading.lines == 1 or not reading.has_inner_quotes
        return len(reading.cells) == self._width and is_plain and not reading.has_loose_quotes

    def _reading(self, lines: list[str], start: int, way: str) -> _Reading | None:
        found = _read_tolerantly(lines, start, self._separator, way)
        return found and found._replace(cells=self._without_empty_end(found.cells))


_WAYS: Final = ("plain", "backslash", "doubled")


def is_spaced_quote(cell: str) -> bool:
    """Return whether a cell looks as if a space stood before its opening quote."""
    return cell[:1] in (" ", "\t") and cell.lstrip(" \t").startswith('"')


def _reason(error: str) -> str:
    if "new-line" in error:
        return "holds a carriage return outside of quotes. Put the text in double quotes"
    return "has text after a closing quote. Write a quote within a text twice"


class _Syntax(NamedTuple):
    opening: re.Pattern[str]
    closing: re.Pattern[str]
    unquoted: re.Pattern[str]


@lru_cache(maxsize=8)
def _syntax(separator: str) -> _Syntax:
    sep = re.escape(separator)
    blanks = " *" if separator == "\t" else "[ \t]*"
    return _Syntax(
        re.compile(f'{blanks}"'),
        re.compile(rf"{blanks}({sep}|\r?\n|$)"),
        re.compile(rf"([^{sep}\r\n]*)({sep}|\r?\n|$)"),
    )


def _read_tolerantly(lines: list[str], start: int, separator: str, way: str) -> _Reading | None:
    """Read a row in which a quote closes a cell only where a separator or a line end follows.

    `way` is what else a quote may mean: "backslash": after a backslash it is text; "doubled": two before a separator
    are a text's last quote and the closing one. Returns None where a quote stays open.
    """
    syntax, cells = _syntax(separator), list[str]()
    at = _Place(lines, start)
    inner = loose = False
    while True:
        if opening := syntax.opening.match(at.line, at.column):
            at.column = opening.end()
            cell, is_inner, end = _quoted_cell(at, syntax.closing, way)
            inner = inner or is_inner
        else:
            end = syntax.unquoted.match(at.line, at.column)
            cell = end[1] if end else ""
            loose = loose or '"' in cell
        if end is None:
            return None
        cells.append(cell)
        at.column = end.end()
        if end[end.re.groups] != separator:
            return _Reading(cells, at.number - start + 1, inner, loose)


class _Place:
    """A place in the lines."""

    def __init__(self, lines: list[str], number: int) -> None:
        self._lines = lines
        self.number = number
        self.line = lines[number]
        self.column = 0

    def next_line(self) -> bool:
        """Go to the next line, if there is one."""
        if self.number + 1 == len(self._lines):
            return False
        self.number += 1
        self.line = self._lines[self.number]
        self.column = 0
        return True


def _quoted_cell(at: _Place, closing: re.Pattern[str], way: str) -> tuple[str, bool, re.Match[str] | None]:
    """Read a quoted cell after its opening quote; return its text, whether it holds inner quotes, and its end."""
    text, inner = "", False
    while True:
        quote = at.line.find('"', at.column)
        if quote < 0:
            text += at.line[at.column :]
            if not at.next_line():
                return text, inner, None
            continue
        text += at.line[at.column : quote]
        is_doubled = at.line[quote + 1 : quote + 2] == '"'
        if way == "backslash" and (len(text) - len(text.rstrip("\\"))) % 2:
            text, at.column = text[:-1] + '"', quote + 1
        elif way == "doubled" and is_doubled and (end := closing.match(at.line, quote + 2)):
            return text + '"', True, end
        elif is_doubled:
            text, at.column = text + '"', quote + 2
        elif end := closing.match(at.line, quote + 1):
            return text.replace("\\\\", "\\") if way == "backslash" else text, inner, end
        else:
            text, inner, at.column = text + '"', True, quote + 1
