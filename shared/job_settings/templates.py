"""Prompt templates: `{column}` stands for a row's value, `{{` and `}}` for braces."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared import json_codec
from shared.prompt_file.columns import column_key

_PIECE: Final = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<column>[^{}]*)\}|(?P<lone>[{}])|[^{}]+")

_IN_BRACES: Final = re.compile(r"\{([^{}\n\":]*[^{}\s\":][^{}\n\":]*)\}")


class MissingValue(Exception):
    """A row has no such column; `column` is its name as the template writes it."""

    def __init__(self, column: str) -> None:
        super().__init__(f'The template needs a column "{column}", which the row does not have.{brace_hint([column])}')
        self.column = column


def brace_hint(missing: Iterable[str]) -> str:
    """Say how braces are written, where the names of missing columns look like JSON or code; else nothing."""
    looks_like_code = any(character in name for name in missing for character in '":\n;')
    return " A brace itself is written twice in a template, {{ and }}." if looks_like_code else ""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: `columns` are the names that it needs, each once, in order.

    >>> Template.parse("Who built {Name}?").render({"name": "the Shard"})
    'Who built the Shard?'
    """

    columns: tuple[str, ...]
    _parts: tuple[tuple[str, str | None], ...]
    """A text and the column whose value follows it; the last is followed by none."""

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template; raises ValueError, with the place, for a lone brace or one without a name."""
        parts: list[tuple[str, str | None]] = []
        literal = ""
        for piece in _PIECE.finditer(text):
            column = piece["column"]
            if column is not None:
                if not column.strip():
                    raise ValueError(f"the braces {_place(text, piece.start())} name no column")
                parts.append((literal, column.strip()))
                literal = ""
            elif piece["lone"]:
                raise ValueError(
                    f"the brace {piece['lone']} {_place(text, piece.start())} has no partner: "
                    f"write a column as {{name}}, and a brace itself twice, {piece['lone'] * 2}"
                )
            else:
                literal += piece[0][0] if piece["brace"] else piece[0]
        columns = dict.fromkeys(column for _, column in parts if column is not None)
        return cls(tuple(columns), (*parts, (literal, None)))

    def render(self, values: Mapping[str, object]) -> str:
        """Put a row's values in; raises MissingValue.

        A column is found by its exact header, else without regard to case, spaces, `_` and `-`. A text stands as it
        is, null as nothing, like an empty cell, any other value as JSON.
        """
        out: list[str] = []
        for literal, column in self._parts:
            out.append(literal)
            if column is not None:
                out.append(_text_of(_value_of(values, column)))
        return "".join(out)

    def names_in_double_braces(self) -> tuple[str, ...]:
        """Return what the template's text has in braces: it was written in double ones."""
        return tuple(name.strip() for text, _ in self._parts for name in _IN_BRACES.findall(text))

    def missing_in(self, headers: Iterable[str]) -> tuple[str, ...]:
        """Name the columns that a table with these headers lacks."""
        given = tuple(headers)
        return tuple(column for column in self.columns if column not in given and _header_of(given, column) is None)


def is_empty(values: Mapping[str, object], column: str) -> bool:
    """Return whether a column that a template names has no value but white space; raises MissingValue."""
    value = values.get(column)
    if type(value) is str and value and not value.isspace():
        return False  # So it is of nearly all rows.
    text = _text_of(_value_of(values, column))
    return not text or text.isspace()


def _value_of(values: Mapping[str, object], column: str) -> object:
    if column in values:
        return values[column]
    header = _header_of(tuple(values), column)
    if header is None:
        raise MissingValue(column)
    return values[header]


# Rows come with the same headers over and over.
@lru_cache(maxsize=256)
def _header_of(headers: tuple[str, ...], column: str) -> str | None:
    key = column_key(column)
    return next((header for header in headers if column_key(header) == key), None)


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json_codec.dumps(value).decode()


def _place(text: str, index: int) -> str:
    """Say where a character is, as an editor counts: `in line 2, column 7`."""
    line = text.count("\n", 0, index) + 1
    column = index - text.rfind("\n", 0, index)
    return f"at character {column}" if "\n" not in text else f"in line {line} at character {column}"
