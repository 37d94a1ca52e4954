"""results.parquet, written as a stream: every row in order, typed; opens wherever Apache Parquet does.

Loaded when first needed: Arrow takes a quarter of a second and 90 MB.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from shared import json_codec
from shared.answers.outcomes import OutcomeLine
from shared.domain.model import FailedRow
from shared.results.arrow_columns import OwnBatches, OwnValues, array_of
from shared.results.arrow_types import AnswerColumn, answer_columns
from shared.results.chunks import Chunks
from shared.results.table import FIRST, LAST, Own, unique_names

_BATCH: Final = 4096
"""Rows that become Arrow's columns at once."""
_GROUP: Final = 8 * 1024 * 1024
"""Bytes of a group of rows, before it is compressed."""
_FIXED: Final = ("row", *FIRST, *LAST, "attempts")


class ParquetTable:
    """results.parquet on its way to a sink."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        own: OwnBatches | OwnValues,
        schemas: Sequence[Mapping[str, Any]],
        metadata: Mapping[str, str],
    ) -> None:
        """`schemas` are those of the answers; `metadata` says what wrote the file, and for which job."""
        self._own = own
        self._answers = answer_columns(schemas)
        outputs = unique_names("output.", [column.name for column in self._answers], _FIXED)
        inputs = unique_names("input.", own.names, (*_FIXED, *outputs))
        before = [("row", pa.int64()), ("custom_id", pa.string())]
        after = [*((name, pa.string()) for name in LAST), ("attempts", pa.int32())]
        types = zip(outputs, (column.type for column in self._answers), strict=True)
        self._schema = pa.schema(
            [*before, *zip(inputs, own.types, strict=True), *types, *after], metadata=dict(metadata)
        )
        self._rows: list[tuple[object, ...]] = []
        self._values: list[Mapping[str, object]] = []
        self._group: list[pa.RecordBatch] = []
        self._group_size = 0
        self._misfits = 0
        self._sink = Chunks(write)
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def add_results(self, some: Sequence[OutcomeLine], own: Own) -> None:
        """Append rows that succeeded."""
        answers = cast("list[object]", json_codec.loads(b"[%b]" % b",".join([line.output for line in some])))
        for line, answer in zip(some, answers, strict=True):
            self._rows.append((line.row, line.custom_id, answer, "ok", None, None, line.attempts))
        self._values += own
        self._convert()

    def add_error(self, row: FailedRow, own: Mapping[str, object]) -> None:
        """Append a row that failed."""
        outcome = row.outcome
        code = outcome.code and outcome.code.value
        self._rows.append((outcome.row, row.custom_id, None, "error", code, outcome.message, outcome.attempts))
        self._values.append(own)
        self._convert()

    def close(self) -> list[str]:
        """Finish the file and return a warning where a value did not fit its column."""
        self._convert(everything=True)
        self._flush()
        self._writer.close()
        self._sink.flush_all()
        if not self._misfits:
            return []
        return [
            f"results.parquet: {self._misfits:,} values do not fit the type of their column and are null there; "
            "results.jsonl holds all"
        ]

    def _convert(self, *, everything: bool = False) -> None:
        """Make Arrow's columns of the rows that were gathered."""
        while len(self._rows) >= _BATCH or (everything and self._rows):
            rows, values = self._rows[:_BATCH], self._values[:_BATCH]
            del self._rows[:_BATCH], self._values[:_BATCH]
            numbers, ids, answers, *after = zip(*rows, strict=True)
            columns = [pa.array(numbers, pa.int64()), pa.array(ids, pa.string())]
            columns += self._counted(self._own.take(values))
            columns += self._counted(map(self._answer_column, self._answers, [answers] * len(self._answers)))
            columns += [pa.array(found, pa.string()) for found in after[:-1]]
            columns.append(pa.array(after[-1], pa.int32()))
            batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
            self._group.append(batch)
            self._group_size += batch.nbytes
            if self._group_size >= _GROUP:
                self._flush()

    def _answer_column(self, column: AnswerColumn, answers: Sequence[object]) -> tuple[pa.Array, int]:
        values = [answer.get(column.name) if isinstance(answer, dict) else None for answer in answers]
        return array_of(values, column.type)

    def _counted(self, columns: Iterable[tuple[pa.Array, int]]) -> list[pa.Array]:
        found = list(columns)
        self._misfits += sum(misfits for _, misfits in found)
        return [array for array, _ in found]

    def _flush(self) -> None:
        """Write a group of rows."""
        if self._group:
            self._writer.write_table(pa.Table.from_batches(self._group, self._schema))
            self._group.clear()
            self._group_size = 0
