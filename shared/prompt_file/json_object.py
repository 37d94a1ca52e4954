"""One JSON object as a file: it is a row, or the rows are the one array of objects in it."""

import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final, NamedTuple

from shared.prompt_file.columns import Meaning, meaning_of
from shared.prompt_file.json_array import SPACE, broken, elements, space_end

_TO_BRACKET: Final = re.compile(r'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+', re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\[\]{}\":]*+")


class _Member(NamedTuple):
    """A key of the object, and where its value begins and ends."""

    key: str
    start: int
    end: int


def rows_of_object(text: str) -> Iterator[list[str]]:
    """Return the texts of the rows in a file that begins with `{`, some at a time.

    An object with exactly one array of objects in it, and neither a prompt nor a `body` beside it, is that array; any
    other is one row. Raises JobFault (`invalid_file`) where the file ends within the object or goes on after it.
    """
    end = _end_of_brackets(text, 0)
    if end is None:
        raise broken("ends before its object does")
    if text[end:].strip(SPACE):
        raise broken("goes on after the end of its object")
    members = _members(text, end - 1)
    arrays = [member for member in members if _is_array_of_objects(text, member.start)]
    if len(arrays) == 1 and not any(_is_row_key(member.key) for member in members):
        yield from elements([text[arrays[0].start : arrays[0].end]])
    else:
        yield [text[:end]]


def _is_row_key(key: str) -> bool:
    return key == "body" or meaning_of(key) is Meaning.PROMPT


def _is_array_of_objects(text: str, start: int) -> bool:
    if text[start : start + 1] != "[":
        return False
    first = space_end(text, start + 1)
    return text[first : first + 1] == "{"


def _members(text: str, end: int) -> list[_Member]:
    """Find the object's members; none if it is not valid JSON, which is reported when it is read as a row."""
    members: list[_Member] = []
    at = space_end(text, 1)
    while at < end:
        try:
            key, at = scanstring(text, at + 1) if text[at] == '"' else ("", end)
            colon = space_end(text, at)
            start = space_end(text, colon + 1)
            value_end = _end_of_value(text, start) if text[colon : colon + 1] == ":" else None
        except ValueError:
            return []
        if value_end is None:
            return []
        members.append(_Member(key, start, value_end))
        at = space_end(text, value_end)
        if text[at : at + 1] not in (",", "}"):
            return []
        at = space_end(text, at + 1)
    return members


def _end_of_value(text: str, start: int) -> int | None:
    if text[start : start + 1] in ("[", "{"):
        return _end_of_brackets(text, start)
    if text[start : start + 1] == '"':
        end: int = scanstring(text, start + 1)[1]
        return end
    found = _SCALAR.match(text, start)
    return len(text[: found.end()].rstrip(SPACE)) if found and found.end() > start else None


def _end_of_brackets(text: str, start: int) -> int | None:
    """Return where the bracket that opens at `start` is closed, strings passed over; None where it is not."""
    depth, at = 0, start
    while at < len(text):
        if text[at] in "[{":
            depth += 1
        elif text[at] in "]}":
            depth -= 1
            if not depth:
                return at + 1
        else:
            return None
        found = _TO_BRACKET.match(text, at + 1)
        at = found.end() if found else len(text)
    return None
