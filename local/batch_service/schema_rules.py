"""What strict Structured Outputs refuse, with the service's own texts where they are known.

Source: Microsoft's page "Structured outputs" (the subset, what it lacks) and the refusals that users report.
"""

from functools import lru_cache
from typing import Any

from shared import json_codec

MAX_NESTING = 10
MAX_PROPERTIES = 5000
NEVER = frozenset(
    [
        "allOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "default",
        "patternProperties",
        "unevaluatedProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "unevaluatedItems",
        "contains",
        "minContains",
        "maxContains",
        "uniqueItems",
        "minLength",
        "maxLength",
    ]
)
AZURE_LACKS = frozenset(["pattern", "format", "minimum", "maximum", "multipleOf", "minItems", "maxItems"])
FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])
DEFINITIONS = ("$defs", "definitions")
AZURE_LACKS |= {"exclusiveMinimum", "exclusiveMaximum"}


@lru_cache(maxsize=64)
def fault(name: str, schema_json: bytes, dialect: str) -> str | None:
    """Return the service's text about the first thing in a strict schema that it doesn't take, or None.

    `dialect` is `azure` (what Microsoft documents) or `openai` (which also takes pattern, format, minimum, …).
    """
    barred = NEVER | AZURE_LACKS if dialect == "azure" else NEVER
    schema = json_codec.loads(schema_json)
    try:
        _Check(schema, barred).run()
    except RecursionError:
        return f"Invalid schema for response_format '{name}': the schema is nested too deeply."
    except _Fault as found:
        return f"Invalid schema for response_format '{name}': {found}"
    return None


class _Fault(Exception):
    pass


class _Check:
    def __init__(self, root: Any, barred: frozenset[str]) -> None:
        self.root, self.barred, self.properties = root, barred, 0

    def run(self) -> None:
        if not isinstance(self.root, dict) or self.root.get("type") != "object":
            kind = self.root.get("type") if isinstance(self.root, dict) else None
            raise _Fault(f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'.")
        self._schema(self.root, (), 0)
        for place in DEFINITIONS:
            for name, sub in self.root.get(place, {}).items():
                self._schema(sub, (place, name), 0)
        if self.properties > MAX_PROPERTIES:
            raise _Fault(f"{self.properties} parameters exceeds limit of {MAX_PROPERTIES}.")

    def _schema(self, schema: Any, path: tuple[str, ...], level: int) -> None:
        if not isinstance(schema, dict):
            raise _Fault(f"In context={path}, schema must be an object.")
        for keyword in schema:
            if keyword in self.barred:
                raise _Fault(f"In context={path}, '{keyword}' is not permitted.")
        if schema.get("format", "date") not in FORMATS:
            raise _Fault(f"In context={path}, '{schema['format']}' is not a valid format.")
        if "$ref" in schema:
            self._ref(schema, path)
            return
        if not {"type", "enum", "const", "anyOf"} & schema.keys():
            raise _Fault(f"In context={path}, schema must have a 'type' key.")
        self._inner(schema, path, level)

    def _inner(self, schema: dict[str, Any], path: tuple[str, ...], level: int) -> None:
        for number, branch in enumerate(schema.get("anyOf", ())):
            self._schema(branch, (*path, "anyOf", str(number)), level)
        kinds = schema.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "array" in kinds:
            if "items" not in schema:
                raise _Fault(f"In context={path}, array schema missing items.")
            self._schema(schema["items"], (*path, "items"), level)
        if "object" in kinds:
            self._object(schema, path, level)

    def _object(self, schema: dict[str, Any], path: tuple[str, ...], level: int) -> None:
        if schema.get("additionalProperties") is not False:
            raise _Fault(f"In context={path}, 'additionalProperties' is required to be supplied and to be false.")
        properties = schema.get("properties", {})
        missing = [key for key in properties if key not in schema.get("required", ())]
        if missing:
            raise _Fault(
                f"In context={path}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{missing[0]}'."
            )
        extra = [key for key in schema.get("required", ()) if key not in properties]
        if extra:
            raise _Fault(f"In context={path}, 'required' names '{extra[0]}', which is not in properties.")
        self.properties += len(properties)
        if level + 1 > MAX_NESTING:
            raise _Fault(f"{level + 1} levels of nesting exceeds limit of {MAX_NESTING}.")
        for key, sub in properties.items():
            self._schema(sub, (*path, "properties", key), level + 1)

    def _ref(self, schema: dict[str, Any], path: tuple[str, ...]) -> None:
        beside = ", ".join(f"'{keyword}'" for keyword in schema if keyword != "$ref")
        if beside:
            raise _Fault(f"In context={path}, $ref cannot have keywords {{{beside}}}.")
        place, _, name = str(schema["$ref"]).removeprefix("#/").rpartition("/")
        definitions = self.root.get(place) if place in DEFINITIONS else None
        if schema["$ref"] != "#" and not (isinstance(definitions, dict) and name in definitions):
            raise _Fault(
                f"In context={path}, reference can only point to definitions defined at the top level of the schema."
            )
