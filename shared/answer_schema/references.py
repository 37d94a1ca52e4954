"""A schema's `$ref`s: what they point to, and the names that the targets get in the strict schema."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

type Pointer = tuple[str, ...]

ROOT: Final[Pointer] = ()
DEFINITIONS: Final = ("$defs", "definitions")
MAX_DEPTH: Final = 64
MAX_NODES: Final = 100_000

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
"""Characters that would have to be escaped in a URI."""


class BadReferenceError(ValueError):
    """A `$ref` that cannot be followed; the text says why, and what to do."""


def too_big(schema: object) -> str | None:
    """Return why a value is too deep or too large to be read as a schema, None if it is not; cycles are too deep."""
    nodes = 0
    level = [schema]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        nodes += len(level)
        if nodes > MAX_NODES:
            return f"is larger than {MAX_NODES:,} JSON values; make it smaller"
        if not level:
            return None
    return f"is nested deeper than {MAX_DEPTH} levels of JSON; flatten it, or use $defs and $ref"


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return list(node) if isinstance(node, list) else []


class References:
    """Resolves the `$ref`s within one schema, and names their targets on first use."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        self._schema = schema
        self._names: dict[Pointer, str] = {}
        self._parts: dict[str, Pointer] | None = None
        self.root = self._root()
        self.unwritten: list[tuple[str, Pointer]] = []
        """Targets that were named and whose definition is not written yet."""

    def target(self, ref: object) -> Pointer:
        """Find what `$ref` points to, without following an endless chain; raises BadReferenceError."""
        pointer = found = self._parse(ref)
        seen = {found}
        node = self.node(found)
        while isinstance(node, dict) and "$ref" in node:
            found = self._parse(node["$ref"])
            if found in seen:
                raise BadReferenceError("refers to itself only; give it a type")
            seen.add(found)
            node = self.node(found)
        return pointer

    def node(self, pointer: Pointer) -> object:
        """Return the part of the schema at a pointer; raises BadReferenceError if there is nothing there."""
        node: object = self._schema
        for key in pointer:
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key in map(str, range(len(node))):
                node = node[int(key)]
            else:
                raise BadReferenceError("points to nothing in this schema; add it under $defs")
        return node

    def name(self, pointer: Pointer) -> str:
        """Return the `$ref` that stands for a target in the strict schema."""
        if pointer == self.root:
            return "#"
        if pointer not in self._names:
            name = self._free_name(_UNSAFE.sub("_", pointer[-1] if pointer else "Root") or "_")
            self._names[pointer] = name
            self.unwritten.append((name, pointer))
        return f"#/$defs/{self._names[pointer]}"

    def _free_name(self, wanted: str) -> str:
        taken = set(self._names.values())
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def _root(self) -> Pointer:
        """Return where the root lies: elsewhere if the schema is only a `$ref`, as Pydantic writes recursive models."""
        pointer: Pointer = ROOT
        seen: set[Pointer] = set()
        node: object = self._schema
        while isinstance(node, dict) and "$ref" in node and pointer not in seen:
            seen.add(pointer)
            try:
                pointer = self.target(node["$ref"])
                node = self.node(pointer)
            except BadReferenceError:
                return ROOT
        return pointer

    def _parse(self, ref: object) -> Pointer:
        if not isinstance(ref, str):
            raise BadReferenceError("must be a text like #/$defs/name")
        base, _, fragment = ref.partition("#")
        within = self._named(base)
        if within is None:
            raise BadReferenceError("points outside this schema, which is never fetched; copy it under $defs")
        if not fragment:
            return within
        if not fragment.startswith("/"):
            raise BadReferenceError("names an anchor, which is not supported; write #/$defs/name")
        keys = unquote(fragment).removeprefix("/").split("/")
        return (*within, *(key.replace("~1", "/").replace("~0", "~") for key in keys))

    def _named(self, name: str) -> Pointer | None:
        """Return where the part lies whose `$id` is `name`, the root for an empty one (TypeBox refers to parts so)."""
        if not name or name == str(self._schema.get("$id", "")).rstrip("#"):
            return ROOT
        if self._parts is None:
            self._parts = dict(_parts_with_id(self._schema, ROOT))
        return self._parts.get(name)


def _parts_with_id(node: object, pointer: Pointer) -> Iterator[tuple[str, Pointer]]:
    if isinstance(node, dict):
        if isinstance(name := node.get("$id"), str):
            yield name.rstrip("#"), pointer
        for key, value in node.items():
            yield from _parts_with_id(value, (*pointer, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _parts_with_id(value, (*pointer, str(place)))
