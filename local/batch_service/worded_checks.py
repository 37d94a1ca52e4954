"""Checks that a field's description words, such as "At least 1. At most 5.", as JSON Schema keywords.

Strict schemas lack minimum, maxLength, pattern and their kin. Who needs them says so in the description, and a model
that reads it keeps to them: so made-up answers do too.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Schema = dict[str, Any]
_NUMBER = r"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_HEADS = (
    "At least ", "At most ", "Greater than ", "Less than ", "A multiple of ", "Format: ", "Matches the regular ",
    "A date as ", "A time of day ", "A date and time ",
    "No item twice.", "Contains an item ", "Encoded as ", "Of the media type ", "Examples: ",
)  # fmt: skip
_NEXT = rf"(?= (?:{'|'.join(map(re.escape, _HEADS))})|$)"


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


_TIMES = {
    "A date as YYYY-MM-DD": "date",
    "A time of day as HH:MM:SS": "time",
    "A date and time as YYYY-MM-DDTHH:MM:SS": "date-time",
}


_SENTENCES: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("minContains", re.compile(r"At least (\d+) items? like that\."), int),
    ("maxContains", re.compile(r"At most (\d+) items? like that\."), int),
    ("minItems", re.compile(r"At least (\d+) items?\."), int),
    ("maxItems", re.compile(r"At most (\d+) items?\."), int),
    ("minLength", re.compile(r"At least (\d+) characters?\."), int),
    ("maxLength", re.compile(r"At most (\d+) characters?\."), int),
    ("minimum", re.compile(rf"At least {_NUMBER}\.(?!\d)"), _number),
    ("maximum", re.compile(rf"At most {_NUMBER}\.(?!\d)"), _number),
    ("exclusiveMinimum", re.compile(rf"Greater than {_NUMBER}\.(?!\d)"), _number),
    ("exclusiveMaximum", re.compile(rf"Less than {_NUMBER}\.(?!\d)"), _number),
    ("multipleOf", re.compile(rf"A multiple of {_NUMBER}\.(?!\d)"), _number),
    ("format", re.compile(r"Format: ([a-z0-9-]+)\."), str),
    ("format", re.compile(rf"({'|'.join(_TIMES)}), such as "), _TIMES.__getitem__),
    ("pattern", re.compile(rf"Matches the regular expression (.+?){_NEXT}", re.DOTALL), str),
    ("uniqueItems", re.compile(r"(No item twice)\."), bool),
)
_CONTAINS = "Contains an item that fits "


@lru_cache(maxsize=4096)
def checks_in(description: str) -> Schema:
    """Return the keywords that a description words; the last one counts where it says one twice."""
    found = {
        keyword: read(match[1]) for keyword, sentence, read in _SENTENCES for match in sentence.finditer(description)
    }
    _, head, rest = description.partition(_CONTAINS)
    if head:
        try:
            found["contains"], _ = json.JSONDecoder().raw_decode(rest)
        except ValueError:
            pass
    return found
