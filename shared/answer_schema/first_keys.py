"""Objects in one `anyOf` that begin with the same key, by which the service may want to tell them apart.

Source: its refusal "Objects provided via 'anyOf' must not share identical first keys", reported of Azure, too.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from shared.answer_schema.enums import listed_values
from shared.answer_schema.recursion import definitions_of
from shared.answer_schema.report import at

type Schema = Mapping[str, object]

_LOOKED_AT: Final = 500
"""The most schemas followed for each `anyOf`, as references may form long chains."""


def check_first_keys(schema: Schema) -> tuple[str, ...]:
    """Return a warning for each `anyOf` with two such objects, unless the key's values tell them apart."""
    definitions = definitions_of(schema)
    found = ((path, _shared_key(branches, definitions)) for path, branches in _unions(schema, "$"))
    return tuple(
        f"{path}: has objects that begin with the same key {key!r}, which some models and api-versions refuse; "
        "put first a key whose const differs in each"
        for path, key in found
        if key is not None
    )


def _unions(node: object, path: str) -> Iterator[tuple[str, list[object]]]:
    """Return all `anyOf` within a schema."""
    if not isinstance(node, dict):
        return
    for key in ("properties", "$defs"):
        inner = node.get(key)
        for name, schema in inner.items() if isinstance(inner, dict) else ():
            yield from _unions(schema, at(path, key, name))
    yield from _unions(node.get("items"), at(path, "items"))
    branches = node.get("anyOf")
    if isinstance(branches, list):
        yield at(path, "anyOf"), branches
        for number, branch in enumerate(branches):
            yield from _unions(branch, at(path, "anyOf", number))


def _shared_key(branches: list[object], definitions: Schema) -> str | None:
    """Return the key that two objects begin with, where its value does not tell them apart."""
    seen: dict[str, list[object]] = {}
    for key, schema in _first_keys(branches, definitions):
        values = _values(schema, definitions)
        if key in seen and (not values or not seen[key] or any(value in seen[key] for value in values)):
            return key
        seen[key] = [*seen.get(key, ()), *values]
    return None


def _first_keys(branches: list[object], definitions: Schema) -> Iterator[tuple[str, object]]:
    """Return the first key, and its schema, of each object that one of the branches allows."""
    waiting, passed = list(branches), set[str]()
    for node in islice(waiting, _LOOKED_AT):
        if not isinstance(node, dict):
            continue
        ref, properties, inner = node.get("$ref"), node.get("properties"), node.get("anyOf")
        if isinstance(ref, str):
            waiting += [] if ref in passed else [definitions.get(ref)]
            passed.add(ref)
        elif isinstance(inner, list):
            waiting += inner
        elif isinstance(properties, dict):
            yield from islice(properties.items(), 1)


def _values(schema: object, definitions: Schema) -> list[object]:
    """Return the only values that a schema allows; none where it does not list them."""
    if isinstance(schema, dict) and "$ref" in schema:
        schema = definitions.get(str(schema["$ref"]))
    return listed_values(schema) if isinstance(schema, dict) and schema.keys() & {"enum", "const"} else []
