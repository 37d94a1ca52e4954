"""A JSON Schema's fields as columns of a table, and an answer's values in them.

An object that is not recursive is flattened into one column per property (`address.city`), also where it may be null.
Anything else has one column: a plain value stands there as it is, a list or object as JSON.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from shared import json_codec

WIDTH_LIMIT: Final = 5000
"""Columns that one schema's objects are flattened into at most: references can multiply without end."""

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


TEXT_FIELDS: Final = (Field(("text",)),)
"""The answers of rows without a schema."""


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """List the columns of answers that follow `schema`, in its order."""
    try:
        return tuple(Field(path) for path in _Walk(schema).columns())
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
    """Take the answers' values, a list for each column: like `flatten`, but values as they are."""
    if any(field.split or len(field.path) != 1 for field in fields):
        return list(zip(*(flatten(answer, fields) for answer in answers), strict=True))
    objects = [answer if isinstance(answer, dict) else {} for answer in answers]
    names = [field.name for field in fields]
    return [[answer.get(name) for answer in objects] for name in names]


def flatten(answer: object, fields: Sequence[Field]) -> list[Cell]:
    """Take an answer's values for the columns: None where there is none, lists and objects as JSON."""
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
    """Show one value in a table: plain ones as they are, all others as JSON."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return json_codec.dumps(value).decode()


def _covered(value: Mapping[str, object], path: tuple[str, ...], paths: set[tuple[str, ...]]) -> bool:
    """Whether other columns hold all of an object's values, so that it needs none of its own."""
    return all(
        (*path, name) in paths or (isinstance(inner, dict) and _covered(inner, (*path, name), paths))
        for name, inner in value.items()
    )


class _Walk:
    """Finds the columns of one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._recursive = cache(self._reaches_itself)
        self._width_of = cache(self._referred_width)

    def columns(self) -> Iterator[tuple[str, ...]]:
        """List the paths of all columns."""
        left = WIDTH_LIMIT
        for name, schema in (self._properties(self._root, at_root=True) or {}).items():
            width = self._width(schema)
            if width <= left:
                left -= width
                yield from self._leaves((name,), schema)
            else:
                yield (name,)

    def _leaves(self, path: tuple[str, ...], schema: Any) -> Iterator[tuple[str, ...]]:
        inner = self._properties(schema)
        if inner is None:
            yield path
        else:
            for name, property_schema in inner.items():
                yield from self._leaves((*path, name), property_schema)

    def _width(self, schema: Any) -> int:
        if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
            return self._width_of(reference)
        inner = self._properties(schema)
        return 1 if inner is None else sum(map(self._width, inner.values()))

    def _properties(self, schema: Any, *, at_root: bool = False) -> Mapping[str, Any] | None:
        """Find an object's properties, through references and past «or null»; None where it is to stay whole."""
        if not isinstance(schema, dict):
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return None if self._recursive(reference) and not at_root else self._properties(self._target(reference))
        for keyword in ("anyOf", "oneOf"):
            if isinstance(branches := schema.get(keyword), list):
                branches = [branch for branch in branches if branch != {"type": "null"}]
                return self._properties(branches[0]) if len(branches) == 1 else None
        properties = schema.get("properties")
        closed = not schema.get("additionalProperties") and not schema.get("patternProperties")
        return properties if isinstance(properties, dict) and properties and closed and _is_object(schema) else None

    def _referred_width(self, reference: str) -> int:
        return 1 if self._recursive(reference) else self._width(self._target(reference))

    def _target(self, reference: str) -> Any:
        """Follow a reference within the schema; None where it leads nowhere."""
        node: Any = self._root
        if not reference.startswith("#"):
            return None
        for step in unquote(reference[1:]).split("/")[1:]:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        return node

    def _reaches_itself(self, reference: str) -> bool:
        reached: set[str] = set()
        waiting = [reference]
        while waiting:
            found = set(_references(self._target(waiting.pop()))) - reached
            reached |= found
            waiting.extend(found)
        return reference in reached


def _references(schema: Any) -> Iterator[str]:
    """List all references below a part of a schema."""
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _is_object(schema: Mapping[str, Any]) -> bool:
    """Whether a value is an object, or null."""
    kind = schema.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and set(kind) <= {"object", "null"})
