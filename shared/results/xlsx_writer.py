"""results.xlsx, written as a stream: typed cells, a frozen header with a filter, fitting columns, marked failures.

The sheet goes through zip compression straight to its sink, so a million rows take neither memory nor disk, where
writers of whole workbooks keep the sheet's XML on disk twice. Source: ECMA-376, parts 1 (SpreadsheetML) and 2.
"""

import zipfile
from collections.abc import Callable, Sequence
from typing import Final

from shared.prompt_file.header import column_letters
from shared.results import CHUNK_SIZE
from shared.results.chunks import Chunks
from shared.results.xlsx_cells import TEXT_LIMIT, Shown, shown, text_cell
from shared.results.xlsx_parts import FAILED, MAIN, PARTS, XML, Style
from shared.results.xlsx_widths import WIDEST, ColumnWidths, line_count, shown_width

ROW_LIMIT: Final = 1_048_576
COLUMN_LIMIT: Final = 16_384
"""Excel's specifications and limits: rows with the header, columns."""

SHEET_LIMIT: Final = 2_000_000_000
"""Bytes of the sheet's XML: a larger part would need ZIP64, which Excel refuses in streamed files."""

COMPRESSION: Final = 3
"""Of zlib's levels 1 to 9: above 3, each further percent costs much time."""

_LINE: Final = 15
_TALLEST: Final = 409
"""Points of a line, and of a row at most: not every program finds a row's height by itself."""
_MOST_LINES: Final = _TALLEST // _LINE + 1

_PAGE: Final = '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
_PRINT: Final = '<pageSetup orientation="landscape" fitToHeight="0"/>'
"""Printed across, and as wide as a page."""
_VIEW: Final = (
    '<sheetViews><sheetView tabSelected="1" workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    "</sheetView></sheetViews>"
)


class XlsxTable:
    """Writes results.xlsx to a sink; `close` returns a warning for each limit of Excel that was exceeded."""

    def __init__(self, write: Callable[[bytes], object], names: Sequence[str]) -> None:
        self._columns = [column_letters(number) for number in range(min(len(names), COLUMN_LIMIT))]
        self._columns_left_out = len(names) - len(self._columns)
        self._widths = ColumnWidths(names[:COLUMN_LIMIT])
        self._limits = self._widths.widths
        self._rows = 1
        self._texts_cut = self._size = self._pending_size = 0
        self._has_begun = False
        self.is_left_out = False
        """Whether there are more rows than a sheet can have, so that the file must not be kept."""
        self._pending: list[str] = []
        self._sink = Chunks(write)
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)
        for name, part in PARTS.items():
            self._zip.writestr(_part(name), XML + part)
        self._sheet = self._zip.open(_part("xl/worksheets/sheet1.xml"), "w")
        self._append(self._header(names))

    def add(self, columns: Sequence[Sequence[object]], *, failed: bool = False) -> None:
        """Append rows, given by column."""
        for row in zip(*columns, strict=True):
            if self._rows >= ROW_LIMIT or self._size >= SHEET_LIMIT:
                self.is_left_out = True
                return
            self._add(row, FAILED if failed else Style.PLAIN)

    def close(self) -> list[str]:
        """Finish the file and return a warning for each limit that was exceeded."""
        self._flush()
        area = f"A1:{self._columns[-1]}{self._rows}"
        self._sheet.write(f'</sheetData><autoFilter ref="{area}"/>{_PRINT}</worksheet>'.encode())
        self._sheet.close()
        self._zip.close()
        self._sink.flush_all()
        if self.is_left_out:
            limit = f"a sheet has room for {self._rows - 1:,} rows at most"
            return [f"results.xlsx was left out: {limit}; results.csv holds all"]
        found = (
            (self._columns_left_out, f"columns beyond Excel's limit of {COLUMN_LIMIT:,} columns were left out"),
            (self._texts_cut, f"texts were cut at Excel's limit of {TEXT_LIMIT:,} characters a cell"),
        )
        return [f"results.xlsx: {count:,} {what}; results.csv holds all" for count, what in found if count]

    def _header(self, names: Sequence[str]) -> str:
        cells = [
            f'<c r="{letters}1" s="{Style.HEADER:d}"{text_cell(name).content}</c>'
            for letters, name in zip(self._columns, names, strict=False)
        ]
        return f'<row r="1">{"".join(cells)}</row>'

    def _add(self, row: Sequence[object], ground: int) -> None:
        """Append a row; `ground` is added to its cells' styles, and marks empty ones too where it is not 0."""
        self._rows += 1
        number = self._rows
        parts = [""]
        lines = 1
        for column, (letters, value) in enumerate(zip(self._columns, row, strict=False)):
            cell = shown(value)
            if cell is not None:
                style = self._style_of(column, cell)
                if style == Style.WRAPPED:
                    lines = max(lines, self._lines(column, cell.text))
                parts.append(f'<c r="{letters}{number}" s="{ground + style}"{cell.content}</c>')
            elif ground:
                parts.append(f'<c r="{letters}{number}" s="{ground}"/>')
        height = f' ht="{min(lines * _LINE, _TALLEST)}"' if lines > 1 else ""
        parts[0] = f'<row r="{number}"{height}>'
        parts.append("</row>")
        self._append("".join(parts))

    def _lines(self, column: int, text: str) -> int:
        """Count the lines that a wrapped text takes, about."""
        width = self._limit(column)
        # Beyond the tallest row, further characters count for nothing.
        return line_count(text[: _MOST_LINES * width], width)

    def _style_of(self, column: int, cell: Shown) -> int:
        """Choose a cell's style: longer texts are wrapped at the column's width."""
        text = cell.text
        if not self._has_begun:
            self._widths.fit(column, cell)
        if cell.is_cut:
            self._texts_cut += 1
        if text and ("\n" in text or shown_width(text[: WIDEST + 1]) > self._limit(column)):
            return Style.WRAPPED
        return cell.style

    def _limit(self, column: int) -> int:
        """Return how many characters of a text stand in a line."""
        return self._limits[column] if self._has_begun else WIDEST

    def _append(self, text: str) -> None:
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size >= CHUNK_SIZE:
            self._flush()

    def _flush(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            head = f'{XML}<worksheet xmlns="{MAIN}">{_PAGE}{_VIEW}{self._widths.xml()}<sheetData>'
            self._sheet.write(head.encode())
        encoded = "".join(self._pending).encode()
        self._sheet.write(encoded)
        self._size += len(encoded)
        self._pending.clear()
        self._pending_size = 0


def _part(name: str) -> zipfile.ZipInfo:
    """Describe a part with a fixed date, so that the same rows give the same bytes."""
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part
