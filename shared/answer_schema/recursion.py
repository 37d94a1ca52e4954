"""Recursive schemas: finds those with endless answers or endless references before anything is paid for them."""

from collections.abc import Mapping

from shared.answer_schema.report import Report, at

type Schema = Mapping[str, object]


def check_recursion(schema: Schema, report: Report) -> None:
    """Report definitions that refer to themselves without a property or list between, or that can never end."""
    definitions = definitions_of(schema)
    for ref in definitions:
        if _leads_back(ref, definitions):
            report.fault(_path(ref), "refers to itself without a property or a list between; leave that branch out")
    finite: set[str] = set()
    while True:
        found = {ref for ref in definitions.keys() - finite if _can_end(definitions[ref], finite)}
        if not found:
            break
        finite |= found
    for ref in sorted(definitions.keys() - finite):
        report.fault(_path(ref), "can never end, as it always contains itself; let the inner one be null")


def definitions_of(schema: Schema) -> dict[str, object]:
    """Return what the references of a strict schema lead to: its root, and its definitions."""
    definitions: dict[str, object] = {"#": schema}
    inner = schema.get("$defs")
    if isinstance(inner, dict):
        for name, definition in inner.items():
            definitions["#/$defs/" + name.replace("~", "~0").replace("/", "~1")] = definition
    return definitions


def _path(ref: str) -> str:
    return at("$", *ref.replace("~1", "/").replace("~0", "~").split("/", 2)[1:])


def _leads_back(start: str, definitions: Mapping[str, object]) -> bool:
    seen: set[str] = set()
    waiting = _next(definitions[start])
    while waiting:
        ref = waiting.pop()
        if ref == start:
            return True
        if ref not in seen:
            seen.add(ref)
            waiting += _next(definitions[ref])
    return False


def _next(node: object) -> list[str]:
    """Return the references that a part of an answer passes through at the same place."""
    if not isinstance(node, dict):
        return []
    if "$ref" in node:
        return [str(node["$ref"])]
    branches = node.get("anyOf")
    return [ref for branch in branches for ref in _next(branch)] if isinstance(branches, list) else []


def _can_end(node: object, finite: set[str]) -> bool:
    """Return whether some answer fits that uses only definitions known to end."""
    if not isinstance(node, dict):
        return True
    if "$ref" in node:
        return node["$ref"] in finite
    branches, properties = node.get("anyOf"), node.get("properties")
    if isinstance(branches, list):
        return any(_can_end(branch, finite) for branch in branches)
    if node.get("type") == "array" and node.get("minItems", 0) != 0:
        return _can_end(node.get("items"), finite)
    return all(_can_end(schema, finite) for schema in properties.values()) if isinstance(properties, dict) else True
