"""What generators of schemas write for "nothing" and for null, which the service cannot be told in that form.

zod writes an optional field as `anyOf` of `{"not": {}}` and the field's own schema, TypeBox writes Type.Never so; both
zod 3 and zod 4 each have their own form of null for OpenAPI 3.0, which has no type null.
"""

from typing import Final

_ANYTHING_OF_ZOD: Final = "/OpenAiAnyType"
"""How zod-to-json-schema names "anything" for OpenAI."""


def fits_nothing(schema: object) -> bool:
    """Say whether no value at all fits a schema: false, `{"not": {}}`, an empty enum, an anyOf of nothing but such."""
    if not isinstance(schema, dict):
        return schema is False
    if "not" in schema and _fits_everything(schema["not"]):
        return True
    branches = schema.get("anyOf")
    if isinstance(branches, list) and branches:
        return all(map(fits_nothing, branches))
    return schema.get("enum") == []


def is_null_form(schema: dict[str, object]) -> bool:
    """Say whether a schema is OpenAPI 3.0's way to allow null only: an enum of null, or of "null", that is nullable."""
    return schema.get("nullable") is True and schema.get("enum") in ([None], ["null"]) and "const" not in schema


def _fits_everything(schema: object) -> bool:
    if not isinstance(schema, dict):
        return schema is True
    return not schema or str(schema.get("$ref", "")).endswith(_ANYTHING_OF_ZOD)
