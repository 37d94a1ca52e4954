"""A JSON Schema's fields as columns of a table, and an answer's values in them.

An object that is not recursive is flattened into one column per property (`address.city`), also where it may be null.
Anything else has one column: a plain value unchanged, a list or object as JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared import json_codec
from shared.results.schema_walk import SchemaWalk

type Cell = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Field:
    """One column of answers: the path of its value; `split` where other columns hold parts of that value."""

    path: tuple[str, ...]
    split: bool = False

    @property
    def name(self) -> str:
        """The column's name: `address.city`."""
        return ".".join(self.path)


TEXT_SCHEMA: Final[Mapping[str, Any]] = {"type": "object", "properties": {"text": {"type": "string"}}}
"""The answers of rows without a schema."""


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """List the columns of answers that follow `schema`, in its order."""
    try:
        return tuple(Field(path) for path in SchemaWalk(schema).columns())
    except RecursionError:
        # References can be chained beyond any depth: then nothing is flattened.
        properties = schema.get("properties")
        return tuple(Field((name,)) for name in properties) if isinstance(properties, dict) else ()


def union(of_schemas: Iterable[Sequence[Field]]) -> tuple[Field, ...]:
    """Join the columns of several schemas, in order of first appearance."""
    paths = dict.fromkeys(field.path for fields in of_schemas for field in fields)
    inner = {path[:length] for path in paths for length in range(1, len(path))}
    return tuple(Field(path, split=path in inner) for path in paths)


def by_column(answers: Sequence[object], fields: Sequence[Field]) -> list[Sequence[object]]:
    """Take the answers' values, a list for each column: like `flatten`, but with the values unchanged."""
    if any(field.split or len(field.path) != 1 for field in fields):
        return list(zip(*(flatten(answer, fields) for answer in answers), strict=True))
    objects = [answer if isinstance(answer, dict) else {} for answer in answers]
    names = [field.name for field in fields]
    return [[answer.get(name) for answer in objects] for name in names]


def flatten(answer: object, fields: Sequence[Field]) -> list[Cell]:
    """Take an answer's values for the columns: None for an absent one, lists and objects as JSON."""
    row: list[Cell] = []
    for field in fields:
        value = answer
        for step in field.path:
            value = value.get(step) if isinstance(value, dict) else None
        if field.split and isinstance(value, dict) and _covered(value, field.path, {other.path for other in fields}):
            value = None
        row.append(value if isinstance(value, str) else cell_of(value))
    return row


def cell_of(value: object) -> Cell:
    """Show one value in a table: plain ones unchanged, all others as JSON."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return json_codec.dumps(value).decode()


def _covered(value: Mapping[str, object], path: tuple[str, ...], paths: set[tuple[str, ...]]) -> bool:
    """Return whether other columns hold all of an object's values, so that it needs no column itself."""
    return all(
        (*path, name) in paths or (isinstance(inner, dict) and _covered(inner, (*path, name), paths))
        for name, inner in value.items()
    )
