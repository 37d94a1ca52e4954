"""The column `Required`: the answer's fields in one line, as JSON Schema."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from shared.domain.errors import Finding, SchemaFault

_TYPES: Final[Mapping[str, Mapping[str, object]]] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "date-time": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
}
_SHORT_NAMES: Final = {"str": "string", "float": "number", "int": "integer", "bool": "boolean"}
_ALLOWED: Final = f'{", ".join(_TYPES)}, or allowed values, a|b|c; each with [] for a list or ? for "or null"'

_SEPARATOR: Final = re.compile(r"\s*[,;]\s*|\s*[\r\n\v\f\x85\u2028\u2029]\s*")
_KIND: Final = re.compile(r"(?P<bare>.*?)\s*(?P<list>\[\s*\])?\s*(?P<nullable>\?)?", re.DOTALL)


def from_required(fields: str | Sequence[str]) -> dict[str, object]:
    """Turn `Name, Height: integer, Tags: string[], Kind: delivery|refund, Architect: string?` into a JSON Schema.

    Fields are separated by commas, semicolons or line breaks, or are a list's items. A name without a type is a string.
    The schema is strict. Raises SchemaFault with one finding for each field at fault.
    """
    if isinstance(fields, str) and fields.lstrip().startswith(("{", "[")):
        raise SchemaFault([Finding("Required", "is JSON, not a list of fields; put a JSON Schema under Schema")])
    properties: dict[str, object] = {}
    findings = []
    for number, field in enumerate(_SEPARATOR.split(fields.strip()) if isinstance(fields, str) else fields, 1):
        name, kind = _name_and_kind(field)
        schema = _schema_of(kind)
        if not name:
            problem = "has no name; separate the fields by single commas"
        elif name in properties:
            problem = f'"{name}" is named twice; leave one out'
        elif isinstance(schema, str):
            problem = schema
        else:
            properties[name] = schema
            continue
        findings.append(Finding(f"Required, field {number}", problem))
    if findings:
        raise SchemaFault(findings)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _name_and_kind(field: str) -> tuple[str, str]:
    # Allowed values may hold colons themselves: Opens: 09:00|10:00.
    name, colon, kind = field.partition(":") if "|" in field else field.rpartition(":")
    return (name.strip(), kind.strip()) if colon else (field.strip(), "string")


def _schema_of(kind: str) -> dict[str, object] | str:
    """Return the schema of a type or of allowed values, or what is wrong with it."""
    found = _KIND.fullmatch(kind)
    assert found is not None  # It matches every text.
    schema = _enum_of(found["bare"]) if "|" in found["bare"] else _type_of(found["bare"])
    if isinstance(schema, str):
        return f'unknown type "{kind}"; allowed are {_ALLOWED}' if schema == "" else schema
    if found["list"]:
        return {"type": ["array", "null"] if found["nullable"] else "array", "items": schema}
    return _or_null(schema) if found["nullable"] else schema


def _type_of(bare: str) -> dict[str, object] | str:
    name = bare.lower()
    schema = _TYPES.get(_SHORT_NAMES.get(name, name))
    return "" if schema is None else dict(schema)


def _enum_of(bare: str) -> dict[str, object] | str:
    values = [value.strip() for value in bare.split("|")]
    if "" in values:
        return f'"{bare}" has an empty value; write the allowed values as a|b|c'
    if len(set(values)) < len(values):
        return f'"{bare}" has a value twice; leave one out'
    if types := [value for value in values if value == "null" or _type_of(value) != ""]:
        return f'"{bare}" has the type "{types[0]}" among its allowed values; for "or null" write ?, string?'
    return {"type": "string", "enum": values}


def _or_null(schema: Mapping[str, object]) -> dict[str, object]:
    if "enum" in schema:
        return {"anyOf": [dict(schema), {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}
