"""Makes a schema strict without changing its meaning; what cannot be is a fault.

The strict form still holds the checks that the service doesn't support: it is what answers are checked with.
Rules: Microsoft's page on Structured Outputs for Azure OpenAI, and OpenAI's guide on supported schemas.
"""

from collections.abc import Iterable
from typing import Final

import jsonschema_rs

from shared.answer_schema import choices
from shared.answer_schema.keywords import (
    ANNOTATIONS,
    CHECKS,
    PLAIN_CHECKS,
    REFUSED,
    SILENTLY_DROPPED,
    STRUCTURE,
    TYPES,
    family,
)
from shared.answer_schema.nullable import nullable, takes_type_list
from shared.answer_schema.references import BadReferenceError, References
from shared.answer_schema.report import Change, Report, at

type Schema = dict[str, object]

_UNUSABLE: Final[Schema] = {"type": "null"}
"""Stands for a part at fault, so that the other faults are found too."""

_OPEN_MAP: Final = "is an open map, which is not supported; name its properties, or make it a list of key and value"
_CHECKS_ANYWHERE: Final = frozenset(key for checks in CHECKS.values() for key in checks) - {"contains"}
_BESIDE_ANY_OF: Final = ANNOTATIONS | _CHECKS_ANYWHERE | {"type"}
_CONSTRAINTS: Final = STRUCTURE["object"] | STRUCTURE["array"] | {"enum", "const", "contains", "anyOf", "$ref"}


