"""Parts of JSON from outside, taken for what they should be: another shape is an empty one, never an exception."""

from collections.abc import Mapping
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """Take an object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Take a list, empty where it is none."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """Take a text, empty where it is none."""
    return value if isinstance(value, str) else ""
