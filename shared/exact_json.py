"""JSON in and out without loss, at orjson's speed.

orjson refuses lone surrogates (`"\\ud800"`) and turns whole numbers beyond 64 bits into floats. Answers may hold both,
so such texts take the standard library's slower way.
"""

import json
import math
from typing import Final

import orjson

# Shorter runs of digits always fit into 64 bits.
_LONG_NUMBER: Final = b"0" * 19
_DIGITS_TO_ZERO: Final = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else byte for byte in range(256))


def loads(text: str | bytes) -> object:
    """Parse one JSON value, numbers of any size included.

    Raises ValueError where `text` is no JSON, is nested too deep, or holds a number that no float can hold.
    """
    try:
        value: object = orjson.loads(text)
    except ValueError:
        return _loads_slowly(text)
    raw = text.encode() if isinstance(text, str) else text
    if _LONG_NUMBER in raw.translate(_DIGITS_TO_ZERO):
        return _loads_slowly(text)
    return value


def loads_line(line: bytes) -> object:
    """Parse a line of the service's own making, whose own numbers are small; raises ValueError like `loads`."""
    try:
        value: object = orjson.loads(line)
    except ValueError:
        return _loads_slowly(line)
    return value


def dumps(value: object) -> bytes:
    """Write a value as compact JSON in UTF-8, exactly as `loads` read it."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dumps_slowly(value)


def _dumps_slowly(value: object) -> bytes:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _loads_slowly(text: str | bytes) -> object:
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value: object = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value
