"""Values → Arrow's columns: the user's own, as the prompt file had them, and the answers'."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa

from shared import json_codec
from shared.results.half_pairs import without_half_pairs
from shared.results.table import Own

type Kind = type[Any]

_TYPES: Final[Mapping[frozenset[Kind], pa.DataType]] = {
    frozenset((bool,)): pa.bool_(),
    frozenset((int,)): pa.int64(),
    frozenset((float,)): pa.float64(),
    frozenset((int, float)): pa.float64(),
    frozenset((date,)): pa.date32(),
    frozenset((datetime,)): pa.timestamp("us"),
    frozenset((date, datetime)): pa.timestamp("us"),
    frozenset((time,)): pa.time64("us"),
    frozenset((timedelta,)): pa.duration("us"),
}
_LARGEST: Final = 2**63


class OwnValues:
    """Own columns that come as Python's values: those of all files but Parquet."""

    def __init__(self, kinds: Mapping[str, frozenset[Kind]]) -> None:
        """`kinds` says of each column which kinds of values it has, by `kind_of`."""
        self.names = list(kinds)
        self.types = [_TYPES.get(found, pa.string()) for found in kinds.values()]

    def take(self, values: Own) -> Iterator[tuple[pa.Array, int]]:
        """Make the columns of the next rows, each with the count of values that do not fit."""
        for name, type_ in zip(self.names, self.types, strict=True):
            yield array_of([row.get(name) for row in values], type_)


class OwnBatches:
    """Own columns that are copied from the prompt file's own, which is Parquet: row for row, in the same order."""

    def __init__(self, names: Sequence[str], schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self.names = list(names)
        self.types = [schema.field(name).type for name in names]
        self._batches = batches
        self._rest: pa.RecordBatch | None = None

    def take(self, values: Own) -> Iterator[tuple[pa.Array, int]]:
        """Take the columns of as many rows as there are values."""
        parts = []
        wanted = len(values)
        while wanted:
            if self._rest is None or not self._rest.num_rows:
                self._rest = next(self._batches).select(self.names)
            part = self._rest.slice(0, wanted)
            parts.append(part)
            self._rest = self._rest.slice(part.num_rows)
            wanted -= part.num_rows
        for name, type_ in zip(self.names, self.types, strict=True):
            yield pa.chunked_array([part.column(name) for part in parts], type_).combine_chunks(), 0


def kind_of(value: object) -> Kind | None:
    """Tell which kind of column a value asks for; None for nothing, and `str` for what only a text holds exactly."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST:
        return str
    return int if isinstance(value, int) and not isinstance(value, bool) else type(value)


def array_of(values: Sequence[Any], type_: pa.DataType) -> tuple[pa.Array, int]:
    """Make a column of values; what does not fit is null, and counted."""
    if pa.types.is_string(type_):
        values = [value if value is None else _text(value) for value in values]
    try:
        return pa.array(values, type_), 0
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        fitting = [_fitting(value, type_) for value in values]
        misfits = sum(value is not None and fit is None for value, fit in zip(values, fitting, strict=True))
        return pa.array(fitting, type_), misfits


def _text(value: object) -> str:
    """Write a value as a text: all but texts as JSON shows them, without quotes around."""
    shown = value if isinstance(value, str) else json_codec.dumps(value).decode()
    if shown is not value and shown.startswith('"'):
        shown = str(json_codec.loads(shown))
    return without_half_pairs(shown)


def _fitting(value: Any, type_: pa.DataType) -> Any:
    """Return a value as its column takes it, None where it cannot."""
    if pa.types.is_integer(type_) and isinstance(value, float) and value.is_integer():
        value = int(value)
    elif pa.types.is_floating(type_) and isinstance(value, int):
        value = float(value)
    value = _whole(value)
    try:
        pa.array([value], type_)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
    return value


def _whole(value: Any) -> Any:
    """Replace halves of surrogate pairs in all texts of a value."""
    if isinstance(value, str):
        return without_half_pairs(value)
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(inner) for key, inner in value.items()}
    return value
