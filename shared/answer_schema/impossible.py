"""What schema generators write for "nothing" and for null, in forms that the service does not accept.

zod writes an optional field as `anyOf` of `{"not": {}}` and the field's own schema, TypeBox writes Type.Never so; both
zod 3 and zod 4 each have their own form of null for OpenAPI 3.0, which has no type null.
"""

from typing import Final

_ANYTHING_OF_ZOD: Final = "/OpenAiAnyType"
"""How zod-to-json-schema names "anything" for OpenAI."""


def fits_nothing(schema: object) -> bool:
    """Return whether no value fits a schema: false, `{"not": {}}`, an empty enum, or an anyOf of only such schemas."""
    if not isinstance(schema, dict):
        return schema is False
    if "not" in schema and _fits_everything(schema["not"]):
        return True
    branches = schema.get("anyOf")
    if isinstance(branches, list) and branches:
        return all(map(fits_nothing, branches))
    return schema.get("enum") == []


def is_null_form(schema: dict[str, object]) -> bool:
    """Return whether a schema is OpenAPI 3.0's form of null: nullable, with an enum of only null or "null"."""
    return schema.get("nullable") is True and schema.get("enum") in ([None], ["null"]) and "const" not in schema


def _fits_everything(schema: object) -> bool:
    if not isinstance(schema, dict):
        return schema is True
    return not schema or str(schema.get("$ref", "")).endswith(_ANYTHING_OF_ZOD)
