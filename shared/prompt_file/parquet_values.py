"""Arrow's columns → values as JSON and prompts show them, and as tables of results keep them.

In JSON, decimals and integers beyond 64 bits are texts with all their digits, dates and times ISO 8601, bytes base64,
NaN and infinities null, maps with text keys objects.
"""

import base64
import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as kinds

_UNITS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_OUT_OF_RANGE: Final = re.compile("<value out of range: (.*)>")
_TEXTS: Final = (kinds.is_string, kinds.is_large_string, kinds.is_string_view)
_BYTES: Final = (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary, kinds.is_binary_view)
_LISTS: Final = (
    kinds.is_list,
    kinds.is_large_list,
    kinds.is_fixed_size_list,
    kinds.is_list_view,
    kinds.is_large_list_view,
)
_KEPT: Final = (Decimal, date, datetime, time)


def is_nested(type_: pa.DataType) -> bool:
    """Return whether a column holds lists or objects."""
    return bool(kinds.is_nested(_plain_type(type_)))


def shown(array: pa.Array) -> list[Any]:
    """Read a column as JSON shows its values."""
    array, type_ = _plain(array), _plain_type(array.type)
    if kinds.is_map(type_):
        return _maps(array, type_)
    if _is_list(type_):
        return _lists(array)
    if kinds.is_struct(type_):
        return _structs(array, type_)
    if kinds.is_temporal(type_):
        return _moments(array, type_)
    if any(is_bytes(type_) for is_bytes in _BYTES):
        return [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]
    if kinds.is_decimal(type_):
        return [None if value is None else _digits(value) for value in array.to_pylist()]
    if kinds.is_floating(type_):
        return [value if value is None or math.isfinite(value) else None for value in array.to_pylist()]
    return list(array.to_pylist())


def typed(array: pa.Array, values: list[Any]) -> list[Any]:
    """Read a column with its own types, where Python and tables know them; `values` are the same as JSON shows them."""
    type_ = _plain_type(array.type)
    is_moment = kinds.is_date(type_) or kinds.is_timestamp(type_) or kinds.is_time(type_)
    # Python's moments end at microseconds.
    if not (is_moment or kinds.is_decimal(type_)) or getattr(type_, "unit", "") == "ns":
        return values
    try:
        found = _plain(array).to_pylist()
    except (ValueError, OverflowError, OSError):
        return values
    return [value if type(value) in _KEPT else text for value, text in zip(found, values, strict=True)]


def _plain_type(type_: pa.DataType) -> pa.DataType:
    """Look behind dictionaries and extensions."""
    if kinds.is_dictionary(type_):
        return _plain_type(type_.value_type)
    return _plain_type(type_.storage_type) if isinstance(type_, pa.BaseExtensionType) else type_


def _plain(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage)
    if kinds.is_dictionary(array.type):
        return _plain(array.dictionary_decode())
    if kinds.is_string_view(array.type):
        return array.cast(pa.large_string())
    if kinds.is_list_view(array.type) or kinds.is_large_list_view(array.type):
        return array.cast(pa.large_list(array.type.value_field))
    return array


def _is_list(type_: pa.DataType) -> bool:
    return any(is_list(type_) for is_list in _LISTS)


def _lists(array: pa.Array) -> list[Any]:
    values = iter(shown(array.flatten()))
    lengths = array.value_lengths().to_pylist()
    return [None if length is None else [next(values) for _ in range(length)] for length in lengths]


def _structs(array: pa.Array, type_: pa.StructType) -> list[Any]:
    names = [field.name for field in type_]
    columns = [shown(column) for column in array.flatten()]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(array))
    return [
        dict(zip(names, row, strict=True)) if is_valid else None
        for row, is_valid in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _maps(array: pa.Array, type_: pa.MapType) -> list[Any]:
    """Read maps as objects; those with other keys than texts as lists of pairs."""
    entry = pa.struct([pa.field("key", type_.key_type, nullable=False), pa.field("value", type_.item_type)])
    found = [some and [tuple(pair.values()) for pair in some] for some in _lists(array.cast(pa.list_(entry)))]
    if any(is_text(_plain_type(type_.key_type)) for is_text in _TEXTS):
        return [None if some is None else dict(some) for some in found]
    return [None if some is None else list(map(list, some)) for some in found]


def _moments(array: pa.Array, type_: pa.DataType) -> list[Any]:
    """Write dates, times and durations as ISO 8601; what cannot be one, beyond a day for instance, as its number."""
    if kinds.is_duration(type_):
        unit = _UNITS[type_.unit]
        return [None if value is None else _duration(value, unit) for value in array.cast(pa.int64()).to_pylist()]
    if kinds.is_timestamp(type_) and type_.tz:
        array = array.cast(pa.timestamp(type_.unit, "UTC"))
    return [None if text is None else _iso(text) for text in array.cast(pa.string()).to_pylist()]


def _iso(text: str) -> str:
    """Write Arrow's text of a moment as ISO 8601, without a zero fraction; a number if it cannot be one."""
    if no_moment := _OUT_OF_RANGE.fullmatch(text):
        return no_moment[1]
    whole, dot, fraction = text.removesuffix("Z").replace(" ", "T").partition(".")
    fraction = dot + fraction if fraction.strip("0") else ""
    return whole + fraction + ("Z" if text.endswith("Z") else "")


def _duration(value: int, unit: int) -> str:
    seconds, rest = divmod(abs(value), unit)
    fraction = f"{rest:0{len(str(unit)) - 1}}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}PT{seconds}{'.' if fraction else ''}{fraction}S"


def _digits(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
