"""Where the values of answers lie, by their JSON Schema: past references and «or null», down to plain values."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

WIDTH_LIMIT: Final = 5000
"""Columns that one schema's objects are flattened into at most: references can multiply without end."""


class SchemaWalk:
    """Finds the fields of one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._recursive = cache(self._reaches_itself)
        self._width_of = cache(self._referred_width)

    def columns(self) -> Iterator[tuple[str, ...]]:
        """List the paths of all values but closed objects; an object that is too wide stays whole."""
        left = WIDTH_LIMIT
        for name, schema in (self.properties(self._root, at_root=True) or {}).items():
            width = self._width(schema)
            if width <= left:
                left -= width
                yield from self._leaves((name,), schema)
            else:
                yield (name,)

    def properties(self, schema: Any, *, at_root: bool = False) -> Mapping[str, Any] | None:
        """Find an object's properties, through references and past «or null»; None where it is to stay whole."""
        schema = self.plain(schema, at_root=at_root)
        if schema is None:
            return None
        properties = schema.get("properties")
        closed = not schema.get("additionalProperties") and not schema.get("patternProperties")
        return properties if isinstance(properties, dict) and properties and closed and _is_object(schema) else None

    def plain(self, schema: Any, *, at_root: bool = False) -> Mapping[str, Any] | None:
        """Find the schema itself, past references and «or null»; None where it is recursive or one of several."""
        if not isinstance(schema, dict):
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return None if self._recursive(reference) and not at_root else self.plain(self._target(reference))
        for keyword in ("anyOf", "oneOf"):
            if isinstance(branches := schema.get(keyword), list):
                branches = [branch for branch in branches if branch != {"type": "null"}]
                return self.plain(branches[0]) if len(branches) == 1 else None
        return schema

    def _leaves(self, path: tuple[str, ...], schema: Any) -> Iterator[tuple[str, ...]]:
        inner = self.properties(schema)
        if inner is None:
            yield path
        else:
            for name, property_schema in inner.items():
                yield from self._leaves((*path, name), property_schema)

    def _width(self, schema: Any) -> int:
        if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
            return self._width_of(reference)
        inner = self.properties(schema)
        return 1 if inner is None else sum(map(self._width, inner.values()))

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
    """Return whether a value is an object, or null."""
    kind = schema.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and set(kind) <= {"object", "null"})
