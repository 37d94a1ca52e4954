"""Reads Bicep files as trees, for rules of our own, also where there is no compiler.

The parser, pycep, knows the syntax and not the types; and it gives names and string literals alike, as text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

INFRA = Path(__file__).resolve().parents[2] / "infra"


@dataclass(frozen=True)
class Resource:
    """One resource that is declared, not one that is only referred to."""

    file: str
    name: str
    type: str
    api_version: str
    config: dict[str, Any]

    def at(self, path: str) -> Any:
        """The value at a path of keys, `properties.sku.name`; None where there is none."""
        value: Any = self.config
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value


@cache
def parsed(file: str) -> dict[str, Any]:
    """One file's tree; raises where it is no Bicep."""
    tree: dict[str, Any] = dict(BicepParser().parse(text=(INFRA / file).read_text("utf-8")))
    return tree


def files() -> list[str]:
    """The names of all Bicep files."""
    return sorted(path.name for path in INFRA.glob("*.bicep"))


def resources(kind: str = "") -> list[Resource]:
    """All resources that are declared, of one type where it is given (its case does not matter)."""
    return [item for file in files() for item in _resources(file) if not kind or item.type.lower() == kind.lower()]


def only(kind: str) -> Resource:
    """The one resource of a type."""
    (found,) = resources(kind)
    return found


def texts(value: Any) -> Iterator[str]:
    """All texts anywhere in a value: names, literals, and keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def _resources(file: str) -> Iterator[Resource]:
    for name, item in parsed(file).get("resources", {}).items():
        if item["existing"]:
            continue
        config = item["config"]
        # A condition or a loop stands around the resource itself.
        while isinstance(config.get("config"), dict):
            config = config["config"]
        yield Resource(file, name, item["type"], item["api_version"], config)
