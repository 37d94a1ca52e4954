"""One JSON value → one record: a record of columns, a whole batch request, or a line of an errors.jsonl.

A line of errors.jsonl that is dropped again is known by its `error`, an object with `code` and `row`, beside a
`source` or a whole request. Its `error` and `answer` are ignored; a `source` object is read in its place, a `source`
text is parsed again. Any other object named `error` or `source` is the user's own column.
"""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Final

import orjson

from shared import json_codec
from shared.domain.errors import JobFault
from shared.domain.model import Fault, JobCode, Record, RowBlock, RowCode
from shared.prompt_file.encoding import REMEDY

MAX_DEPTH: Final = 200
"""Nesting of a row; orjson writes 254 levels, and results wrap a row in a few more."""

# A search for 19 digits in a row, ten times as fast as by a regular expression.
_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19

_AS_OBJECT: Final = (
    'Write it as an object with a key for each column, {"Prompt": "…"}: the line of a table cannot be read without its '
    "header."
)

_PLAIN: Final = frozenset({str, bool, int, float, type(None)})
"""What a value may be with which a row is neither nested, nor a batch request, nor an error line."""


def parse_alike(row: int, lines: Sequence[bytes]) -> RowBlock | None:
    """Read lines at once, the first as row `row`; None where they are no records with the same keys and plain values.

    What it gives is what `parse_record` would give for each of them.
    """
    try:
        values = list(map(orjson.loads, lines))
        kinds = set(map(tuple, values))
        rows = list(map(tuple, map(dict.values, values)))
    except (orjson.JSONDecodeError, TypeError):
        return None
    types = set(map(type, chain.from_iterable(rows)))
    # A whole number that was rounded has become a float.
    if len(kinds) != 1 or not types <= _PLAIN or (float in types and _LONG_NUMBER in b"".join(lines).translate(_ZEROS)):
        return None
    return RowBlock(row, kinds.pop(), rows)


def parse_record(row: int, raw: bytes) -> Record:
    """Read one line or array element; what is no JSON object becomes a record with the fault `invalid_json`.

    Raises JobFault (`not_utf8`) where the bytes are no UTF-8.
    """
    custom_id, dropped_again = "", False
    while True:
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            if (request := _without_answer(raw)) is not None:
                raw = request
                continue
            return _unreadable(
                row, raw, f"is no JSON: {error.msg} at character {error.pos + 1}", custom_id, dropped_again
            )
        if type(value) is not dict:
            return _unreadable(row, raw, f"is {_kind_of(value)} and no JSON object", custom_id, dropped_again)
        if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _too_deep(value):
            reason = f"is nested more than {MAX_DEPTH} levels deep"
            return _unreadable(row, raw, reason, custom_id, dropped_again)
        if _LONG_NUMBER in raw.translate(_ZEROS) and _holds_huge_number(raw):
            reason = "holds a whole number beyond 64 bits, which would be rounded: put it in quotes"
            return _unreadable(row, raw, reason, custom_id, dropped_again)
        if "error" not in value or not _is_error_line(value):
            return Record(row, value, custom_id=custom_id)
        custom_id = value["custom_id"] if isinstance(value.get("custom_id"), str) else custom_id
        source = value.get("source")
        if not isinstance(source, str):
            return Record(row, _request_of(value) if source is None else source, custom_id=custom_id)
        raw, dropped_again = source.encode(), True


def _unreadable(row: int, raw: bytes, reason: str, custom_id: str, dropped_again: bool) -> Record:
    try:
        text = raw.decode().strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise JobFault(
            JobCode.NOT_UTF8,
            f"The file is not valid UTF-8: byte {error.start + 1} of row {row} is wrong. {REMEDY}.",
        ) from None
    message = f"Row {row} {reason}."
    if dropped_again:
        message = f'The text under "source" of row {row} {reason}. {_AS_OBJECT}'
    return Record(row, {}, text, Fault(RowCode.INVALID_JSON, message), custom_id)


def _without_answer(raw: bytes) -> bytes | None:
    """Drop an error line's answer where that alone is why orjson refuses it: a cut text may end in half a character.

    None where it is no such line.
    """
    if b'"answer"' not in raw:
        return None
    try:
        value = json_codec.loads(raw)
        if not isinstance(value, dict) or "answer" not in value or not _is_error_line(value):
            return None
        del value["answer"]
        return orjson.dumps(value)
    except (ValueError, TypeError):
        return None


def _request_of(line: dict[str, object]) -> dict[str, object]:
    return {key: item for key, item in line.items() if key not in ("error", "answer")}


def _is_error_line(value: dict[str, object]) -> bool:
    error = value.get("error")
    if not (isinstance(error, dict) and isinstance(error.get("code"), str) and type(error.get("row")) is int):
        return False
    if "source" in value:
        return isinstance(value["source"], str | dict)
    return isinstance(value.get("body"), dict) and "url" in value


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return names[type(value)]


def _too_deep(value: object) -> bool:
    """Whether a value is nested deeper than allowed; level by level, so that no depth can exhaust the stack."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _holds_huge_number(raw: bytes) -> bool:
    """Whether an integer needs more than 64 bits: orjson reads it as a float and would not write it back."""

    def check(digits: str) -> int:
        if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
            raise _HugeNumberError
        return 0

    try:
        json.loads(raw, parse_int=check)
    except _HugeNumberError:
        return True
    return False


class _HugeNumberError(Exception):
    """Leaves the JSON parser early."""