class StrictForm:
    """Writes the strict form of one schema; faults and changes go to the report."""

    def __init__(self, schema: Schema, report: Report) -> None:
        self._report = report
        self._schema = self._single(schema, ("allOf", "oneOf", "anyOf"), "$")
        self._references = References(self._schema)

    def write(self) -> Schema:
        """The whole schema: the root, and under `$defs` all that it refers to, directly or not."""
        root = self._root()
        definitions: Schema = {}
        while self._references.unwritten:
            name, pointer = self._references.unwritten.pop(0)
            definitions[name] = self._convert(self._references.node(pointer), at("$", *pointer))
        if not definitions:
            return root
        defined_first = next(iter(self._schema)) in ("$defs", "definitions")
        return {"$defs": definitions, **root} if defined_first else {**root, "$defs": definitions}

    def _root(self) -> Schema:
        pointer = self._references.root
        path = at("$", *pointer)
        node = self._references.node(pointer)
        if pointer and isinstance(node, dict):
            self._report.change(Change.UNWRAPPED, "$.$ref")
            node = node | {key: self._schema[key] for key in ("title", "description") if key in self._schema}
        if isinstance(node, dict) and "anyOf" in node:
            return self._fault(at(path, "anyOf"), "is not supported at the root; put it into a property of an object")
        faults = len(self._report.findings)
        root = self._convert(node, path)
        if root.get("type") != "object" and len(self._report.findings) == faults:
            self._report.fault(path, "the root must be of the type object; put this into a property of an object")
        return root

    def _convert(self, node: object, path: str) -> Schema:
        if not isinstance(node, dict):
            return self._fault(path, "must be an object that names a type; true, false and {} are not supported")
        node = self._single(node, ("allOf", "oneOf"), path)
        refused = [key for key in node if key in REFUSED]
        for key in refused:
            self._fault(at(path, key), REFUSED[key])
        if refused:
            return _UNUSABLE
        strict = self._by_kind(self._without_metadata(node, path), path)
        if node.get("nullable") is True:
            self._report.change(Change.NULLABLE, path)
            return nullable(strict)
        return strict

    def _by_kind(self, node: Schema, path: str) -> Schema:
        if "$ref" in node:
            return self._reference(node, path)
        if "anyOf" in node:
            return self._union(node, path)
        if "enum" in node or "const" in node:
            return self._choice(node, path)
        return self._typed(node, path)

    def _fault(self, path: str, problem: str) -> Schema:
        self._report.fault(path, problem)
        return _UNUSABLE

    def _single(self, node: Schema, keys: tuple[str, ...], path: str) -> Schema:
        """Replace lists of a single schema by that schema, as often as they lie in one another."""
        for key in keys:
            branches = node.get(key)
            if isinstance(branches, list) and len(branches) == 1 and isinstance(branches[0], dict):
                self._report.change(Change.UNWRAPPED, at(path, key))
                return self._single(self._merged(node, key, branches[0], path), keys, path)
        return node

    def _merged(self, node: Schema, key: str, branch: Schema, path: str) -> Schema:
        """Put the one schema of a list in its place; what is said beside the list comes first."""
        outer = {name: value for name, value in node.items() if name != key}
        for name in branch:
            if name in outer and outer[name] != branch[name] and name not in _FREE:
                self._fault(at(path, key, 0, name), f"differs from the {name} beside {key}; merge the two")
        return outer | {name: value for name, value in branch.items() if name not in outer}

    def _without_metadata(self, node: Schema, path: str) -> Schema:
        if "default" in node:
            self._report.change(Change.DEFAULT, at(path, "default"))
        kept = {key: value for key, value in node.items() if key not in SILENTLY_DROPPED and key != "default"}
        for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(flag := kept.get(exclusive), bool):  # as in JSON Schema draft 4
                del kept[exclusive]
                if flag and limit in kept:
                    kept[exclusive] = kept.pop(limit)
        return kept

    def _reference(self, node: Schema, path: str) -> Schema:
        try:
            pointer = self._references.target(node["$ref"])
        except BadReferenceError as exc:
            return self._fault(at(path, "$ref"), str(exc))
        kept = self._beside("$ref", node, [self._references.node(pointer)], path)
        return {"$ref": self._references.name(pointer)} | kept

    def _union(self, node: Schema, path: str) -> Schema:
        branches = node["anyOf"]
        if not isinstance(branches, list) or not branches:
            return self._fault(at(path, "anyOf"), "must be a list of schemas")
        if "type" in node:
            branches = [{"type": node["type"]} | b if isinstance(b, dict) and _untyped(b) else b for b in branches]
        kept = self._beside("anyOf", node, branches, path)
        strict = [self._convert(branch, at(path, "anyOf", i)) for i, branch in enumerate(branches)]
        return {key: strict if key == "anyOf" else kept[key] for key in node if key == "anyOf" or key in kept}

    def _beside(self, key: str, node: Schema, targets: list[object], path: str) -> Schema:
        """What may stand beside `$ref` or `anyOf`: words, checks, and a type that says nothing new."""
        for name in node:
            if name in _CONSTRAINTS and name != key:
                self._fault(at(path, name), f"cannot stand beside {key}; put it into each schema that is meant")
            elif name not in _BESIDE_ANY_OF and name != key:
                self._report.change(Change.DROPPED, at(path, name))
        if "type" in node:
            allowed = set(_types(node))
            said = {kind for target in targets for kind in self._types_of(target, set())}
            if not said <= allowed | ({"integer"} if "number" in allowed else set()):
                self._fault(at(path, "type"), f"differs from what {key} says; leave it out")
        return {name: value for name, value in node.items() if name in _BESIDE_ANY_OF and name != "type"}

    def _types_of(self, node: object, seen: set[str]) -> set[str]:
        """The types that a part of the user's schema allows, as far as it says so."""
        if not isinstance(node, dict):
            return set()
        if "$ref" in node:
            return self._types_of_target(str(node["$ref"]), seen)
        branches = node.get("anyOf")
        if isinstance(branches, list):
            return {kind for branch in branches for kind in self._types_of(branch, seen)}
        return set(_types(node))

    def _types_of_target(self, ref: str, seen: set[str]) -> set[str]:
        if ref in seen:
            return set()
        seen.add(ref)
        try:
            return self._types_of(self._references.node(self._references.target(ref)), seen)
        except BadReferenceError:
            return set()

    def _choice(self, node: Schema, path: str) -> Schema:
        values = choices.listed_values(node)
        if any(isinstance(value, dict | list) for value in values):
            return self._fault(path, "enum and const may hold texts, numbers, booleans and null only")
        groups = choices.by_type(values, _types(node) if "type" in node else None)
        if not groups:
            return self._fault(path, "allows no value; list under enum at least one that fits the type")
        if "type" not in node:
            self._report.change(Change.TYPED_VALUES, path)
        written = [choices.schema_of_group(node, kind, values) for kind, values in groups.items()]
        return self._branches(written, node, path)

    def _typed(self, node: Schema, path: str) -> Schema:
        kinds = _types(node)
        if not kinds or not set(kinds) <= set(TYPES):
            return self._fault(path, f"has no known type; allowed are {', '.join(TYPES)}")
        if "type" not in node:
            self._report.change(Change.TYPED, path)
        kept = {key for kind in kinds for key in _keywords(kind)}
        for key in node:
            if key not in kept:
                self._report.change(Change.DROPPED, at(path, key))
        return self._branches([self._of_type(kind, node, path) for kind in kinds], node, path)

    def _branches(self, written: list[Schema], node: Schema, path: str) -> Schema:
        """One schema for one type, `[type, null]` for one that may be null and can say so, else anyOf."""
        valued = [schema for schema in written if schema["type"] != "null"]
        if len(written) == 1:
            return written[0]
        if len(valued) == 1 and takes_type_list(valued[0]):
            return valued[0] | {"type": node["type"]}
        self._report.change(Change.SPLIT, path)
        words = {key: value for key, value in node.items() if key in ANNOTATIONS}
        return {"anyOf": [{k: v for k, v in schema.items() if k not in words} for schema in written]} | words

    def _of_type(self, kind: str, node: Schema, path: str) -> Schema:
        kept = _keywords(kind)
        own = {key: value for key, value in node.items() if key in kept} | {"type": kind}
        if kind == "object":
            return self._object(own, path)
        return self._array(own, path) if kind == "array" else own

    def _array(self, node: Schema, path: str) -> Schema:
        if isinstance(node.get("items"), list):
            return self._fault(at(path, "items"), REFUSED["prefixItems"])
        if "items" not in node:
            return self._fault(path, "is a list of anything; say under items what its items are")
        strict = {key: value for key, value in node.items() if key != "unevaluatedItems"}
        strict["items"] = items = self._convert(node["items"], at(path, "items"))
        if "contains" in node and not (_is_plain(node["contains"]) and takes_type_list(items)):
            self._fault(at(path, "contains"), "is only supported for lists of plain values; leave it out")
        return strict

    def _object(self, node: Schema, path: str) -> Schema:
        if not self._closed(node, path):
            return _UNUSABLE
        properties, required = node.get("properties"), node.get("required", [])
        if not isinstance(properties, dict) or not properties:
            return self._fault(path, "has no properties; name at least one under properties")
        if not isinstance(required, list) or not all(isinstance(n, str) and n in properties for n in required):
            return self._fault(at(path, "required"), "must be a list of names that stand under properties")
        self._check_names(node, properties, set(required), path)
        parts: Schema = {
            "type": "object",
            "properties": {
                name: self._property(schema, name in required, at(path, "properties", name))
                for name, schema in properties.items()
            },
            "required": list(dict.fromkeys([*required, *properties]))
            if _complete(required, properties)
            else list(properties),
            "additionalProperties": False,
        }
        kept = ANNOTATIONS | parts.keys()
        return {key: parts.get(key, value) for key, value in (node | parts).items() if key in kept}

    def _property(self, schema: object, required: bool, path: str) -> Schema:
        strict = self._convert(schema, path)
        if required:
            return strict
        self._report.change(Change.REQUIRED, path)
        return nullable(strict)

    def _closed(self, node: Schema, path: str) -> bool:
        """Whether nothing but the named properties may stand in the object; an open map is a fault."""
        for key in ("additionalProperties", "unevaluatedProperties"):
            if node.get(key, False) is not False:
                self._fault(at(path, key), _OPEN_MAP)
                return False
        if "properties" not in node and "additionalProperties" not in node:
            self._fault(path, _OPEN_MAP)
            return False
        if "additionalProperties" not in node:
            self._report.change(Change.CLOSED, path)
        return True

    def _check_names(self, node: Schema, properties: Schema, required: set[object], path: str) -> None:
        """Rules on the number and the names of properties hold always or never, once all are there: else a fault."""
        least, most = node.get("minProperties", 0), node.get("maxProperties", len(properties))
        if not isinstance(least, int) or least > len(required):
            self._fault(at(path, "minProperties"), "cannot be kept, as every property is always there; leave it out")
        if not isinstance(most, int) or most < len(properties):
            self._fault(at(path, "maxProperties"), "cannot be kept, as every property is always there; leave it out")
        if "propertyNames" in node and not _fits_all(node["propertyNames"], properties):
            self._fault(at(path, "propertyNames"), "does not fit the names under properties; leave it out")


