"""JSON in and out. What can't be read is a ValueError, whatever the reason."""

import json
from typing import Any

import msgspec


def read(text: bytes | str) -> Any:
    """Parse one JSON value; raises ValueError where the text isn't one, or is nested too deeply."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None


def write(value: Any) -> bytes:
    """Write a value as compact JSON in UTF-8; raises ValueError where it is nested too deeply."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("The value is nested too deeply.") from None
