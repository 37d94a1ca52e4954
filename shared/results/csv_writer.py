"""results.csv: UTF-8 with BOM, RFC 4180, CRLF."""

import csv
import re
from collections.abc import Callable, Sequence
from operator import is_not, itemgetter
from typing import Any, Final

from shared.results import CHUNK_SIZE
from shared.results.answer_columns import Cell, cell_of
from shared.results.half_pairs import without_half_pairs

_RISKY: Final = frozenset("=+-@\t\r")
_first_character: Final[Callable[[Any], object]] = itemgetter(slice(1))
_PLAIN: Final = frozenset((str, int, float, type(None)))
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class _Lines:
    """What csv writes to: a list of lines."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


class CsvTable:
    """Writes results.csv to a sink; with `guard`, texts that a spreadsheet would run get a leading `'`."""

    def __init__(
        self, write: Callable[[bytes], object], names: Sequence[str], *, guard: bool, separator: str = ","
    ) -> None:
        self._write = write
        self._guard = guard
        self._pending = ["\ufeff"]
        self._size = 0
        lines = _Lines(self._pending)
        self._csv = csv.writer(lines, delimiter=separator, lineterminator="\r\n")
        # Many readers drop white space at a cell's ends where it is not quoted.
        self._quoting = csv.writer(lines, delimiter=separator, lineterminator="\r\n", quoting=csv.QUOTE_STRINGS)
        self.add([[name] for name in names])

    def add(self, columns: Sequence[Sequence[object]]) -> None:
        """Append rows, given by column."""
        before = len(self._pending)
        texts = [_texts_of(values) for values in columns]
        shown = [
            values if _is_plain(values, its_texts) else list(map(self._shown, values))
            for values, its_texts in zip(columns, texts, strict=True)
        ]
        rows = zip(*shown, strict=True)
        if any(map(_has_outer_space, texts)):
            for row in rows:
                (self._quoting if _has_outer_space(_texts_of(row)) else self._csv).writerow(row)
        else:
            self._csv.writerows(rows)
        self._size += sum(map(len, self._pending[before:]))
        if self._size >= CHUNK_SIZE:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()

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


def _texts_of(values: Sequence[object]) -> Sequence[Any]:
    """Take the texts among values."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    return [value for value in values if type(value) is str] if str in kinds else ()


def _is_plain(values: Sequence[object], texts: Sequence[Any]) -> bool:
    """Return whether csv writes all values right: numbers, and texts that begin like no formula."""
    if len(texts) < len(values) and not set(map(type, values)) <= _PLAIN:
        return False
    return _RISKY.isdisjoint(map(_first_character, texts))


def _has_outer_space(texts: Sequence[Any]) -> bool:
    """Return whether a text begins or ends with white space."""
    return any(map(is_not, map(str.strip, texts), texts))


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet would run a text; a number with a sign is not (OWASP: CSV injection)."""
    return text[:1] in _RISKY and _NUMBER.fullmatch(text) is None
