"""Prompt files: the bytes of .jsonl, .json, .csv, .tsv and .xlsx → rows.

>>> file = open_prompt_file(Form(Kind.CSV), [b"Prompt\\nWho built the Shard?\\n"])
>>> file.headers
('Prompt',)
>>> [record.values for record in file.records]
[{'Prompt': 'Who built the Shard?'}]
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from shared.domain.errors import JobFault
from shared.domain.model import JobCode, Record, RowBlock
from shared.prompt_file.csv_reader import CsvTable
from shared.prompt_file.form import FORMS, Form, Kind, form_of, is_prompt_file, stem_of
from shared.prompt_file.gzip_stream import decompress
from shared.prompt_file.json_array import read_json_array
from shared.prompt_file.json_lines import read_json_lines

__all__ = ["FORMS", "Form", "Kind", "PromptFile", "form_of", "is_prompt_file", "open_prompt_file", "stem_of"]


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt file that is being read.

    `headers` are a table's columns, None in JSON forms. `row_blocks` are its rows in order, those that are alike some
    hundred at a time, every other one as its record; they come once only, as themselves or as `records`. `notes` are
    warnings for the operator, complete when the rows are consumed.
    """

    headers: tuple[str, ...] | None
    row_blocks: Iterator[RowBlock | Record]
    notes: Sequence[str]

    @property
    def records(self) -> Iterator[Record]:
        """The rows one by one."""
        for found in self.row_blocks:
            if isinstance(found, Record):
                yield found
            else:
                yield from found.records()


def open_prompt_file(form: Form, chunks: Iterable[bytes]) -> PromptFile:
    """Begin to read a prompt file from its bytes, cut in any way; memory stays flat, but for .xlsx, whose
    bytes and shared texts are held.

    Raises JobFault, here or while the rows are read: `not_utf8`, `empty_file`, `invalid_file`. Nothing else is
    raised for any bytes at all. What is wrong with a single row is its record's `fault`.
    """
    notes: list[str] = []
    body = decompress(chunks) if form.gzipped else chunks
    headers: tuple[str, ...] | None = None
    rows: Iterator[RowBlock | Record]
    if form.kind is Kind.JSON_LINES:
        rows = read_json_lines(body)
    elif form.kind is Kind.JSON_ARRAY:
        rows = read_json_array(body)
    elif form.kind is Kind.WORKBOOK:
        # Loaded when first needed: few files are workbooks, and a function should start fast.
        from shared.prompt_file.xlsx_reader import Workbook

        workbook = Workbook(body, notes)
        headers, rows = workbook.headers, workbook.row_blocks()
    else:
        table = CsvTable(body, _SEPARATORS[form.kind], notes)
        headers, rows = table.headers, table.row_blocks()
    return PromptFile(headers, _at_least_one(rows, notes), notes)


_SEPARATORS = {Kind.CSV: ",;\t", Kind.TSV: "\t,;"}


def _at_least_one(rows: Iterator[RowBlock | Record], notes: Sequence[str]) -> Iterator[RowBlock | Record]:
    """The rows; the first is read at once, so that a file without one is empty whatever its header lacks."""
    first = next(rows, None)
    if first is None:
        # The notes say which of a workbook's sheets it was.
        raise JobFault(JobCode.EMPTY_FILE, " ".join(["The file holds no row.", *notes]))
    return chain([first], rows)
