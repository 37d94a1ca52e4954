"""`.xlsx`: the first sheet of a workbook, row after row, its cells as the texts that a person would type for them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import Fault, JobCode, Record, RowBlock, RowCode, block_of_one
from shared.prompt_file.header import column_letters, read_headers
from shared.prompt_file.lines import BLOCK
from shared.prompt_file.xlsx_book import Book, Sheet
from shared.prompt_file.xlsx_cells import Cell, CellReader, Gap, text_of
from shared.prompt_file.xlsx_gaps import Gaps
from shared.prompt_file.xlsx_package import Package, PackageTooLargeError
from shared.prompt_file.xlsx_sheet import Row, read_rows, read_texts
from shared.prompt_file.xlsx_sniffing import remedy

MAX_PACKED: Final = 256 * 1024 * 1024
"""Bytes of a workbook."""
_BLOCK_TEXT: Final = 256 * 1024
"""Characters of the rows that come in one step, about."""
_BELOW: Final = 11
_AHEAD: Final = BLOCK
"""Rows that are read ahead to find the first column."""


class Workbook:
    """A workbook's first visible sheet with a value, as a table: `headers` at once, rows as they are asked for."""

    def __init__(self, chunks: Iterable[bytes], notes: list[str]) -> None:
        """Read the workbook up to its header; JobFault: `empty_file`, `invalid_file`."""
        self._data = _collect(chunks)
        self._notes = notes
        rows = self._guarded(self._find_rows())
        ahead = list(islice(rows, _AHEAD))
        if not ahead:
            empty = "The sheet is empty. Its first row must name the columns."
            raise JobFault(JobCode.EMPTY_FILE, " ".join([empty, *notes]))
        self._left = min(map(_first_column, ahead))
        header = _texts(ahead[0].cells[self._left :])
        width = max(number for number, text in enumerate(header, 1) if text.strip() or number == 1)
        self.headers = read_headers(header[:width], notes)
        self.below = tuple((row.number, tuple(_texts(row.cells))) for row in ahead[1:_BELOW])
        """The first rows below the header with their numbers: one may be the header that the person meant."""
        self._rows = chain(ahead[1:], rows)
        self._gaps = Gaps(self.headers)

    def row_blocks(self) -> Iterator[RowBlock]:
        """Read the rows; blank ones are skipped and not counted, and `notes` are complete at the end."""
        number = 1
        texts: list[list[str]] = []
        typed: list[list[Cell]] = []
        size = 0
        for row in self._rows:
            is_plain = self._is_plain(row)
            if is_plain:
                typed.append(self._under_headers(row.cells))
                texts.append(_texts(typed[-1]))
                size += sum(map(len, texts[-1]))
                if len(texts) < BLOCK and size < _BLOCK_TEXT:
                    continue
            if texts:
                yield RowBlock(number, self.headers, texts, typed)
                number += len(texts)
                texts, typed, size = [], [], 0
            if not is_plain:
                yield block_of_one(self._odd_row(number, row))
                number += 1
        if texts:
            yield RowBlock(number, self.headers, texts, typed)
        self._notes += self._gaps.notes()

    def _is_plain(self, row: Row) -> bool:
        """Return whether each cell has a value and stands under a header."""
        fits = len(row.cells) <= self._left + len(self.headers)
        return fits and not row.is_odd and (not self._left or _first_column(row) >= self._left)

    def _under_headers(self, cells: list[Cell]) -> list[Cell]:
        if not self._left and len(cells) == len(self.headers):
            return cells
        found = cells[self._left : self._left + len(self.headers)]
        return found + [None] * (len(self.headers) - len(found))

    def _odd_row(self, number: int, row: Row) -> Record:
        """Return a row with cells that have no value, or that stand under no header."""
        cells, width = self._under_headers(row.cells), len(self.headers)
        shown = _texts(row.cells)
        outside = [place for place, text in enumerate(shown) if text.strip() and not 0 <= place - self._left < width]
        if outside:
            where = f"{column_letters(outside[0])}{row.number}"
            reason = (
                f"Row {number} has cells beyond the last of the {width} columns that the header names: {where}. Give "
                "that column a header, or delete the cell."
            )
            return Record(number, {}, "\t".join(shown).rstrip("\t"), Fault(RowCode.INVALID_REQUEST, reason))
        values = dict(zip(self.headers, _texts(cells), strict=True))
        valued = [None if isinstance(cell, Gap) else cell for cell in cells]
        typed = dict(zip(self.headers, valued, strict=True))
        return Record(number, values, typed=typed, gaps=self._gaps.of_row(cells))

    def _find_rows(self) -> Iterator[Row]:
        """Open the first visible sheet with a value; a note says which, if there are several."""
        package = Package(self._data)
        book = Book(package)
        texts = read_texts(package.blocks(book.texts_path))
        cells = CellReader(texts, book.date_formats(), book.counts_from_1904)
        candidates = [sheet for sheet in book.sheets if sheet.visible] or book.sheets
        sheet = candidates[0]
        rows: Iterator[Row] = iter(())
        for candidate in candidates:
            filled = filter(_has_value, read_rows(package.blocks(candidate.path), cells))
            if (first := next(filled, None)) is not None:
                sheet = candidate
                rows = chain([first], _without_totals(filled, book, candidate, first.number))
                break
        if len(book.sheets) > 1:
            self._notes.append(_which_sheet(book.sheets, sheet))
        yield from rows

    def _guarded(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield rows; raise JobFault for whatever a damaged file makes the reading raise."""
        try:
            yield from rows
        except (JobFault, MemoryError):
            raise
        except PackageTooLargeError as error:
            raise _too_large(str(error)) from None
        except Exception as error:  # noqa: BLE001 - damaged files raise any kind
            raise JobFault(JobCode.INVALID_FILE, remedy(self._data, error)) from None


def _collect(chunks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_PACKED:
            raise _too_large(f"has more than {MAX_PACKED // 2**20} MB")
    if not data:
        raise JobFault(JobCode.EMPTY_FILE, "The file is empty.")
    return bytes(data)


def _without_totals(rows: Iterator[Row], book: Book, sheet: Sheet, header_row: int) -> Iterator[Row]:
    """Leave out the totals of the sheet's only Excel table, where the header is that table's."""
    tables = book.tables(sheet)
    if len(tables) != 1 or tables[0].first_row != header_row:
        return rows
    return (row for row in rows if row.number not in tables[0].totals)


def _which_sheet(sheets: Sequence[Sheet], read: Sheet) -> str:
    passed = sheets[: sheets.index(read)]
    seen = " that is visible" if any(not sheet.visible for sheet in passed) else ""
    if any(sheet.visible for sheet in passed):
        seen += " and holds anything" if seen else " that holds anything"
    which = f'The workbook has {len(sheets)} sheets; only the first{seen}, "{read.name}", was read.'
    return f"{which} To have another one read, move it to the front."


def _has_value(row: Row) -> bool:
    """Return whether a row holds more than white space."""
    last = row.cells[-1]
    return type(last) is not str or not last.isspace() or not all(map(_is_blank, row.cells))


def _is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and cell.isspace())


def _first_column(row: Row) -> int:
    return next((column for column, cell in enumerate(row.cells) if cell is not None), len(row.cells))


def _texts(cells: Sequence[Cell]) -> list[str]:
    return [cell if type(cell) is str else text_of(cell) for cell in cells]


def _too_large(what: str) -> JobFault:
    return JobFault(JobCode.INVALID_FILE, f"The workbook is too large: it {what}. A .csv of any size is read.")
