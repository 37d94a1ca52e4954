"""Rows and their outcomes → results.jsonl, errors.jsonl, results.csv and results.xlsx, in one pass and flat memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from shared import json_codec
from shared.answers.outcomes import OutcomeLine, is_paid
from shared.domain.model import FailedRow, Outcome, Usage
from shared.results.answer_columns import Field
from shared.results.csv_writer import CHUNK_SIZE, CsvTable, Values, header
from shared.results.xlsx_writer import XlsxTable

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
        self._values = Values(own, fields)
        names = header(own, fields)
        self._results = _Lines(sinks.get(RESULTS_JSONL))
        self._errors = _Lines(sinks.get(ERRORS_JSONL))
        self._tables: list[CsvTable | XlsxTable] = []
        if RESULTS_CSV in sinks:
            self._tables.append(CsvTable(sinks[RESULTS_CSV], names, guard=guard))
        if RESULTS_XLSX in sinks:
            self._tables.append(XlsxTable(sinks[RESULTS_XLSX], names))

    def add_results(self, some: Sequence[OutcomeLine], inputs: Sequence[Mapping[str, object]]) -> None:
        """Write rows that succeeded, the next in input order, with their own columns."""
        self._results.add(result_lines(some, inputs))
        if self._tables:
            self._add_to_tables(self._values.of_results(some, inputs))

    def add_error(self, row: FailedRow) -> None:
        """Write a row that failed, the next in input order."""
        self._errors.add(json_codec.dumps(error_of(row)) + b"\n")
        if self._tables:
            self._add_to_tables(self._values.of_error(row))

    def _add_to_tables(self, columns: Sequence[Sequence[object]]) -> None:
        for table in self._tables:
            table.add(columns)

    def close(self) -> Sequence[str]:
        """Write what is left; gives warnings, for instance of what did not fit into Excel's limits."""
        self._results.close()
        self._errors.close()
        return [warning for table in self._tables for warning in table.close()]


class _Usage(msgspec.Struct, gc=False, omit_defaults=True):
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class _Result(msgspec.Struct, gc=False):
    """What results.jsonl holds for a row that succeeded."""

    row: int
    custom_id: str
    output: msgspec.Raw
    input: Mapping[str, object]
    model: str
    attempts: int
    usage: _Usage | None


_encode_lines = msgspec.json.Encoder().encode_lines


def result_lines(some: Sequence[OutcomeLine], inputs: Sequence[Mapping[str, object]]) -> bytes:
    """Write rows that succeeded, with their own columns, as lines of results.jsonl."""
    results = [
        _Result(
            line.row,
            line.custom_id,
            line.output,
            own,
            line.model,
            line.attempts,
            line.usage and _Usage(*line.usage, line.cached_tokens),
        )
        for line, own in zip(some, inputs, strict=True)
    ]
    try:
        return _encode_lines(results)
    except UnicodeEncodeError:
        # Half a surrogate pair.
        return b"".join([json_codec.dumps(_by_name(*row)) + b"\n" for row in zip(some, inputs, strict=True)])


def _by_name(line: OutcomeLine, own: Mapping[str, object]) -> dict[str, object]:
    outcome = line.outcome
    return {
        "row": outcome.row,
        "custom_id": outcome.custom_id,
        "output": outcome.output,
        "input": own,
        "model": outcome.model,
        "attempts": outcome.attempts,
        "usage": _usage(outcome.usage),
    }


def error_of(row: FailedRow) -> dict[str, object]:
    """Give the object that errors.jsonl holds for a row that failed: dropped again, it tries the row again."""
    outcome = row.outcome
    line: dict[str, object] = {"custom_id": row.custom_id}
    if row.request is not None:
        line |= row.request
    else:
        line["source"] = row.source
    line["input"] = row.input
    if row.schema is not None:
        line["schema"] = row.schema
    line["error"] = {
        "code": outcome.code,
        "message": outcome.message,
        "row": outcome.row,
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
    if usage is None:
        return None
    cached = {"cached_tokens": usage.cached_tokens} if usage.cached_tokens else {}
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, **cached}


class _Lines:
    """A JSONL file on its way to a sink, if there is one."""

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink
        self._pending: list[bytes] = []
        self._size = 0

    def add(self, lines: bytes) -> None:
        if self._sink is None:
            return
        self._pending.append(lines)
        self._size += len(lines)
        if self._size >= CHUNK_SIZE:
            self.close()

    def close(self) -> None:
        if self._sink is not None and self._pending:
            self._sink(b"".join(self._pending))
            self._pending.clear()
            self._size = 0
