"""The rows of results.csv and results.xlsx: their header and their cells, and results.csv itself."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from shared.fields import Cell, Field, cell_of, flatten
from shared.model import ResultRow

CHUNK_SIZE: Final = 1024 * 1024
"""Characters or bytes that are collected before they are written."""

_FIRST: Final = ("custom_id",)
_LAST: Final = ("status", "error_code", "error_message")

_RISKY: Final = frozenset("=+-@\t\r")
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


def cells(row: ResultRow, own: Sequence[str], fields: Sequence[Field]) -> list[Cell]:
    """Give a row's cells under that header; what is absent or null is None."""
    outcome = row.outcome
    inputs = [cell_of(row.input.get(name)) for name in own]
    if outcome.code is None:
        return [row.custom_id, *inputs, *flatten(outcome.output, fields), "ok", None, None]
    return [row.custom_id, *inputs, *[None] * len(fields), "error", outcome.code.value, outcome.message]


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
        self.add(names)

    def add(self, row: Iterable[Cell]) -> None:
        """Append a row."""
        self._csv.writerow(
            [cell if type(cell) is str and cell[:1] not in _RISKY else self._shown(cell) for cell in row]
        )
        self._size += len(self._pending[-1])
        if self._size >= CHUNK_SIZE:
            self._flush()

    def close(self) -> list[str]:
        """Write what is left; there is nothing to warn of."""
        self._flush()
        return []

    def _shown(self, cell: Cell) -> Cell:
        """Change the few cells that csv would not write right."""
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


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a text; a number with a sign is none (OWASP: CSV injection)."""
    return text[:1] in _RISKY and _NUMBER.fullmatch(text) is None


def without_half_pairs(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but UTF-8 cannot hold."""
    return _HALF_PAIR.sub("\ufffd", text)
