"""The column `Required`: the answer's fields in one line, as JSON Schema."""

import re
from typing import Final

from shared.domain.errors import Finding, SchemaFault

_TYPES: Final = ("string", "number", "integer", "boolean")
_ALLOWED: Final = f"{', '.join(_TYPES)}, each with [] for a list or ? for «or null»"
_KIND: Final = re.compile(rf"(?P<bare>{'|'.join(_TYPES)})\s*(?P<list>\[\s*\])?\s*(?P<nullable>\?)?")


def from_required(text: str) -> dict[str, object]:
    """Turn `Name, Height: integer, Tags: string[], Architect: string?` into a strict JSON Schema.

    A name without a type is a string. Raises SchemaFault with one finding for each field at fault.
    """
    properties: dict[str, object] = {}
    findings = []
    for number, field in enumerate(text.split(","), 1):
        name, kind = _name_and_kind(field)
        schema = _schema_of(kind)
        if not name:
            findings.append(Finding(f"Required, field {number}", "has no name; separate the fields by single commas"))
        elif name in properties:
            findings.append(Finding(f"Required, field {number}", f"«{name}» is named twice; leave one out"))
        elif schema is None:
            findings.append(Finding(f"Required, field {number}", f"unknown type «{kind}»; allowed are {_ALLOWED}"))
        else:
            properties[name] = schema
    if findings:
        raise SchemaFault(findings)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _name_and_kind(field: str) -> tuple[str, str]:
    name, colon, kind = field.rpartition(":")
    return (name.strip(), kind.strip()) if colon else (field.strip(), "string")


def _schema_of(kind: str) -> dict[str, object] | None:
    """The schema of a type, whatever the white space before its `[]` and `?`; None for an unknown one."""
    found = _KIND.fullmatch(kind)
    if found is None:
        return None
    bare, nullable = found["bare"], found["nullable"]
    if found["list"]:
        return {"type": ["array", "null"] if nullable else "array", "items": {"type": bare}}
    return {"type": [bare, "null"] if nullable else bare}
