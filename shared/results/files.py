"""Rows and their outcomes → the result files, in one pass and flat memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.answers.outcomes import OutcomeLine
from shared.domain.model import FailedRow
from shared.results.answer_columns import Field
from shared.results.csv_writer import CsvTable
from shared.results.jsonl_writer import JsonLines, error_line, result_lines
from shared.results.table import Own, TableColumns, header
from shared.results.xlsx_writer import XlsxTable

RESULTS_JSONL: Final = "results.jsonl"
ERRORS_JSONL: Final = "errors.jsonl"
RESULTS_CSV: Final = "results.csv"
RESULTS_XLSX: Final = "results.xlsx"
RESULTS_PARQUET: Final = "results.parquet"

if TYPE_CHECKING:
    # Loaded where it is asked for.
    from shared.results.parquet_writer import ParquetTable

type Sink = Callable[[bytes], object]
"""Takes a file's bytes in chunks of about 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the tables look like.

    `own` are the user's own columns, `fields` the answers' (`answer_columns.union`). `guard` disarms texts in
    results.csv that a spreadsheet would run as formulas; `separator` is that of its cells.
    """

    own: Sequence[str]
    fields: Sequence[Field]
    guard: bool = True
    separator: str = ","


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of the files: warnings, and the names of those that are not to be kept."""

    warnings: Sequence[str] = ()
    left_out: frozenset[str] = frozenset()


class ResultFiles:
    """The files of one job's results: add all rows in input order, then close."""

    def __init__(self, layout: Layout, sinks: Mapping[str, Sink], parquet: "ParquetTable | None" = None) -> None:
        """Begin the files that `sinks` names; `parquet` is results.parquet where it is asked for."""
        names = header(layout.own, layout.fields)
        self._columns = TableColumns(layout.own, layout.fields)
        self._results = JsonLines(sinks.get(RESULTS_JSONL))
        self._errors = JsonLines(sinks.get(ERRORS_JSONL))
        self._csv: CsvTable | None = None
        self._xlsx: XlsxTable | None = None
        self._parquet = parquet
        if RESULTS_CSV in sinks:
            self._csv = CsvTable(sinks[RESULTS_CSV], names, guard=layout.guard, separator=layout.separator)
        if RESULTS_XLSX in sinks:
            self._xlsx = XlsxTable(sinks[RESULTS_XLSX], names)

    def add_results(self, some: Sequence[OutcomeLine], own: Own, typed: Own | None = None) -> None:
        """Write rows that succeeded, the next in input order, with their own columns.

        `typed` are these with the types that the prompt file gave them, where `own` shows them as texts.
        """
        self._results.add(result_lines(some, own))
        if self._parquet is not None:
            self._parquet.add_results(some, own if typed is None else typed)
        if self._csv is None and self._xlsx is None:
            return
        answers = self._columns.of_answers(some)
        if self._csv is not None:
            self._csv.add(self._columns.of_results(some, own, answers))
        if self._xlsx is not None:
            self._xlsx.add(self._columns.of_results(some, own if typed is None else typed, answers))

    def add_error(self, row: FailedRow) -> None:
        """Write a row that failed, the next in input order."""
        self._errors.add(error_line(row))
        if self._csv is not None:
            self._csv.add(self._columns.of_error(row, row.input))
        typed = row.input if row.typed is None else row.typed
        if self._xlsx is not None:
            self._xlsx.add(self._columns.of_error(row, typed), failed=True)
        if self._parquet is not None:
            self._parquet.add_error(row, typed)

    def close(self) -> Closed:
        """Write what is left."""
        self._results.close()
        self._errors.close()
        if self._csv is not None:
            self._csv.close()
        warnings = [] if self._parquet is None else self._parquet.close()
        if self._xlsx is None:
            return Closed(warnings)
        warnings += self._xlsx.close()
        return Closed(warnings, frozenset((RESULTS_XLSX,) if self._xlsx.is_left_out else ()))
