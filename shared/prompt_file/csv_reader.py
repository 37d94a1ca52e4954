"""`.csv` and `.tsv`: text tables by RFC 4180, whatever their separator."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import chain, islice
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import Fault, JobCode, Record, RowBlock, RowCode
from shared.prompt_file.encoding import decode, sniff
from shared.prompt_file.header import read_headers
from shared.prompt_file.lines import BLOCK, check_row_size, in_pieces, whole_lines

MAX_HEADER: Final = 1024 * 1024
"""Characters of a header; what is longer has an open quote."""

_FIELD_LIMIT: Final = 2**31 - 1
"""The csv module's own limit is 128 KB a field, and one for the whole process; ours counts whole rows."""

_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab"}


class CsvTable:
    """A text table that is read once: `headers` at once, the rows as they are asked for."""

    def __init__(self, chunks: Iterable[bytes], separators: str, notes: list[str]) -> None:
        """Read the header.

        `separators` are the candidates, the one that wins a tie first. Raises JobFault: `not_utf8`, `empty_file`,
        `invalid_file`.
        """
        csv.field_size_limit(_FIELD_LIMIT)
        encoding, body = sniff(chunks)
        self._pieces = whole_lines(decode(encoding, in_pieces(body)), "\n")
        source = _Source(self._pieces)
        cells, self._separator, seen = _read_header(iter(source), separators)
        self._rest = "".join(seen) + source.rest()
        self.headers = read_headers(cells, notes)
        self._blank = [""] * len(self.headers)
        self._row = 0
        self._size = 0
        """Characters since the last row."""

    def row_blocks(self) -> Iterator[RowBlock | Record]:
        """Read the rows; blank lines, and lines of nothing but separators, are skipped and not counted."""
        while text := self._rest or next(self._pieces, ""):
            self._rest = ""
            if self._size + len(text) > MAX_HEADER:
                yield from self._carefully(list(_lines_of(text)))
            else:
                yield from self._in_blocks(text)

    def _in_blocks(self, text: str) -> Iterator[RowBlock | Record]:
        """Read whole lines, a block of rows at a time; where anything about a block is odd, read it again carefully."""
        # A blank line more tells whether the last row is whole: in an open quote it is no row of its own.
        marked = text + ("\n" if text.endswith("\n") else "\n\n")
        last = marked.count("\n")
        reader = csv.reader(_lines_of(marked), delimiter=self._separator)
        lines: list[str] = []
        while (start := reader.line_num) < last:
            try:
                rows = list(islice(reader, BLOCK))
                is_whole = reader.line_num < last or not rows.pop()
            except csv.Error:
                is_whole = False
            if is_whole and self._are_alike(rows):
                yield RowBlock(self._row + 1, self.headers, rows)
                self._row += len(rows)
                self._size = 0
            elif not is_whole or rows:
                lines = lines or list(_lines_of(text))
                yield from self._carefully(lines[start : reader.line_num])

    def _are_alike(self, rows: Sequence[list[str]]) -> bool:
        """Whether there are rows, each with a cell for each header, and none of them blank."""
        if set(map(len, rows)) != {len(self.headers)} or self._blank in rows:
            return False
        return len(self.headers) > 1 or not any(row[0].isspace() for row in rows)

    def _carefully(self, given: Sequence[str]) -> Iterator[Record]:
        """Read lines row by row; where a quote is open at their end, go on into the following pieces."""
        headers, width = self.headers, len(self.headers)
        lines = _Lines(given, self._pieces, self._size)
        reader = csv.reader(lines, delimiter=self._separator)
        while not lines.is_past_given:
            lines.held.clear()
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error:
                # The only error that is left in the csv module's lenient mode; it goes on at the next line.
                yield self._faulty(lines, "holds a carriage return outside of quotes. Put the text in double quotes.")
                continue
            if lines.ended:
                raise _unclosed(self._row + 1)
            if not any(cells) or (len(cells) == 1 and not cells[0].strip(" \t\r\n")):
                continue
            if len(cells) > width:
                yield self._too_wide(lines, cells)
                continue
            self._row += 1
            lines.size = 0
            yield Record(self._row, dict(zip(headers, cells + [""] * (width - len(cells)), strict=True)))
        self._size = lines.size
        self._rest = lines.rest()

    def _too_wide(self, lines: "_Lines", cells: Sequence[str]) -> Record:
        return self._faulty(
            lines,
            f"has {len(cells)} cells, more than the header, which has {len(self.headers)}. "
            f"Put texts that hold a {_NAMES[self._separator]} or a quote in double quotes.",
        )

    def _faulty(self, lines: "_Lines", reason: str) -> Record:
        self._row += 1
        lines.size = 0
        text = "".join(lines.held).rstrip("\r\n")
        return Record(self._row, {}, text, Fault(RowCode.INVALID_REQUEST, f"Row {self._row} {reason}"))


class _Source:
    """Lines out of pieces, and what is left of the piece at hand."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._piece = StringIO()

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(self._open, self._pieces))

    def _open(self, text: str) -> StringIO:
        self._piece = _lines_of(text)
        return self._piece

    def rest(self) -> str:
        """Take what was not asked for of the piece at hand."""
        return self._piece.read()


class _Lines:
    """Lines on their way into the csv module, which reads on for as long as a quote is open.

    `held` are the lines of the row at hand, `size` the characters since the last row, `is_past_given` whether all
    lines that were given are read, `ended` whether the csv module asked for a line after the last of the file: it does
    so before the end only where a quote is open.
    """

    def __init__(self, given: Sequence[str], pieces: Iterator[str], size: int) -> None:
        self._given = given
        self._following = _Source(pieces)
        self.held: list[str] = []
        self.size = size
        self.is_past_given = not given
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        last = len(self._given)
        for number, line in enumerate(chain(self._given, self._following), 1):
            self.is_past_given = number >= last
            self.held.append(line)
            self.size += len(line)
            if self.size > MAX_HEADER:
                check_row_size(self.size)
            yield line
        self.ended = True

    def rest(self) -> str:
        """Take what was not read of the piece that a row ended in."""
        return self._following.rest()


def _lines_of(text: str) -> StringIO:
    return StringIO(text, newline="\n")


def _read_header(source: Iterator[str], separators: str) -> tuple[list[str], str, list[str]]:
    """Read the header with the separator that cuts it into most columns; give its cells, that, and lines after it."""
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
    return cells, separator, seen[count:]


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
