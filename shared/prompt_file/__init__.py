"""Prompt files: the bytes of .jsonl, .json, .csv, .tsv, .xlsx and .parquet → rows; of a .files list, its expansion.

>>> file = open_prompt_file(Form(Kind.CSV), [b"Prompt\\nWho built the Shard?\\n"])
>>> file.headers
('Prompt',)
>>> [record.values for record in file.records]
[{'Prompt': 'Who built the Shard?'}]

form                 whether a blob is a prompt file, and which form it has, by its name
encoding, lines      bytes → text → lines; gzip_stream for .gz, ranges for forms read from their end
header, columns      what tables have in common; what their columns mean
csv_reader           .csv and .tsv, with csv_header, csv_lines and csv_row
json_lines           .jsonl and .ndjson; json_file .json, with json_array and json_object
json_record          one JSON value as a row; json_syntax says what is wrong with one
xlsx_reader          .xlsx: xlsx_package and xlsx_book find the sheet, xlsx_sheet reads it, xlsx_cells and xlsx_dates
                     give its values; xlsx_gaps and xlsx_sniffing say what is missing, or what the file is instead
parquet_reader       .parquet, with parquet_values
look_alikes          files of another form under a text form's name
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode, Record, RowBlock
from shared.prompt_file.csv_reader import CsvTable
from shared.prompt_file.form import (
    FORMS,
    Form,
    Kind,
    form_of,
    is_image,
    is_prompt_file,
    is_text,
    stem_of,
    why_unsupported,
)
from shared.prompt_file.gzip_stream import decompress
from shared.prompt_file.json_file import read_json_file
from shared.prompt_file.json_lines import read_json_lines
from shared.prompt_file.ranges import Ranges, held

__all__ = [
    "FORMS",
    "Form",
    "Kind",
    "PromptFile",
    "Ranges",
    "form_of",
    "is_image",
    "is_prompt_file",
    "is_text",
    "open_prompt_file",
    "stem_of",
    "why_unsupported",
]


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt file that is being read.

    `headers` are a table's columns, None in JSON forms; `below` are the first lines below a table's header, each with
    its number and its cells. `row_blocks` are the rows in order, those that are alike some hundred at a time; they come
    once only, as themselves or as `records`. `notes` are warnings for the operator, complete after the rows.
    `separator` is that of a text table's cells.
    """

    headers: tuple[str, ...] | None
    row_blocks: Iterator[RowBlock]
    notes: Sequence[str]
    below: Sequence[tuple[int, tuple[str, ...]]] = ()
    separator: str = ""

    @property
    def records(self) -> Iterator[Record]:
        """The rows one by one."""
        return chain.from_iterable(block.records() for block in self.row_blocks)


def open_prompt_file(form: Form, chunks: Iterable[bytes], ranges: Ranges | None = None) -> PromptFile:
    """Begin to read a prompt file from its bytes, in chunks of any size.

    Memory stays flat, except for .xlsx, whose bytes and shared texts are held, and for Parquet without `ranges`. Raises
    JobFault (`not_utf8`, `empty_file`, `invalid_file`), here or while the rows are read, and nothing else, whatever the
    bytes. A fault in a single row is the `fault` of its record.
    """
    if form.kind is Kind.PARQUET:
        return _read_parquet(ranges or held(chunks))
    body = decompress(chunks) if form.gzipped else chunks
    return _READERS[form.kind](body)


def _read_json_lines(chunks: Iterable[bytes]) -> PromptFile:
    return PromptFile(None, _at_least_one(read_json_lines(chunks), ()), ())


def _read_json_file(chunks: Iterable[bytes]) -> PromptFile:
    return PromptFile(None, _at_least_one(read_json_file(chunks), ()), ())


def _read_workbook(chunks: Iterable[bytes]) -> PromptFile:
    # Loaded when first needed: few files are workbooks, and a function should start fast.
    from shared.prompt_file.xlsx_reader import Workbook

    notes: list[str] = []
    workbook = Workbook(chunks, notes)
    return PromptFile(workbook.headers, _at_least_one(workbook.row_blocks(), notes), notes, workbook.below)


def _read_parquet(ranges: Ranges) -> PromptFile:
    # Loaded when first needed, like the reader of workbooks.
    from shared.prompt_file.parquet_reader import ParquetTable

    return PromptFile(None, _at_least_one(ParquetTable(ranges).row_blocks(), ()), ())


def _read_table(chunks: Iterable[bytes], separators: str) -> PromptFile:
    notes: list[str] = []
    table = CsvTable(chunks, separators, notes)
    rows = _at_least_one(table.row_blocks(), notes)
    return PromptFile(table.headers, rows, notes, table.below, table.separator)


_READERS: Final[Mapping[Kind, Callable[[Iterable[bytes]], PromptFile]]] = {
    Kind.JSON_LINES: _read_json_lines,
    Kind.JSON_ARRAY: _read_json_file,
    Kind.CSV: partial(_read_table, separators=",;\t|"),
    Kind.TSV: partial(_read_table, separators="\t,;|"),
    Kind.WORKBOOK: _read_workbook,
    Kind.FILE_LIST: _read_json_lines,
}


def _at_least_one(rows: Iterator[RowBlock], notes: Sequence[str]) -> Iterator[RowBlock]:
    """Return the rows; the first is read at once, so that a file without rows is reported before a faulty header."""
    first = next(rows, None)
    if first is None:
        # The notes say which of a workbook's sheets it was.
        raise JobFault(JobCode.EMPTY_FILE, " ".join(["The file has no rows.", *notes]))
    return chain([first], rows)
