"""Schemas that also accept null: how an optional property is written where every property is required."""


def nullable(schema: dict[str, object]) -> dict[str, object]:
    """Return the same schema, which also accepts null."""
    branches = schema.get("anyOf")
    if takes_type_list(schema):
        return schema | {"type": [schema["type"], "null"]}
    if _accepts_null(schema):
        return schema
    if isinstance(branches, list):
        return schema | {"anyOf": [*branches, {"type": "null"}]}
    words = {key: schema[key] for key in ("title", "description", "examples") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in words}
    return {"anyOf": [rest, {"type": "null"}]} | words


def takes_type_list(schema: dict[str, object]) -> bool:
    """Return whether `[type, null]` can make it nullable: not for objects and enums, which need anyOf."""
    kind = schema.get("type")
    return isinstance(kind, str) and kind not in ("object", "null") and not schema.keys() & {"enum", "const"}


def _accepts_null(schema: object) -> bool:
    if not isinstance(schema, dict):
        return False
    kind, branches = schema.get("type"), schema.get("anyOf")
    if isinstance(branches, list):
        return any(map(_accepts_null, branches))
    return kind == "null" or (isinstance(kind, list) and "null" in kind)
