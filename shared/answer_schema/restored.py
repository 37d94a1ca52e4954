"""A schema as it was sent → the schema for checking answers, restored from the words in its descriptions.

This undoes `sent_form` as well as the words allow. It is needed for lines of errors.jsonl, which may hold only the
schema that was sent: version 1.0.0 wrote no other.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from shared.answer_schema.sent_form import checks_of

type Schema = dict[str, object]

_NUMBER: Final = r"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_WORDS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "minLength": (r"At least (\d+) characters?\.", int),
    "maxLength": (r"At most (\d+) characters?\.", int),
    "minItems": (r"At least (\d+) items?\.", int),
    "maxItems": (r"At most (\d+) items?\.", int),
    "minContains": (r"At least (\d+) items? like that\.", int),
    "maxContains": (r"At most (\d+) items? like that\.", int),
    "contains": (r"Contains an item that fits (\{.*\})\.", json.loads),
    "uniqueItems": (r"(No item twice)\.", bool),
    "minimum": (rf"At least {_NUMBER}\.", json.loads),
    "maximum": (rf"At most {_NUMBER}\.", json.loads),
    "exclusiveMinimum": (rf"Greater than {_NUMBER}\.", json.loads),
    "exclusiveMaximum": (rf"Less than {_NUMBER}\.", json.loads),
    "multipleOf": (rf"A multiple of {_NUMBER}\.", json.loads),
    "format": (r"Format: ([a-z-]+)\.", str),
    "pattern": (r"Matches the regular expression (.+)", str),
}
"""How descriptions say each check, and how its value is read from there."""

_AT_END: Final = {key: re.compile(rf"(?:^|(?<= )){words}$", re.DOTALL) for key, (words, _) in _WORDS.items()}


def restored(sent: object) -> Schema:
    """Turn the checks at the end of descriptions back into keywords."""
    if not isinstance(sent, dict):
        return {}
    schema = sent | _checks(sent)
    for key in ("properties", "$defs"):
        if isinstance(inner := schema.get(key), dict):
            schema[key] = {name: restored(part) for name, part in inner.items()}
    if isinstance(schema.get("items"), dict):
        schema["items"] = restored(schema["items"])
    if isinstance(branches := schema.get("anyOf"), list):
        schema["anyOf"] = [restored(branch) for branch in branches]
    return schema


def _checks(node: Schema) -> Schema:
    text = str(node.get("description", ""))
    possible = [key for key in checks_of(node) if key in _WORDS and key not in node]
    found: Schema = {}
    while key := next((key for key in possible if key not in found and _AT_END[key].search(text)), None):
        match = _AT_END[key].search(text)
        assert match is not None
        try:
            found[key] = _WORDS[key][1](match[1])
        except ValueError:
            break
        text = text[: match.start()].rstrip()
    return dict(reversed(found.items()))
