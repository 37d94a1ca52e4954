"""results.xlsx, written as a stream: typed cells, a frozen header, no formulas, no links.

The sheet goes through zip compression straight to its sink, so a million rows take neither memory nor disk, where
writers of whole workbooks keep the sheet's XML on disk twice. Source: ECMA-376, parts 1 (SpreadsheetML) and 2.
"""

import io
import re
import zipfile
from collections.abc import Buffer, Callable, Iterable, Sequence
from typing import Final

from shared.results.answer_columns import Cell, cell_of
from shared.results.csv_writer import CHUNK_SIZE, without_half_pairs

ROW_LIMIT: Final = 1_048_576
COLUMN_LIMIT: Final = 16_384
TEXT_LIMIT: Final = 32_767
"""Excel's specifications and limits: rows with the header, columns, characters of a cell."""

SHEET_LIMIT: Final = 2_000_000_000
"""Bytes of the sheet's XML: a larger part would need ZIP64, which Excel refuses in streamed files."""

_EXACT: Final = 10**15
"""Excel keeps 15 digits of a number: longer whole numbers are written as texts."""

COMPRESSION: Final = 3
"""Of zlib's levels 1 to 9: above 3, each further percent costs much time."""

_SPECIAL: Final = re.compile("[&<>\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_x")
_ESCAPE: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f]")

_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_PARTS: Final = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="results" sheetId="1" r:id="rId1"/></sheets>'
        "</workbook>"
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>"
    ),
    # Style 0 is the ordinary cell, style 1 the header's bold one.
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}">'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        "</styleSheet>"
    ),
}

_SHEET_HEAD: Final = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView tabSelected="1" workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    "</sheetView></sheetViews><sheetData>"
)
_SHEET_TAIL: Final = "</sheetData></worksheet>"


class XlsxTable:
    """results.xlsx on its way to a sink; what is beyond Excel's limits is left out, and said by `close`."""

    def __init__(self, write: Callable[[bytes], object], names: Sequence[str]) -> None:
        self._columns = [column_name(number) for number in range(min(len(names), COLUMN_LIMIT))]
        self._columns_left_out = len(names) - len(self._columns)
        self._rows = 0
        self._rows_left_out = 0
        self._texts_cut = 0
        self._size = 0
        self._pending: list[str] = []
        self._pending_size = 0
        self._sink = _Chunks(write)
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)
        for name, part in _PARTS.items():
            self._zip.writestr(_part(name), _XML + part)
        self._sheet = self._zip.open(_part("xl/worksheets/sheet1.xml"), "w")
        self._append(_SHEET_HEAD)
        self._add(names, style=' s="1"')

    def add(self, columns: Sequence[Sequence[object]]) -> None:
        """Append rows, given by column."""
        for row in zip(*columns, strict=True):
            self._add(map(cell_of, row))

    def close(self) -> list[str]:
        """Finish the file; gives a warning for each limit that was met."""
        self._append(_SHEET_TAIL)
        self._flush()
        self._sheet.close()
        self._zip.close()
        self._sink.flush_all()
        found = (
            (self._rows_left_out, f"rows beyond Excel's limit of {ROW_LIMIT:,} rows were left out"),
            (self._columns_left_out, f"columns beyond Excel's limit of {COLUMN_LIMIT:,} columns were left out"),
            (self._texts_cut, f"texts were cut at Excel's limit of {TEXT_LIMIT:,} characters a cell"),
        )
        return [f"results.xlsx: {count:,} {what}; results.csv holds all" for count, what in found if count]

    def _add(self, row: Iterable[Cell], style: str = "") -> None:
        if self._rows >= ROW_LIMIT or self._size >= SHEET_LIMIT:
            self._rows_left_out += 1
            return
        self._rows += 1
        number = self._rows
        parts = [
            f'<c r="{column}{number}"{style}{self._content(cell)}</c>'
            for column, cell in zip(self._columns, row, strict=False)
            if cell is not None
        ]
        self._append(f'<row r="{number}">{"".join(parts)}</row>')

    def _content(self, cell: Cell) -> str:
        """Write a cell's type and value; texts are written in place, so that none is ever read as a formula."""
        if isinstance(cell, bool):
            return f' t="b"><v>{cell:d}</v>'
        if isinstance(cell, float) or (isinstance(cell, int) and abs(cell) < _EXACT):
            return f"><v>{cell!r}</v>"
        return f' t="inlineStr"><is><t xml:space="preserve">{_escaped(self._fitting(str(cell)))}</t></is>'

    def _fitting(self, text: str) -> str:
        """Cut a text to what a cell holds, counted in UTF-16 units as Excel does."""
        if len(text) <= TEXT_LIMIT // 2:
            return text
        units = text.encode("utf-16-le", "surrogatepass")
        if len(units) <= 2 * TEXT_LIMIT:
            return text
        self._texts_cut += 1
        return units[: 2 * TEXT_LIMIT].decode("utf-16-le", "ignore")

    def _append(self, text: str) -> None:
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size >= CHUNK_SIZE:
            self._flush()

    def _flush(self) -> None:
        encoded = "".join(self._pending).encode()
        self._sheet.write(encoded)
        self._size += len(encoded)
        self._pending.clear()
        self._pending_size = 0


class _Chunks(io.RawIOBase):
    """What zipfile writes to: it cannot be sought, and gathers larger chunks."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        super().__init__()
        self._write = write
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data)
        self._pending += view
        if len(self._pending) >= CHUNK_SIZE:
            self.flush_all()
        return len(view)

    def flush_all(self) -> None:
        """Pass on what was gathered."""
        if self._pending:
            self._write(bytes(self._pending))
            self._pending.clear()


def column_name(number: int) -> str:
    """Name a column as spreadsheets do, counted from 0: A, B, …, Z, AA, …"""
    name = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _part(name: str) -> zipfile.ZipInfo:
    """Describe a part with a fixed date, so that the same rows give the same bytes."""
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _escaped(text: str) -> str:
    """Write a text as XML; control characters as `_x000D_`, as Excel does, and what would be read as such escaped."""
    if _SPECIAL.search(text) is None:
        return text
    text = _ESCAPE.sub("_x005F_", without_half_pairs(text)).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
