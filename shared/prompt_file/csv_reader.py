"""`.csv` and `.tsv`: text tables by RFC 4180, whatever their separator."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from shared.domain.model import Fault, Record, RowBlock, RowCode, block_of_one
from shared.prompt_file.csv_header import cells_of, read_csv_header, unclosed
from shared.prompt_file.csv_lines import LineSource, open_lines
from shared.prompt_file.csv_row import CsvRow, CsvRowReader, UnclosedQuoteError, is_spaced_quote
from shared.prompt_file.encoding import decode, sniff
from shared.prompt_file.header import OTHER_QUOTES, USE_STRAIGHT_QUOTES, cleaned, read_headers
from shared.prompt_file.lines import BLANK, BLOCK, check_row_size, in_pieces, whole_lines, without_tail

MAX_AT_ONCE: Final = 1024 * 1024
"""Characters that are read in blocks; what is longer is read row by row, where each row's size is checked."""

_FIELD_LIMIT: Final = 2**31 - 1
"""The csv module's own limit is 128 KB a field, and one for the whole process; ours counts whole rows."""

_BELOW: Final = 10
_SEPARATOR_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab"}


class CsvTable:
    """A text table that is read once: `headers` at once, the rows as they are asked for.

    `below` are the ten lines below the header with their numbers, cut into cells as if each were the header; known once
    the first row is read.
    """

    def __init__(self, chunks: Iterable[bytes], separators: str, notes: list[str]) -> None:
        """Read the header.

        `separators` are the candidates, the one that wins a tie first. Raises JobFault: `not_utf8`, `empty_file`,
        `invalid_file`.
        """
        csv.field_size_limit(_FIELD_LIMIT)
        encoding, body = sniff(chunks)
        text = without_tail(decode(encoding, in_pieces(body)), "\r\n", "\x1a\0")
        self._lines = LineSource(whole_lines(text, "\n"))
        header = read_csv_header(self._lines, separators)
        self._separators = separators
        self.separator = header.separator
        self._preamble = header.preamble
        self.headers = read_headers(header.cells, notes)
        self.below: tuple[tuple[int, tuple[str, ...]], ...] = ()
        self._header = [cleaned(cell) for cell in header.cells]
        first, *others = header.cells
        self._repeated = [[start, *others] for start in (first, f"\ufeff{first}", f'\ufeff"{first}"')]
        self._mark = max((cell for cell in header.cells if '"' not in cell), key=len, default="")
        """What stands in every text that repeats the header."""
        self._blank = [""] * len(self.headers)
        self._rows = CsvRowReader(self._lines, self.separator, len(self.headers))
        self._row = 0
        self._size = 0
        """Characters since the last row."""

    def row_blocks(self) -> Iterator[RowBlock]:
        """Read the rows; blank lines, lines of nothing but separators and a repeated header are not counted."""
        number = self._lines.taken
        while text := self._lines.rest():
            if not self.below:
                self.below = self._first_lines(text, number)
            if not text.strip("\r\n"):
                # Megabytes of blank lines, which compress to nothing, would take minutes one by one.
                self._size += len(text)
                check_row_size(self._size)
            elif self._size + len(text) > MAX_AT_ONCE:
                lines = list(open_lines(text))
                self._lines.put_back(lines)
                yield from self._row_by_row(len(lines))
            else:
                yield from self._in_blocks(text)

    def _first_lines(self, text: str, number: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
        lines = enumerate(islice(open_lines(text), _BELOW), number + 1)
        return tuple((place, cells_of(line, self._separators)) for place, line in lines)

    def _in_blocks(self, text: str) -> Iterator[RowBlock]:
        """Read whole lines, a block of rows at a time; from one on that is odd, put the lines back after its rows."""
        may_be_spaced = '"' in text and f'{self.separator} "' in text
        may_repeat = self._mark in text
        reader = csv.reader(open_lines(text), delimiter=self.separator, strict=True)
        start = 0
        while True:
            try:
                rows = list(islice(reader, BLOCK))
            except csv.Error:
                rows = []
            if start == reader.line_num:
                return
            if (
                not self._are_alike(rows)
                or (may_repeat and any(header in rows for header in self._repeated))
                or (may_be_spaced and any(map(is_spaced_quote, chain.from_iterable(rows))))
            ):
                self._lines.put_back(list(open_lines(text))[start:])
                yield from self._row_by_row(reader.line_num - start)
                return
            yield RowBlock(self._row + 1, self.headers, rows)
            self._row += len(rows)
            self._size = 0
            start = reader.line_num

    def _are_alike(self, rows: Sequence[list[str]]) -> bool:
        """Return whether there are rows, each with a cell per header, and none is blank."""
        if set(map(len, rows)) != {len(self.headers)} or self._blank in rows:
            return False
        return len(self.headers) > 1 or all(row[0].strip(BLANK) for row in rows)

    def _row_by_row(self, lines: int) -> Iterator[RowBlock]:
        """Read so many lines, and on to the end of the last row."""
        end = self._lines.taken + lines
        while self._lines.taken < end:
            try:
                row = self._rows.read()
            except UnclosedQuoteError:
                raise unclosed(f"row {self._row + 1}") from None
            if row is None:
                return
            if not row.fault and self._does_not_count(row):
                self._size += sum(map(len, row.lines))
                check_row_size(self._size)
                continue
            self._row += 1
            self._size = 0
            yield block_of_one(self._record(row))

    def _does_not_count(self, row: CsvRow) -> bool:
        if len(row.cells) == 1 and (not row.cells[0].strip(BLANK) or row.lines[0].strip() in self._preamble):
            return True
        cells = [cleaned(cell) for cell in row.cells]
        return not any(row.cells) or self._header in (cells, [cell.strip('"') for cell in cells])

    def _record(self, row: CsvRow) -> Record:
        if not row.fault:
            missing = [""] * (len(self.headers) - len(row.cells))
            return Record(self._row, dict(zip(self.headers, row.cells + missing, strict=True)))
        text = "".join(row.lines).rstrip("\r\n")
        message = f"Row {self._row} {self._with_remedy(row.fault, text)}."
        return Record(self._row, {}, text, Fault(RowCode.INVALID_REQUEST, message))

    def _with_remedy(self, fault: str, text: str) -> str:
        """Add to a row's fault what to do where it has too many cells."""
        if not fault.startswith("has ") or "cells" not in fault:
            return fault
        name = _SEPARATOR_NAMES.get(self.separator, self.separator)
        remedy = f"Put texts that hold a {name} or a quote in double quotes"
        cells = next(csv.reader(open_lines(text), delimiter=self.separator))
        if any(cell.strip().startswith(OTHER_QUOTES) for cell in cells):
            remedy += f". {USE_STRAIGHT_QUOTES}"
        return f"{fault}, more than the header, which has {len(self.headers)}. {remedy}"
