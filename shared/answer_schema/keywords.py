"""JSON Schema's keywords by what Azure OpenAI's Structured Outputs do with them.

Sources: Microsoft's page on Structured Outputs for Azure OpenAI (the unsupported keywords), OpenAI's guide on
supported schemas (the forbidden ones) and JSON Schema 2020-12 (the meaning).
"""

from collections.abc import Callable, Mapping
from typing import Final

from shared import json_codec

TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")

ANNOTATIONS: Final = frozenset({"title", "description", "examples"})
"""What tells the model something and checks nothing."""

STRUCTURE: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset({
        "properties", "required", "additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties",
        "propertyNames",
    }),
    "array": frozenset({"items", "unevaluatedItems"}),
}  # fmt: skip
"""What says how a type is built."""

SILENTLY_DROPPED: Final = frozenset({
    "$schema", "$id", "id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "nullable", "discriminator",
    "deprecated", "readOnly", "writeOnly", "example",
})  # fmt: skip
"""Metadata, and what is dealt with elsewhere (`$defs` where something refers to them, `nullable`)."""

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
"""What cannot be sent, nor be left out without changing the meaning; each with its remedy."""


def _plural(noun: str) -> Callable[[object], str]:
    return lambda count: f"{as_text(count)} {noun}" + ("" if count == 1 else "s")


def as_text(value: object) -> str:
    """Return a JSON value as a description says it: a text unchanged, everything else as JSON."""
    return value if isinstance(value, str) else json_codec.dumps(value).decode()


_OFFSET: Final = "with or without an offset such as Z or +02:00"
_FORMATS_ASKED: Final = {
    "date": "A date as YYYY-MM-DD, such as 2026-04-01.",
    "time": f"A time of day as HH:MM:SS, such as 06:30:00, {_OFFSET}.",
    "date-time": f"A date and time as YYYY-MM-DDTHH:MM:SS, such as 2026-04-01T06:30:00, {_OFFSET}.",
}


def _format(value: object) -> str:
    """Ask for what is checked in the words of a format; those that RFC 3339 defines are not known by their names."""
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
"""Checks that no version of the service takes: "In context=(), 'uniqueItems' is not permitted."."""

FORMATS_TAKEN: Final = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip
"""The formats that some versions of the service take; none takes any other."""

_TOLD: Final = frozenset({"examples", "contentEncoding", "contentMediaType"})

PLAIN_CHECKS: Final = frozenset({"type", "enum", "const"}) | CHECKS["string"].keys() | CHECKS["number"].keys()
"""What may stand in a schema that is kept for checking only: it holds no schema and refers to none."""


def is_checked(keyword: str, value: object) -> bool:
    """Say whether a keyword that is moved into the description is also checked on the answer."""
    return value in FORMATS if keyword == "format" else keyword not in _TOLD


def family(kind: str) -> str:
    """Return the type whose keywords a type obeys: an integer is a number."""
    return "number" if kind == "integer" else kind
