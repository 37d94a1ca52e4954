"""How large a schema may be: all numbers in one place.

`warned` are the older figures, which Microsoft's page on Structured Outputs (properties, nesting) and OpenAI's older
guide still name: some models and regions may hold to them. `allowed` are OpenAI's current ones, measured on Azure for
the nesting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.answer_schema.report import Report

_LONG_ENUM: Final = 250


@dataclass(frozen=True, slots=True)
class Limit:
    """A size of the schema, the figure beyond which we warn, and the one beyond which we refuse."""

    name: str
    warned: int
    allowed: int
    remedy: str


PROPERTIES: Final = Limit("properties in all", 100, 5_000, "ask for fewer fields, or split them over two jobs")
NESTING: Final = Limit("levels of objects within objects", 5, 10, "flatten it, or move objects to $defs")
ENUM_VALUES: Final = Limit("enum values in all", 500, 1_000, "use a plain string where the list is long")
LONG_ENUM: Final = Limit(
    f"characters in an enum of more than {_LONG_ENUM} values", 7_500, 15_000, "shorten its values, or use a string"
)
NAMES: Final = Limit(
    "characters of names, enum and const values in all", 15_000, 120_000, "shorten names and enum values"
)
LIMITS: Final = (PROPERTIES, NESTING, ENUM_VALUES, LONG_ENUM, NAMES)


def check_limits(schema: dict[str, object], report: Report) -> tuple[str, ...]:
    """Measure a strict schema: what is too large becomes a fault, what may be too large a warning, returned."""
    sizes = _sizes(schema)
    warnings = []
    for limit in LIMITS:
        size = sizes[limit]
        if size > limit.allowed:
            report.fault("$", f"has {size:,} {limit.name}, {limit.allowed:,} are allowed; {limit.remedy}")
        elif size > limit.warned:
            warnings.append(f"$: has {size:,} {limit.name}; older models and api-versions allow only {limit.warned:,}")
    return tuple(warnings)


def _sizes(schema: dict[str, object]) -> dict[Limit, int]:
    sizes = dict.fromkeys(LIMITS, 0)
    for node, depth in _schemas(schema, 0):
        properties, values = node.get("properties"), node.get("enum")
        if isinstance(properties, dict):
            sizes[PROPERTIES] += len(properties)
            sizes[NAMES] += sum(map(len, properties))
            sizes[NESTING] = max(sizes[NESTING], depth + 1)
        if isinstance(values, list):
            length = _length(values)
            sizes[ENUM_VALUES] += len(values)
            sizes[NAMES] += length
            if len(values) > _LONG_ENUM:
                sizes[LONG_ENUM] = max(sizes[LONG_ENUM], length)
        sizes[NAMES] += _length([node["const"]]) if "const" in node else 0
        sizes[NAMES] += sum(map(len, _dict(node.get("$defs"))))
    return sizes


def _schemas(node: object, depth: int) -> Iterator[tuple[dict[str, object], int]]:
    """Return all schemas within a schema, each with the number of objects around it; definitions start anew."""
    if not isinstance(node, dict):
        return
    yield node, depth
    for definition in _dict(node.get("$defs")).values():
        yield from _schemas(definition, 0)
    for schema in _dict(node.get("properties")).values():
        yield from _schemas(schema, depth + 1)
    yield from _schemas(node.get("items"), depth)
    branches = node.get("anyOf")
    if isinstance(branches, list):
        for branch in branches:
            yield from _schemas(branch, depth)


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _length(values: list[object]) -> int:
    return sum(len(value) for value in values if isinstance(value, str))
