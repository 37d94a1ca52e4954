"""`.xlsx`: the first sheet of a workbook, read whole, its cells as the texts that a person would type for them."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from xml.etree import ElementTree

from python_calamine import CalamineSheet, SheetTypeEnum, SheetVisibleEnum, load_workbook

from shared.errors import JobFault
from shared.model import Fault, JobCode, Record, RowCode
from shared.prompt_file.table import read_headers

MAX_PACKED: Final = 256 * 1024 * 1024
"""Bytes of a workbook."""
MAX_UNPACKED: Final = 2 * 1024 * 1024 * 1024
"""Bytes of all that a workbook holds, unpacked: enough for a million rows of text, too few for a zip bomb."""
MAX_CELLS: Final = 50_000_000
"""Cells of the rectangle that a sheet's cells span: it is in memory whole, so one stray cell far out would fill it."""

_FILLED_CELL: Final = re.compile(rb'<(?:\w+:)?c (?:[^<>]*? )?r="([A-Z]{1,3})([0-9]{1,7})"[^<>]*(?<!/)>')
_BLOCK: Final = 1024 * 1024

type Cell = str | float | bool | date | time | timedelta


class Workbook:
    """A workbook's first visible sheet, as a table: `headers` at once, `records` as they are asked for."""

    def __init__(self, chunks: Iterable[bytes], notes: list[str]) -> None:
        """Read the workbook; JobFault: `empty_file`, `invalid_file`."""
        data = _collect(chunks)
        try:
            sheet = _first_sheet(data, notes)
            # The first rows of a sheet may be empty, and so may others.
            self._rows = (row for row in map(_texts, sheet.iter_rows()) if any(row))
        except (JobFault, MemoryError):
            raise
        except BaseException as error:  # noqa: BLE001 - damaged files raise any kind, Rust's panics no Exception even
            raise _unreadable(error) from None
        header = next(self._rows, None)
        if header is None:
            raise JobFault(JobCode.EMPTY_FILE, "The sheet is empty. Its first row must name the columns.")
        width = max(number for number, cell in enumerate(header, 1) if cell.strip() or number == 1)
        self.headers = read_headers(header[:width], notes)

    def records(self) -> Iterator[Record]:
        """Read row after row; empty ones are skipped and not counted."""
        for number, row in enumerate(self._rows, 1):
            if any(row[len(self.headers) :]):
                yield self._too_wide(number, row)
            else:
                yield Record(number, dict(zip(self.headers, row, strict=False)))

    def _too_wide(self, number: int, row: Sequence[str]) -> Record:
        reason = f"Row {number} has cells beyond the last of the {len(self.headers)} columns that the header names."
        return Record(number, {}, "\t".join(row).rstrip("\t"), Fault(RowCode.INVALID_REQUEST, reason))


def _collect(chunks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_PACKED:
            raise _too_large(f"has more than {MAX_PACKED // 2**20} MB")
    if not data:
        raise JobFault(JobCode.EMPTY_FILE, "The file is empty.")
    return bytes(data)


def _first_sheet(data: bytes, notes: list[str]) -> CalamineSheet:
    """Open the first sheet that a person sees; `notes` says which, where there are several."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
            raise _too_large("unpacks to more than 2 GB")
        workbook = load_workbook(io.BytesIO(data))
        sheets = workbook.sheets_metadata
        tables = [number for number, sheet in enumerate(sheets) if sheet.typ == SheetTypeEnum.WorkSheet]
        visible = [number for number in tables if sheets[number].visible == SheetVisibleEnum.Visible]
        index = (visible or tables)[0]
        _check_extent(archive, _path_of_sheet(archive, index))
    if len(tables) > 1:
        seen = "" if index == tables[0] else " that is visible"
        notes.append(f'The workbook has {len(tables)} sheets; only the first{seen}, "{sheets[index].name}", was read.')
    return workbook.get_sheet_by_index(index)


def _path_of_sheet(archive: zipfile.ZipFile, index: int) -> str:
    """Find the part of the package that holds a sheet (ECMA-376, part 1, 12.3.24: through its relationship)."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    sheets = [element for element in book.iter() if element.tag.endswith("}sheet")]
    relation = next(value for key, value in sheets[index].attrib.items() if key.endswith("}id"))
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    target = next(element.attrib["Target"] for element in relations if element.attrib.get("Id") == relation)
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _check_extent(archive: zipfile.ZipFile, path: str) -> None:
    """Refuse a sheet whose filled cells span a rectangle too large for memory."""
    columns: set[bytes] = set()
    last_row, rest = 0, b""
    with archive.open(path) as sheet:
        while block := sheet.read(_BLOCK):
            rest += block
            whole = rest.rfind(b">") + 1
            for column, row in _FILLED_CELL.findall(rest, 0, whole):
                columns.add(column)
                last_row = max(last_row, int(row))
            rest = rest[whole:]
    width = max(map(_column_number, columns), default=0)
    if width * last_row > MAX_CELLS:
        raise _too_large(
            f"has cells as far as column {width} and row {last_row}. Delete the stray cells, "
            f"or spread the rows over several files: {MAX_CELLS // 10**6} million cells fit"
        )


def _column_number(letters: bytes) -> int:
    """Count columns from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _texts(row: Iterable[Cell]) -> list[str]:
    return [cell if type(cell) is str else text_of(cell) for cell in row]


def text_of(cell: Cell) -> str:
    """Write a cell as Excel would into a CSV file, but dates as ISO 8601 and numbers without their format."""
    match cell:
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() | int():
            # A workbook's numbers are floats; up to 2**53 they hold every whole number, 16 digits of an id included.
            whole = int(cell) if abs(cell) <= 2**53 else None
            return str(whole) if whole == cell else f"{cell:.15g}"
        case datetime():
            return cell.isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            minutes, seconds = divmod(int(cell.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return cell


def _too_large(what: str) -> JobFault:
    return JobFault(JobCode.INVALID_FILE, f"The workbook is too large: it {what}. A .csv of any size is read.")


def _unreadable(error: BaseException) -> JobFault:
    return JobFault(
        JobCode.INVALID_FILE,
        f"The file is no readable .xlsx workbook ({type(error).__name__}): it may be damaged, protected by a "
        "password, or an older .xls. Save it again as Excel Workbook (.xlsx) or as CSV UTF-8.",
    )
