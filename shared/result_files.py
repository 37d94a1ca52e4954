"""Rows and their outcomes → results.jsonl, errors.jsonl, results.csv and results.xlsx, in one pass and flat memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shared import exact_json
from shared.fields import Field
from shared.model import Outcome, ResultRow, Usage
from shared.outcomes import is_paid
from shared.result_sheet import XlsxTable
from shared.result_table import CHUNK_SIZE, CsvTable, cells, header

RESULTS_JSONL: Final = "results.jsonl"
ERRORS_JSONL: Final = "errors.jsonl"
RESULTS_CSV: Final = "results.csv"
RESULTS_XLSX: Final = "results.xlsx"

Sink = Callable[[bytes], object]


class ResultFiles:
    """The files of one job's results: add all rows in input order, then close."""

    def __init__(self, own: Sequence[str], fields: Sequence[Field], sinks: Mapping[str, Sink], guard: bool) -> None:
        """Begin the files that `sinks` names.

        `own` are the user's own columns, `fields` the answers' columns (`fields.union`). A sink is given chunks of
        about 1 MiB. `guard` disarms texts in results.csv that a spreadsheet would run as formulas.
        """
        self._own = own
        self._fields = fields
        names = header(own, fields)
        self._results = _Lines(sinks.get(RESULTS_JSONL))
        self._errors = _Lines(sinks.get(ERRORS_JSONL))
        self._tables: list[CsvTable | XlsxTable] = []
        if RESULTS_CSV in sinks:
            self._tables.append(CsvTable(sinks[RESULTS_CSV], names, guard=guard))
        if RESULTS_XLSX in sinks:
            self._tables.append(XlsxTable(sinks[RESULTS_XLSX], names))

    def add(self, row: ResultRow) -> None:
        """Write one row, the next in input order."""
        if row.outcome.code is None:
            self._results.add(result_of(row))
        else:
            self._errors.add(error_of(row))
        if self._tables:
            row_cells = cells(row, self._own, self._fields)
            for table in self._tables:
                table.add(row_cells)

    def close(self) -> Sequence[str]:
        """Write what is left; gives warnings, for instance of what did not fit into Excel's limits."""
        self._results.close()
        self._errors.close()
        return [warning for table in self._tables for warning in table.close()]


def result_of(row: ResultRow) -> dict[str, object]:
    """Give the object that results.jsonl holds for a row that succeeded."""
    outcome = row.outcome
    return {
        "row": row.row,
        "custom_id": row.custom_id,
        "output": outcome.output,
        "input": row.input,
        "model": outcome.model,
        "attempts": outcome.attempts,
        "usage": _usage(outcome.usage),
    }


def error_of(row: ResultRow) -> dict[str, object]:
    """Give the object that errors.jsonl holds for a row that failed: dropped again, it tries the row again."""
    outcome = row.outcome
    line: dict[str, object] = {"custom_id": row.custom_id}
    if row.request is not None:
        line |= row.request
    else:
        line["source"] = row.source
    line["input"] = row.input
    line["error"] = {
        "code": outcome.code,
        "message": outcome.message,
        "row": row.row,
        "attempts": outcome.attempts,
    }
    if is_paid(outcome):
        line["answer"] = _answer(outcome)
    return line


def _answer(outcome: Outcome) -> dict[str, object]:
    return {
        "text": outcome.text,
        "finish_reason": outcome.finish_reason,
        "model": outcome.model,
        "usage": _usage(outcome.usage),
    }


def _usage(usage: Usage | None) -> dict[str, int] | None:
    return None if usage is None else {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


class _Lines:
    """A JSONL file on its way to a sink, if there is one."""

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink
        self._pending: list[bytes] = []
        self._size = 0

    def add(self, value: object) -> None:
        if self._sink is None:
            return
        line = exact_json.dumps(value)
        self._pending.append(line)
        self._size += len(line)
        if self._size >= CHUNK_SIZE:
            self.close()

    def close(self) -> None:
        if self._sink is not None and self._pending:
            self._sink(b"\n".join((*self._pending, b"")))
            self._pending.clear()
            self._size = 0
