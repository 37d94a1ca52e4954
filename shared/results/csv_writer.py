"""The rows of results.csv and results.xlsx: their header and their cells, and results.csv itself."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, cast

from shared import json_codec
from shared.answers.outcomes import OutcomeLine
from shared.domain.model import FailedRow
from shared.results.answer_columns import Cell, Field, by_column, cell_of

CHUNK_SIZE: Final = 1024 * 1024
"""Characters or bytes that are collected before they are written."""

_FIRST: Final = ("custom_id",)
_LAST: Final = ("status", "error_code", "error_message")

_RISKY: Final = frozenset("=+-@\t\r")
_first_character: Final[Callable[[Any], object]] = itemgetter(slice(1))
_PLAIN: Final = frozenset((str, int, float, type(None)))
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def header(own: Sequence[str], fields: Sequence[Field]) -> list[str]:
    """Name the columns: custom_id, the user's own, the answer's fields, status, error_code, error_message.

    An answer's field that is named like a fixed column is prefixed `output.`, an own column that is named like a field
    or a fixed column `input.`; more than once where that name is taken too.
    """
    fixed = {*_FIRST, *_LAST}
    outputs = _prefixed("output.", [field.name for field in fields], fixed)
    inputs = _prefixed("input.", own, fixed.union(outputs))
    return [*_FIRST, *inputs, *outputs, *_LAST]


class Values:
    """Takes the rows' values under that header, by column, for the tables to show; what is absent or null is None."""

    def __init__(self, own: Sequence[str], fields: Sequence[Field]) -> None:
        self._own = own
        self._fields = fields

    def of_results(self, some: Sequence[OutcomeLine], inputs: Sequence[Mapping[str, object]]) -> list[Sequence[object]]:
        """The values of rows that succeeded."""
        answers = json_codec.loads(b"[%b]" % b",".join([line.output for line in some]))
        return [
            [line.custom_id for line in some],
            *[[own.get(name) for own in inputs] for name in self._own],
            *by_column(cast("list[object]", answers), self._fields),
            ["ok"] * len(some),
            [None] * len(some),
            [None] * len(some),
        ]

    def of_error(self, row: FailedRow) -> list[Sequence[object]]:
        """The values of a row that failed."""
        code = row.outcome.code and row.outcome.code.value
        own = map(row.input.get, self._own)
        nothing = [None] * len(self._fields)
        return [[value] for value in (row.custom_id, *own, *nothing, "error", code, row.outcome.message)]


def _prefixed(prefix: str, names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Prefix the names that are taken, or stand here twice, until each is the only one."""
    used = set(taken)
    free = {name for name in names if name not in used}
    result = []
    for name in names:
        unique = name
        while unique in used or (unique is not name and unique in free):
            unique = prefix + unique
        used.add(unique)
        result.append(unique)
    return result


class _Lines:
    """What csv writes to: a list of lines."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


class CsvTable:
    """results.csv: UTF-8 with BOM, RFC 4180, CRLF; texts that a spreadsheet would run get a leading `'` if guarded."""

    def __init__(self, write: Callable[[bytes], object], names: Sequence[str], *, guard: bool) -> None:
        self._write = write
        self._guard = guard
        self._pending = ["\ufeff"]
        self._size = 0
        self._csv = csv.writer(_Lines(self._pending), lineterminator="\r\n")
        self.add([[name] for name in names])

    def add(self, columns: Sequence[Sequence[object]]) -> None:
        """Append rows, given by column."""
        before = len(self._pending)
        shown = [values if _are_plain(values) else list(map(self._shown, values)) for values in columns]
        self._csv.writerows(zip(*shown, strict=True))
        self._size += sum(map(len, self._pending[before:]))
        if self._size >= CHUNK_SIZE:
            self._flush()

    def close(self) -> list[str]:
        """Write what is left; there is nothing to warn of."""
        self._flush()
        return []

    def _shown(self, value: object) -> Cell:
        """Change the few values that csv would not write right."""
        cell = cell_of(value)
        if isinstance(cell, str):
            return f"'{cell}" if self._guard and is_formula(cell) else cell
        if isinstance(cell, bool):
            return "true" if cell else "false"
        return cell

    def _flush(self) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        self._size = 0
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            encoded = without_half_pairs(text).encode()
        self._write(encoded)


def _are_plain(values: Sequence[object]) -> bool:
    """Whether csv writes all values right: numbers, and texts that begin like no formula."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return False
    texts = values if kinds == {str} else [value for value in values if type(value) is str]
    return _RISKY.isdisjoint(map(_first_character, texts))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a text; a number with a sign is none (OWASP: CSV injection)."""
    return text[:1] in _RISKY and _NUMBER.fullmatch(text) is None


def without_half_pairs(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but UTF-8 cannot hold."""
    return _HALF_PAIR.sub("\ufffd", text)
