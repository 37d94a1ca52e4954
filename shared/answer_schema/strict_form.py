"""Makes a schema strict without changing its meaning; what cannot be is a fault.

The strict form still holds the checks that the service doesn't support: it is what answers are checked with.
Rules: Microsoft's page on Structured Outputs for Azure OpenAI, and OpenAI's guide on supported schemas.
"""

from typing import Final

from shared.answer_schema import enums
from shared.answer_schema.closed_object import closed_object
from shared.answer_schema.impossible import fits_nothing, is_null_form
from shared.answer_schema.keywords import (
    ANNOTATIONS,
    CHECKS,
    FORMATS_TAKEN,
    NEVER_TAKEN,
    PLAIN_CHECKS,
    REFUSED,
    SILENTLY_DROPPED,
    STRUCTURE,
    TYPES,
)
from shared.answer_schema.kinds import is_untyped, keywords_of, kinds_allowed, kinds_of
from shared.answer_schema.nullable import nullable, takes_type_list
from shared.answer_schema.references import DEFINITIONS, BadReferenceError, References
from shared.answer_schema.report import UNUSABLE, Change, Report, at
from shared.answer_schema.unwrapping import unwrapped

type Schema = dict[str, object]

_CHECKS_ANYWHERE: Final = frozenset(key for checks in CHECKS.values() for key in checks) - {"contains"}
_BESIDE_ANY_OF: Final = ANNOTATIONS | _CHECKS_ANYWHERE | {"type"}
_CONSTRAINTS: Final = STRUCTURE["object"] | STRUCTURE["array"] | {"enum", "const", "contains", "anyOf", "$ref"}


