"""`enum` and `const`: their values by type, as the service wants all values of one enum to be of the same type."""

from collections.abc import Iterable

from shared.answer_schema.keywords import ANNOTATIONS, CHECKS, family


def listed_values(node: dict[str, object]) -> list[object]:
    """Return the values that enum and const allow together; empty where there are none."""
    values = node.get("enum", [node.get("const")])
    if not isinstance(values, list):
        return []
    if "const" in node:
        return [value for value in values if _same(value, node["const"])]
    return values


def kind_of(value: object) -> str:
    """Return a JSON value's type, a whole number's being integer."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


def by_type(values: Iterable[object], declared: list[str] | None) -> dict[str, list[object]]:
    """Group plain values by type, each once; values that the declared types exclude are left out."""
    groups: dict[str, list[object]] = {}
    distinct = {(isinstance(value, bool), value): value for value in values}.values()
    wide = declared is None and "number" in map(kind_of, distinct)
    for value in distinct:
        kind = kind_of(value)
        if kind == "integer" and (wide or (declared is not None and "integer" not in declared)):
            kind = "number"
        if declared is None or kind in declared:
            groups.setdefault(kind, []).append(value)
    return groups


def schema_of_group(node: dict[str, object], kind: str, values: list[object]) -> dict[str, object]:
    """Return the schema for the values of one type, with the words and the checks that concern that type."""
    if kind == "null":
        return {"type": "null"}
    allowed = {"type", "enum" if "enum" in node else "const", *ANNOTATIONS, *CHECKS[family(kind)]}
    own = {key: value for key, value in node.items() if key in allowed} | {"type": kind}
    if "enum" in own:
        own["enum"] = values
    return own


def _same(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other
