"""JSON in and out without loss, at msgspec's speed.

msgspec keeps whole numbers of any size, but refuses lone surrogates (`"\\ud800"`). Answers may hold them, so such texts
take the standard library's slower way.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What msgspec raises for texts that it cannot read."""


encode: Final = msgspec.json.Encoder().encode
"""Write a value as compact JSON in UTF-8; raises UnicodeEncodeError for half a surrogate pair."""


def loads(text: str | bytes | memoryview) -> object:
    """Parse one JSON value, numbers of any size included.

    Raises ValueError where `text` is not valid JSON, is nested too deep, or holds a number that no float can hold.
    """
    try:
        value: object = _decode(text)
    except UNREADABLE:
        return _loads_slowly(text)
    return value


def dumps(value: object) -> bytes:
    """Write a value as compact JSON in UTF-8, exactly as `loads` read it."""
    try:
        return encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def is_deeper_than(levels: int, value: object) -> bool:
    """Return whether lists and objects are nested deeper, level by level, so that no depth exhausts the stack."""
    level: list[object] = [value]
    for _ in range(levels):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def syntax_error(text: str) -> str:
    """Say what is wrong with a text that `loads` refused, and where."""
    try:
        json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return "unknown"


_decode = msgspec.json.Decoder().decode


def _loads_slowly(text: str | bytes | memoryview) -> object:
    try:
        text = text if isinstance(text, str) else bytes(text).decode("utf-8-sig")
        value: object = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not valid JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON value from outside if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a JSON value from outside if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """Return a JSON value from outside if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""