_FREE: Final = ANNOTATIONS | SILENTLY_DROPPED | {"default"}
"""What may differ between a schema and the one in its list of one."""


def _untyped(schema: Schema) -> bool:
    return not schema.keys() & {"type", "$ref", "anyOf", "allOf", "oneOf"}


def _keywords(kind: str) -> frozenset[str]:
    return frozenset({"type", *ANNOTATIONS, *CHECKS[family(kind)], *STRUCTURE.get(kind, ())})


def _types(node: Schema) -> list[str]:
    """The types that a schema names, or shows by its other keywords."""
    if "type" in node:
        kinds = node["type"]
        return list(dict.fromkeys(map(str, kinds if isinstance(kinds, list) else [kinds])))
    if "enum" in node or "const" in node:
        return list(dict.fromkeys(map(choices.kind_of, choices.listed_values(node))))
    if "properties" in node:
        return ["object"]
    return ["array"] if "items" in node else []


def _complete(required: list[object], properties: Schema) -> bool:
    return set(required) == properties.keys()


def _is_plain(rule: object) -> bool:
    return isinstance(rule, dict) and rule.keys() <= PLAIN_CHECKS


def _fits_all(rule: object, names: Iterable[str]) -> bool:
    if not isinstance(rule, dict) or not _is_plain(rule):
        return False
    try:
        validator = jsonschema_rs.validator_for(rule, offline=True)
    except ValueError:  # a malformed rule fits no name
        return False
    return all(map(validator.is_valid, names))
