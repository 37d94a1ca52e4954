"""The types that a schema names, or implies by its other keywords."""

from shared.answer_schema import enums
from shared.answer_schema.keywords import ANNOTATIONS, CHECKS, STRUCTURE, family
from shared.answer_schema.references import BadReferenceError, References

type Schema = dict[str, object]


def kinds_of(node: Schema) -> list[str]:
    """Return the types of a schema by its own keywords, empty if they imply none."""
    if "type" in node:
        kinds = node["type"]
        return list(dict.fromkeys(map(str, kinds if isinstance(kinds, list) else [kinds])))
    if "enum" in node or "const" in node:
        return list(dict.fromkeys(map(enums.kind_of, enums.listed_values(node))))
    if "properties" in node:
        return ["object"]
    return ["array"] if "items" in node else []


def kinds_allowed(node: object, references: References) -> set[str]:
    """Return the types that a part of the user's schema names or implies, through `anyOf` and `$ref`."""
    return _allowed(node, references, set())


def is_untyped(schema: Schema) -> bool:
    """Return whether a schema says nothing about its type, so that the schema around it decides."""
    return not schema.keys() & {"type", "$ref", "anyOf", "allOf", "oneOf"}


def keywords_of(kind: str) -> frozenset[str]:
    """Return the keywords that apply to a type."""
    return frozenset({"type", *ANNOTATIONS, *CHECKS[family(kind)], *STRUCTURE.get(kind, ())})


def _allowed(node: object, references: References, seen: set[str]) -> set[str]:
    if not isinstance(node, dict):
        return set()
    if "$ref" in node:
        return _allowed_by_target(str(node["$ref"]), references, seen)
    branches = node.get("anyOf")
    if isinstance(branches, list):
        return {kind for branch in branches for kind in _allowed(branch, references, seen)}
    return set(kinds_of(node))


def _allowed_by_target(ref: str, references: References, seen: set[str]) -> set[str]:
    if ref in seen:
        return set()
    seen.add(ref)
    try:
        return _allowed(references.node(references.target(ref)), references, seen)
    except BadReferenceError:
        return set()
