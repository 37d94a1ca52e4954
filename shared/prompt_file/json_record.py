"""One JSON value → one row: a record of columns, a ready-made batch request, or a line of an errors.jsonl.

A line of errors.jsonl that is dropped again is known by its `error`, an object with `code` and `row`, beside a
`source` or a ready-made request. Its `error` and `answer` are ignored; a `source` object is read in its place, a
`source` text is parsed again. Any other object named `error` or `source` is the user's own column.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from shared import json_codec
from shared.domain.errors import JobFault
from shared.domain.model import Fault, JobCode, Record, RowBlock, RowCode, block_of_one
from shared.prompt_file.encoding import REMEDY
from shared.prompt_file.json_syntax import why_not_json

MAX_DEPTH: Final = 200
"""Nesting of a row; results wrap a row in a few levels more."""

# A search for 19 digits in a row, ten times as fast as by a regular expression.
_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19

_AS_OBJECT: Final = (
    'Write it as an object with a key for each column, {"Prompt": "…"}: the line of a table cannot be read without its '
    "header."
)
_KINDS: Final = {str: "a text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}

_PLAIN: Final = frozenset({str, bool, int, float, type(None)})
"""What a value may be with which a row is neither nested, nor a batch request, nor an error line."""

_UNKNOWN: Final = object()
_decode: Final = msgspec.json.Decoder().decode


def blocks_of(row: int, lines: Sequence[bytes], values: Sequence[Any] | None) -> Iterator[RowBlock]:
    """Return lines, the first as row `row`, as one block where they have the same keys and plain values, else each.

    `values` are what `parse_all` made of them.
    """
    if values is None:
        yield from (block_of_one(parse_record(place, line)) for place, line in enumerate(lines, row))
    elif alike := _block_of_alike(row, lines, values):
        yield alike
    else:
        parsed = zip(lines, values, strict=True)
        yield from (block_of_one(parse_record(place, *line)) for place, line in enumerate(parsed, row))


def _block_of_alike(row: int, lines: Sequence[bytes], values: Sequence[Any]) -> RowBlock | None:
    try:
        kinds = set(map(tuple, values))
        rows = list(map(tuple, map(dict.values, values)))
    except TypeError:
        return None
    types = set(map(type, chain.from_iterable(rows)))
    if len(kinds) != 1 or not types <= _PLAIN:
        return None
    if int in types and _may_hold_huge_number(b"".join(lines)) and any(map(_holds_huge_number, chain(*rows))):
        return None
    return RowBlock(row, kinds.pop(), rows)


def parse_all(lines: Sequence[bytes]) -> list[object] | None:
    """Parse lines at once; None where one of them is blank, or not JSON, or has more around its value."""
    try:
        return list(map(_decode, lines))
    except json_codec.UNREADABLE:
        return None


def parse_record(row: int, raw: bytes, value: object = _UNKNOWN) -> Record:
    """Read one line or array element; what is not a JSON object becomes a row with the fault `invalid_json`.

    `value` is what `parse_all` made of it. Raises JobFault (`not_utf8`) where the bytes are not UTF-8.
    """
    custom_id, dropped_again = "", False
    while True:
        value = _parse(raw) if value is _UNKNOWN else value
        reason = value.reason if isinstance(value, _NotJson) else _why_unusable(raw, value)
        if reason:
            return _unreadable(row, raw, reason, custom_id, dropped_again)
        assert isinstance(value, dict)  # Anything else has a reason.
        if "error" not in value or not _is_error_line(value):
            return Record(row, value, custom_id=custom_id)
        custom_id = value["custom_id"] if isinstance(value.get("custom_id"), str) else custom_id
        source = value.get("source")
        if not isinstance(source, str):
            return Record(row, _request_of(value) if source is None else source, custom_id=custom_id)
        raw, value, dropped_again = source.encode(), _UNKNOWN, True


class _NotJson:
    """Stands for a text that could not be parsed, and says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _parse(raw: bytes) -> object:
    try:
        return _decode(raw)
    except json_codec.UNREADABLE:
        pass  # The standard library knows why and where.
    if (request := _without_answer(raw)) is not None:
        return request
    return _NotJson(why_not_json(raw.decode(errors="replace").strip(" \t\r\n")))


def _why_unusable(raw: bytes, value: object) -> str:
    """Say what keeps a parsed value from being a row; empty where nothing does."""
    if type(value) is list:
        return "is a list and not a JSON object: if the file is a JSON array, name it .json"
    if type(value) is not dict:
        return f"is {_KINDS[type(value)]} and not a JSON object"
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and json_codec.is_deeper_than(MAX_DEPTH, value):
        return f"is nested more than {MAX_DEPTH} levels deep"
    if _may_hold_huge_number(raw) and _holds_huge_number(value):
        return "holds a whole number beyond 64 bits, which would be rounded: put it in quotes"
    return ""


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


def _without_answer(raw: bytes) -> dict[str, object] | None:
    """Parse an error line without its answer, where that alone is why it is refused: a cut text may end in half a pair.

    None for any other line.
    """
    if b'"answer"' not in raw:
        return None
    try:
        value = json_codec.loads(raw)
        if not isinstance(value, dict) or "answer" not in value or not _is_error_line(value):
            return None
        del value["answer"]
        msgspec.json.encode(value)
        return value
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


def _may_hold_huge_number(raw: bytes) -> bool:
    return _LONG_NUMBER in raw.translate(_ZEROS)


def _holds_huge_number(value: object) -> bool:
    """Return whether a whole number needs more than 64 bits: the request could not be written."""
    if isinstance(value, dict | list):
        return any(map(_holds_huge_number, value.values() if isinstance(value, dict) else value))
    return type(value) is int and not -(2**63) <= value < 2**64