class StrictForm:
    """Writes the strict form of one schema; faults and changes go to the report."""

    def __init__(self, schema: Schema, report: Report) -> None:
        self._report = report
        self._schema = unwrapped(schema, ("allOf", "oneOf", "anyOf"), "$", report)
        self._references = References(self._schema)

    def write(self) -> Schema:
        """Return the whole schema: the root, and under `$defs` all that it refers to, directly or not."""
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
            return self._report.refused(
                at(path, "anyOf"), "is not supported at the root; put it into a property of an object"
            )
        faults = len(self._report.findings)
        root = self._convert(node, path)
        if root.get("type") != "object" and len(self._report.findings) == faults:
            self._report.fault(path, "the root must be of the type object; put this into a property of an object")
        return root

    def _convert(self, node: object, path: str) -> Schema:
        if not isinstance(node, dict):
            return self._report.refused(
                path, "must be an object that names a type; true, false and {} are not supported"
            )
        node = unwrapped(node, ("allOf", "oneOf"), path, self._report)
        if is_null_form(node):
            self._report.change(Change.NULL_FORM, path)
            return {"type": "null"} | {key: value for key, value in node.items() if key in ANNOTATIONS}
        self._note_what_is_never_taken(node, path)
        refused = [key for key in node if key in REFUSED]
        for key in refused:
            self._report.fault(at(path, key), REFUSED[key])
        if refused:
            return UNUSABLE
        strict = self._by_kind(self._without_metadata(node, path), path)
        if node.get("nullable") is True:
            self._report.change(Change.NULLABLE, path)
            return nullable(strict)
        return strict

    def _note_what_is_never_taken(self, node: Schema, path: str) -> None:
        """Note what is fine in a schema that is made strict, and refused by the service in one sent unchanged."""
        if "$ref" in node and len(node) > 1:
            self._report.change(Change.BESIDE_REF, path)
        for key in node:
            if key in NEVER_TAKEN or (key == "format" and node[key] not in FORMATS_TAKEN):
                self._report.change(Change.NEVER_TAKEN, at(path, key))

    def _by_kind(self, node: Schema, path: str) -> Schema:
        if "$ref" in node:
            return self._reference(node, path)
        if "anyOf" in node:
            return self._union(node, path)
        if "enum" in node or "const" in node:
            return self._choice(node, path)
        return self._typed(node, path)

    def _without_metadata(self, node: Schema, path: str) -> Schema:
        if "default" in node:
            self._report.change(Change.DEFAULT, at(path, "default"))
        rest = {key: value for key, value in node.items() if key not in SILENTLY_DROPPED and key != "default"}
        for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(flag := rest.get(exclusive), bool):  # as in JSON Schema draft 4
                del rest[exclusive]
                if flag and limit in rest:
                    rest[exclusive] = rest.pop(limit)
        return rest

    def _reference(self, node: Schema, path: str) -> Schema:
        try:
            pointer = self._references.target(node["$ref"])
        except BadReferenceError as exc:
            return self._report.refused(at(path, "$ref"), str(exc))
        if pointer and (len(pointer) != 2 or pointer[0] not in DEFINITIONS):
            self._report.change(Change.POINTER, at(path, "$ref"))
        beside = self._beside("$ref", node, [self._references.node(pointer)], path)
        return {"$ref": self._references.name(pointer)} | beside

    def _union(self, node: Schema, path: str) -> Schema:
        branches = node["anyOf"]
        if not isinstance(branches, list) or not branches:
            return self._report.refused(at(path, "anyOf"), "must be a list of schemas")
        if "type" in node:
            branches = [{"type": node["type"]} | b if isinstance(b, dict) and is_untyped(b) else b for b in branches]
        possible = {number: branch for number, branch in enumerate(branches) if not fits_nothing(branch)}
        if not possible:
            return self._report.refused(at(path, "anyOf"), "has no branch that anything fits; say what is allowed")
        for number in range(len(branches)):
            if number not in possible:
                self._report.change(Change.IMPOSSIBLE, at(path, "anyOf", number))
        beside = self._beside("anyOf", node, list(possible.values()), path)
        strict = [self._convert(branch, at(path, "anyOf", number)) for number, branch in possible.items()]
        if len(strict) == 1 < len(branches) and not beside:
            return strict[0]
        return {key: strict if key == "anyOf" else beside[key] for key in node if key == "anyOf" or key in beside}

    def _beside(self, key: str, node: Schema, targets: list[object], path: str) -> Schema:
        """Return what may stand beside `$ref` or `anyOf`: words, checks, and a type that says nothing new."""
        for name in node:
            if name in _CONSTRAINTS and name != key:
                self._report.fault(at(path, name), f"cannot stand beside {key}; put it into each schema that is meant")
            elif name not in _BESIDE_ANY_OF and name != key:
                self._report.change(Change.DROPPED, at(path, name))
        if "type" in node:
            allowed = set(kinds_of(node))
            said = {kind for target in targets for kind in kinds_allowed(target, self._references)}
            if not said <= allowed | ({"integer"} if "number" in allowed else set()):
                self._report.fault(at(path, "type"), f"differs from what {key} says; leave it out")
        return {name: value for name, value in node.items() if name in _BESIDE_ANY_OF and name != "type"}

    def _choice(self, node: Schema, path: str) -> Schema:
        values = enums.listed_values(node)
        if any(isinstance(value, dict | list) for value in values):
            return self._report.refused(path, "enum and const may hold texts, numbers, booleans and null only")
        groups = enums.by_type(values, kinds_of(node) if "type" in node else None)
        if not groups:
            return self._report.refused(path, "allows no value; list under enum at least one that fits the type")
        if "type" not in node:
            self._report.change(Change.TYPED_VALUES, path)
        written = [enums.schema_of_group(node, kind, values) for kind, values in groups.items()]
        return self._branches(written, node, path)

    def _typed(self, node: Schema, path: str) -> Schema:
        kinds = kinds_of(node)
        if not kinds or not set(kinds) <= set(TYPES):
            return self._report.refused(path, f"has no known type; allowed are {', '.join(TYPES)}")
        if "type" not in node:
            self._report.change(Change.TYPED, path)
        allowed = {key for kind in kinds for key in keywords_of(kind)}
        for key in node:
            if key not in allowed:
                self._report.change(Change.DROPPED, at(path, key))
        return self._branches([self._of_type(kind, node, path) for kind in kinds], node, path)

    def _branches(self, written: list[Schema], node: Schema, path: str) -> Schema:
        """Return one schema for one type, `[type, null]` for one that may be null and can say so, else anyOf."""
        valued = [schema for schema in written if schema["type"] != "null"]
        if len(written) == 1:
            return written[0]
        if len(valued) == 1 and takes_type_list(valued[0]):
            return valued[0] | {"type": node["type"]}
        self._report.change(Change.SPLIT, path)
        words = {key: value for key, value in node.items() if key in ANNOTATIONS}
        return {"anyOf": [{k: v for k, v in schema.items() if k not in words} for schema in written]} | words

    def _of_type(self, kind: str, node: Schema, path: str) -> Schema:
        allowed = keywords_of(kind)
        own = {key: value for key, value in node.items() if key in allowed} | {"type": kind}
        if kind == "object":
            return closed_object(own, path, self._report, self._convert)
        return self._array(own, path) if kind == "array" else own

    def _array(self, node: Schema, path: str) -> Schema:
        if isinstance(node.get("items"), list):
            return self._report.refused(at(path, "items"), REFUSED["prefixItems"])
        if "items" not in node:
            return self._report.refused(path, "is a list of anything; say under items what its items are")
        strict = {key: value for key, value in node.items() if key != "unevaluatedItems"}
        strict["items"] = items = self._convert(node["items"], at(path, "items"))
        if "contains" in node and not (_is_plain(node["contains"]) and takes_type_list(items)):
            self._report.fault(at(path, "contains"), "is only supported for lists of plain values; leave it out")
        return strict


def _is_plain(rule: object) -> bool:
    return isinstance(rule, dict) and rule.keys() <= PLAIN_CHECKS
