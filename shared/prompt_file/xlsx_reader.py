"""`.xlsx`: the first sheet of a workbook, read whole, its cells as the texts that a person would type for them."""

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from python_calamine import CalamineSheet, SheetTypeEnum, SheetVisibleEnum, load_workbook

from shared.domain.errors import JobFault
from shared.domain.model import Fault, JobCode, Record, RowCode
from shared.prompt_file.header import read_headers
from shared.prompt_file.lines import MAX_ROW
from shared.prompt_file.xlsx_package import SHARED_STRINGS, Package, PackageTooLargeError
from shared.prompt_file.xlsx_size import SheetSize, measure_cells, measure_texts

MAX_PACKED: Final = 256 * 1024 * 1024
"""Bytes of a workbook."""
MAX_MEMORY: Final = 1024 * 1024 * 1024
"""Bytes that a sheet may take while it is read: half of what an instance has by default."""

type Cell = str | float | bool | date | time | timedelta


class Workbook:
    """A workbook's first visible sheet, as a table: `headers` at once, `records` as they are asked for."""

    def __init__(self, chunks: Iterable[bytes], notes: list[str]) -> None:
        """Read the workbook; JobFault: `empty_file`, `invalid_file`."""
        data = _collect(chunks)
        try:
            sheet = _first_sheet(data, notes)
        except (JobFault, MemoryError):
            raise
        except PackageTooLargeError as error:
            raise _too_large(str(error)) from None
        except BaseException as error:  # noqa: BLE001 - damaged files raise any kind, Rust's panics no Exception even
            raise _unreadable(error) from None
        # The first rows of a sheet may be empty, and so may others.
        self._rows = (row for row in map(_texts, _rows_of(sheet)) if any(row))
        header = next(self._rows, None)
        if header is None:
            empty = "The sheet is empty. Its first row must name the columns."
            raise JobFault(JobCode.EMPTY_FILE, " ".join([empty, *notes]))
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
    package, size = Package(data), SheetSize()
    # Opening the workbook reads the texts already, so they are measured before.
    lengths = measure_texts(package.blocks(SHARED_STRINGS), size, _check_memory)
    workbook = load_workbook(io.BytesIO(data))
    sheets = workbook.sheets_metadata
    tables = [number for number, sheet in enumerate(sheets) if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [number for number in tables if sheets[number].visible == SheetVisibleEnum.Visible]
    index = (visible or tables)[0]
    measure_cells(package.blocks(package.path_of_sheet(index)), lengths, size, _check_memory)
    if len(tables) > 1:
        seen = "" if index == tables[0] else " that is visible"
        notes.append(f'The workbook has {len(tables)} sheets; only the first{seen}, "{sheets[index].name}", was read.')
    return workbook.get_sheet_by_index(index)


def _rows_of(sheet: CalamineSheet) -> Iterator[list[Cell]]:
    """Read the rows, which are made as they are asked for; a value beyond all dates is found only then."""
    rows = iter(sheet.iter_rows())
    while True:
        try:
            row = next(rows, None)
        except BaseException as error:  # noqa: BLE001 - as for the whole workbook
            raise _unreadable(error) from None
        if row is None:
            return
        yield row


def _check_memory(size: SheetSize) -> None:
    """Refuse a sheet that would fill the memory."""
    if size.longest > MAX_ROW:
        raise _too_large(f"has a cell with more than {MAX_ROW // 2**20} MB of text")
    if size.memory > MAX_MEMORY:
        raise _too_large(
            f"has cells as far as column {size.columns} and row {size.rows}, and in them {size.text // 2**20} MB of "
            f"text; {MAX_MEMORY // 2**30} GB of memory cannot hold them. Delete stray cells and long texts, or spread "
            "the rows over several files"
        )


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
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime():
            return cell.isoformat(sep=" ", timespec=_precision(cell))
        case date():
            return cell.isoformat()
        case time():
            return cell.isoformat(timespec=_precision(cell))
        case timedelta():
            return _duration(round(cell.total_seconds()))
    return cell


def _precision(moment: datetime | time) -> str:
    return "milliseconds" if moment.microsecond else "seconds"


def _duration(seconds: int) -> str:
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _too_large(what: str) -> JobFault:
    return JobFault(JobCode.INVALID_FILE, f"The workbook is too large: it {what}. A .csv of any size is read.")


def _unreadable(error: BaseException) -> JobFault:
    return JobFault(
        JobCode.INVALID_FILE,
        f"The file is no readable .xlsx workbook ({type(error).__name__}): it may be damaged, protected by a "
        "password, or an older .xls. Save it again as Excel Workbook (.xlsx) or as CSV UTF-8.",
    )
