"""Halves of surrogate pairs, which JSON can escape but UTF-8 cannot hold; strict readers refuse a file with one.

A text that a model's token limit cut may end in one. Result files show U+FFFD in its place.
"""

import json
import re
from typing import Final

from shared import json_codec

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_ESCAPES: Final = (b"\\ud", b"\\uD")


def without_half_pairs(text: str) -> str:
    """Replace the halves in a text."""
    return _HALF_PAIR.sub("\ufffd", text)


def may_hold_half_pairs(line: bytes) -> bool:
    """Return whether there is an escape in a JSON text that may be half a pair."""
    # A single byte is found ten times as fast, and most lines hold no escape at all.
    return b"\\" in line and any(escape in line for escape in _ESCAPES)


def readable_json(value: object) -> bytes:
    """Write a value as compact JSON that every reader takes."""
    try:
        written = json_codec.dumps(value)
    except UnicodeEncodeError:
        written = b"\\ud"
    if not may_hold_half_pairs(written):
        return written
    return without_half_pairs(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode()
