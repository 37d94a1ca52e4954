"""Properties: a strict schema accepts exactly what the original accepts, given null for optional properties."""

import re
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import answer_schema
from shared.domain.errors import SchemaFault

type Schema = dict[str, Any]

NAMES = ("a", "b", "c")
POOL = [None, True, False, 0, 1, 1.5, -2, "", "a", "red", "2026-11-22"]
PLAIN = st.sampled_from(POOL)
STRING_CHECKS = {"minLength": 1, "maxLength": 2, "pattern": "^[a-c]*$", "format": "date"}
NUMBER_CHECKS = {"minimum": 0, "exclusiveMaximum": 1.5, "multipleOf": 0.5}
ARRAY_CHECKS = {"minItems": 1, "maxItems": 2, "uniqueItems": True}
WORDS = {"title": "T", "description": "d", "x-own": 1, "$comment": "c"}


def some(of: Schema) -> st.SearchStrategy[Schema]:
    """A few of these keywords."""
    return st.sets(st.sampled_from(sorted(of)), max_size=2).map(lambda keys: {key: of[key] for key in sorted(keys)})


def merged(*parts: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.tuples(*parts).map(lambda schemas: {key: value for schema in schemas for key, value in schema.items()})


def leaves() -> st.SearchStrategy[Schema]:
    kinds = st.sampled_from(["string", "number", "integer", "boolean", "null"])
    several = st.lists(kinds, min_size=1, max_size=3, unique=True)
    return st.one_of(
        merged(st.fixed_dictionaries({"type": kinds | several}), some(STRING_CHECKS | NUMBER_CHECKS), some(WORDS)),
        merged(st.fixed_dictionaries({"enum": st.lists(PLAIN, min_size=1, max_size=4)}), some(WORDS)),
        st.fixed_dictionaries({"const": PLAIN}),
        st.fixed_dictionaries({"type": st.just(["string", "null"]), "enum": st.just(["a", "red", None, 1])}),
        merged(st.sampled_from([{"$ref": "#/$defs/D"}, {"$ref": "#/$defs/E"}]), some(WORDS | {"minLength": 1})),
    )


def objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    properties = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1)
    return st.tuples(properties, st.sets(st.sampled_from(NAMES)), st.booleans(), some(WORDS)).map(
        lambda drawn: {
            "type": "object",
            "properties": drawn[0],
            "required": [name for name in drawn[0] if name in drawn[1]],
            **({"additionalProperties": False} if drawn[2] else {}),
            **drawn[3],
        }
    )


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        objects(inner),
        merged(st.fixed_dictionaries({"type": st.just("array"), "items": inner}), some(ARRAY_CHECKS), some(WORDS)),
        merged(st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}), some(WORDS)),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=1)}),
        objects(inner).map(lambda schema: schema | {"type": ["object", "null"]}),
    )


SCHEMAS = st.recursive(leaves(), nested, max_leaves=6)
ROOTS = st.tuples(objects(SCHEMAS), SCHEMAS, SCHEMAS).map(lambda s: s[0] | {"$defs": {"D": s[1], "E": s[2]}})


