"""A JSON Schema's fields as typed columns of results.parquet: an answer's list or object is one column.

What has no such type (maps, recursive objects, values of several types) is a text of JSON. Arrow is loaded with this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from shared.results.schema_walk import SchemaWalk

_PLAIN: Final = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
_DEEPEST: Final = 32
"""Levels of nesting that are columns' types; deeper ones are JSON."""


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """One top-level field of the answers; `is_json` where its values are written as JSON."""

    name: str
    type: pa.DataType
    is_json: bool


def answer_columns(schemas: Sequence[Mapping[str, Any]]) -> list[AnswerColumn]:
    """List the top-level fields of all schemas, in order of first appearance; types that differ make JSON of it."""
    found: dict[str, pa.DataType | None] = {}
    for schema in schemas:
        try:
            types = _types_of(schema)
        except RecursionError:
            types = dict.fromkeys(schema.get("properties") or {})
        for name, type_ in types.items():
            found[name] = type_ if found.get(name, type_) == type_ else None
    return [AnswerColumn(name, type_ or pa.string(), type_ is None) for name, type_ in found.items()]


def _types_of(schema: Mapping[str, Any]) -> dict[str, pa.DataType | None]:
    walk = SchemaWalk(schema)
    properties = walk.properties(schema, at_root=True) or {}
    return {name: _type_of(walk, part, _DEEPEST) for name, part in properties.items()}


def _type_of(walk: SchemaWalk, schema: Any, levels: int) -> pa.DataType | None:
    """Find the type of a value; None where only JSON can hold it."""
    inner = walk.properties(schema)
    part = walk.plain(schema)
    if levels == 0 or part is None:
        return None
    if inner is not None:
        fields = [(name, _type_of(walk, value, levels - 1)) for name, value in inner.items()]
        return None if any(type_ is None for _, type_ in fields) else pa.struct(fields)
    kinds = part.get("type")
    names = set(kinds if isinstance(kinds, list) else [kinds]) - {"null", None}
    if len(names) != 1:
        return _type_of_values(part)
    (name,) = names
    if name == "array":
        item = _type_of(walk, part.get("items"), levels - 1)
        return None if item is None else pa.list_(item)
    return _PLAIN.get(name)


def _type_of_values(part: Mapping[str, Any]) -> pa.DataType | None:
    """Find the type of the values that a schema without a type allows."""
    allowed = part.get("enum", [part["const"]] if "const" in part else [])
    kinds = {type(value) for value in allowed if value is not None}
    return (
        {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}.get(*kinds)
        if len(kinds) == 1
        else None
    )
