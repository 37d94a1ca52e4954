"""JSON Schema's keywords by what Azure OpenAI's Structured Outputs do with them.

Sources: Microsoft's page on Structured Outputs for Azure OpenAI (the unsupported keywords), OpenAI's guide on
supported schemas (the forbidden ones) and JSON Schema 2020-12 (the meaning).
"""

from collections.abc import Callable, Mapping
from typing import Final

from shared import json_codec

TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")

ANNOTATIONS: Final = frozenset({"title", "description", "examples"})
"""Keywords that tell the model something and check nothing."""

STRUCTURE: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset({
        "properties", "required", "additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties",
        "propertyNames",
    }),
    "array": frozenset({"items", "unevaluatedItems"}),
}  # fmt: skip
"""Keywords that say what an object or an array consists of."""

SILENTLY_DROPPED: Final = frozenset({
    "$schema", "$id", "id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "nullable", "discriminator",
    "deprecated", "readOnly", "writeOnly", "example",
})  # fmt: skip
"""Metadata, and keywords that are handled elsewhere (`nullable`, and `$defs` that something refers to)."""

_ONE_OF_MANY: Final = "is not supported; write anyOf with branches that do not overlap"
_TUPLE: Final = "is not supported; make it an object with a property for each place"
_CONDITION: Final = "is not supported; write anyOf with one branch for each case"

REFUSED: Final[Mapping[str, str]] = {
    "oneOf": _ONE_OF_MANY,
    "allOf": "is only supported with a single schema; merge its schemas into one",
    "not": "is not supported; describe what is allowed instead",
    "if": _CONDITION,
    "then": _CONDITION,
    "else": _CONDITION,
    "dependentRequired": _CONDITION,
    "dependentSchemas": _CONDITION,
    "dependencies": _CONDITION,
    "patternProperties": "is an open map, which is not supported; make it a list of objects with a key and a value",
    "prefixItems": _TUPLE,
    "additionalItems": _TUPLE,
    "$dynamicRef": "is not supported; use $ref",
    "$recursiveRef": "is not supported; use $ref",
}
"""Keywords that can neither be sent nor left out without changing the meaning, each with its remedy."""


def _plural(noun: str) -> Callable[[object], str]:
    return lambda count: f"{as_text(count)} {noun}" + ("" if count == 1 else "s")


def as_text(value: object) -> str:
    """Return a JSON value as text for a description: a string unchanged, everything else as JSON."""
    return value if isinstance(value, str) else json_codec.dumps(value).decode()


_OFFSET: Final = "with or without an offset such as Z or +02:00"
_FORMATS_ASKED: Final = {
    "date": "A date as YYYY-MM-DD, such as 2026-04-01.",
    "time": f"A time of day as HH:MM:SS, such as 06:30:00, {_OFFSET}.",
    "date-time": f"A date and time as YYYY-MM-DDTHH:MM:SS, such as 2026-04-01T06:30:00, {_OFFSET}.",
}


def _format(value: object) -> str:
    """Describe a format in words; models do not know those of RFC 3339 by their names."""
    return _FORMATS_ASKED.get(as_text(value), f"Format: {as_text(value)}.")


_CHARACTERS, _ITEMS = _plural("character"), _plural("item")

CHECKS: Final[Mapping[str, Mapping[str, Callable[[object], str]]]] = {
    "string": {
        "minLength": lambda value: f"At least {_CHARACTERS(value)}.",
        "maxLength": lambda value: f"At most {_CHARACTERS(value)}.",
        "pattern": lambda value: f"Matches the regular expression {as_text(value)}",
        "format": _format,
        "contentEncoding": lambda value: f"Encoded as {as_text(value)}.",
        "contentMediaType": lambda value: f"Of the media type {as_text(value)}.",
    },
    "number": {
        "minimum": lambda value: f"At least {as_text(value)}.",
        "maximum": lambda value: f"At most {as_text(value)}.",
        "exclusiveMinimum": lambda value: f"Greater than {as_text(value)}.",
        "exclusiveMaximum": lambda value: f"Less than {as_text(value)}.",
        "multipleOf": lambda value: f"A multiple of {as_text(value)}.",
        "format": _format,
    },
    "array": {
        "minItems": lambda value: f"At least {_ITEMS(value)}.",
        "maxItems": lambda value: f"At most {_ITEMS(value)}.",
        "uniqueItems": lambda value: "No item twice." if value else "",
        "contains": lambda value: f"Contains an item that fits {as_text(value)}.",
        "minContains": lambda value: f"At least {_ITEMS(value)} like that.",
        "maxContains": lambda value: f"At most {_ITEMS(value)} like that.",
    },
    "object": {},
    "boolean": {},
    "null": {},
}
"""Checks that the service doesn't support, by type: how the description says them in words."""

FORMATS: Final = frozenset({
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
    "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer", "regex",
})  # fmt: skip
"""The formats that JSON Schema defines; others, such as `password` and `int32`, can only be told to the model."""

NEVER_TAKEN: Final = frozenset({
    "minLength", "maxLength", "uniqueItems", "contains", "minContains", "maxContains"
})  # fmt: skip
"""Checks that no version of the service accepts: "In context=(), 'uniqueItems' is not permitted."."""

FORMATS_TAKEN: Final = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip
"""The formats that some versions of the service take; none takes any other."""

_TOLD: Final = frozenset({"examples", "contentEncoding", "contentMediaType"})

PLAIN_CHECKS: Final = frozenset({"type", "enum", "const"}) | CHECKS["string"].keys() | CHECKS["number"].keys()
"""Keywords allowed in a schema that is only used for checking: none of them holds or refers to another schema."""


def is_checked(keyword: str, value: object) -> bool:
    """Return whether a keyword that is moved into the description is also checked on the answer."""
    return value in FORMATS if keyword == "format" else keyword not in _TOLD


def family(kind: str) -> str:
    """Return the type whose keywords a type obeys: an integer is a number."""
    return "number" if kind == "integer" else kind