def values_for(schema: Any, root: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of about the right shape: every property there, most of them fitting, so that each rule has its say."""
    if depth > 6:
        return PLAIN
    if "$ref" in schema:
        return values_for(root["$defs"][schema["$ref"][-1]], root, depth + 1)
    for key in ("anyOf", "allOf"):
        if key in schema:
            return st.sampled_from(schema[key]).flatmap(lambda branch: values_for(branch, root, depth + 1))
    if "properties" in schema:
        inner = {name: values_for(part, root, depth + 1) for name, part in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: values if name in schema["required"] else st.none() | values for name, values in inner.items()}
        )
    if "items" in schema:
        items = values_for(schema["items"], root, depth + 1)
        return st.lists(items, max_size=2) | st.lists(items, min_size=3, max_size=3)
    fitting = [value for value in POOL if jsonschema_rs.is_valid(schema, value, validate_formats=True)]
    return st.sampled_from(fitting * 4 + POOL)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Schema, Any]:
    schema = draw(ROOTS)
    value = draw(values_for(schema, schema))
    if draw(st.integers(0, 9)) == 0:
        value = draw(PLAIN | st.just(value | {"more": 1}))
    return schema, value


def fits(schema: Any, value: Any, root: Schema) -> bool:
    """The oracle: JSON Schema on the original, objects being closed and optional properties null, never absent."""
    own = {key: rule for key, rule in schema.items() if key not in _APPLIED}
    if not jsonschema_rs.is_valid(own, value, validate_formats=True):
        return False
    if "$ref" in schema and not fits(root["$defs"][schema["$ref"][-1]], value, root):
        return False
    if "allOf" in schema and not fits(schema["allOf"][0], value, root):
        return False
    if "anyOf" in schema and not any(fits(branch, value, root) for branch in schema["anyOf"]):
        return False
    if "properties" in schema and isinstance(value, dict):
        return value.keys() == schema["properties"].keys() and all(
            fits(inner, value[name], root) or (value[name] is None and name not in schema["required"])
            for name, inner in schema["properties"].items()
        )
    if "items" in schema and isinstance(value, list):
        return all(fits(schema["items"], item, root) for item in value)
    return True


_APPLIED = {"$ref", "allOf", "anyOf", "properties", "required", "additionalProperties", "items", "$defs"}


def prepared(schema: Schema) -> answer_schema.AnswerSchema | None:
    """Schemas at random may be endless, or refer to themselves only: then they are refused, and say nothing here."""
    try:
        return answer_schema.prepare(schema)
    except SchemaFault as exc:
        allowed = ("refers to itself", "can never end", "levels of objects", "differs from", "nested deeper")
        unexpected = [finding for finding in exc.findings if not any(text in finding.problem for text in allowed)]
        if unexpected:
            raise
        return None


@settings(max_examples=250, deadline=None)
@given(pairs())
def test_answers_are_checked_exactly_as_the_original_says(pair: tuple[Schema, Any]) -> None:
    schema, value = pair
    ready = prepared(schema)
    if ready is not None:
        accepted = jsonschema_rs.is_valid(ready.checked, value, validate_formats=True)
        assert accepted == fits(schema, value, schema)
        if accepted:
            assert jsonschema_rs.is_valid(ready.sent, value), "the service must be able to say what we accept"


@settings(max_examples=150, deadline=None)
@given(ROOTS)
def test_what_is_sent_keeps_the_services_rules(schema: Schema) -> None:
    ready = prepared(schema)
    if ready is not None:
        assert ready.sent["type"] == "object"
        _assert_strict(ready.sent)
        again = answer_schema.prepare(ready.sent)
        assert again == answer_schema.AnswerSchema(ready.sent, ready.sent, (), ready.warnings)
        assert answer_schema.lint(ready.sent) == ()


def _assert_strict(schema: Any) -> None:
    supported = {
        "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref", "$defs",
        "title", "description",
    }  # fmt: skip
    assert schema.keys() <= supported
    assert schema.keys() & {"type", "anyOf", "$ref"}
    if "$ref" in schema:
        assert len(schema) == 1
    if "properties" in schema:
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])
    if "enum" in schema:
        assert isinstance(schema["type"], str)
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    for each in [*inner, *([schema["items"]] if "items" in schema else [])]:
        _assert_strict(each)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            "type", "properties", "items", "anyOf", "allOf", "oneOf", "enum", "const", "$ref", "$defs", "required",
            "additionalProperties", "nullable", "default", "not", "minLength", "minProperties", "propertyNames",
            "contains", "exclusiveMinimum", "minimum", "examples", "description", "a", "0", "\ud800",
        ]),
        inner | st.sampled_from(["object", "string", "array", "#", "#/properties/a", "#/$defs/a", "#/$defs/a/0"]),
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(JSON)
def test_any_json_at_all_is_prepared_or_refused(schema: Any) -> None:
    ready = None
    try:
        ready = answer_schema.prepare(schema)
    except SchemaFault:
        pass  # That is one of the two.
    if ready is not None:
        _assert_strict(ready.sent)
    answer_schema.lint(schema)
    answer_schema.check(schema)


@settings(max_examples=500, deadline=None)
@given(JSON, JSON, st.sampled_from(["object", "string", "array", ["string", "null"], None]))
def test_any_json_at_all_as_a_property_is_prepared_or_refused(inner: Any, definition: Any, kind: Any) -> None:
    property_ = {"type": kind} | inner if kind is not None and isinstance(inner, dict) else inner
    test_any_json_at_all_is_prepared_or_refused.hypothesis.inner_test(  # type: ignore[attr-defined]
        {"type": "object", "properties": {"a": property_}, "$defs": {"a": definition}}
    )


@given(st.text(alphabet="ab:|,;?[] \n", max_size=30) | st.text(max_size=30))
def test_any_required_column_is_a_schema_or_a_fault(text: str) -> None:
    schema: Any = None
    try:
        schema = answer_schema.from_required(text)
    except SchemaFault:
        pass  # That is one of the two.
    if schema is not None:
        assert text.count(",") + text.count(";") < len(schema["required"])
        assert len(schema["required"]) <= len(re.split(r"[,;\r\n\v\f\x85\u2028\u2029]", text))
