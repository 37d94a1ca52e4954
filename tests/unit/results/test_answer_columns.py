"""An answer's schema as columns, and its values in them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.results.answer_columns import TEXT_SCHEMA, Field, fields_of, flatten, union
from shared.results.schema_walk import WIDTH_LIMIT
from tests.unit.test_json_codec import JSON

TEXT = {"type": "string"}


def obj(**properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (obj(b=TEXT, a={"type": "integer"}), "b a"),
        (obj(a=obj(x=TEXT, y=obj(z=TEXT)), b=TEXT), "a.x a.y.z b"),
        (obj(a=obj(x=TEXT) | {"type": ["object", "null"]}), "a.x"),
        (obj(a={"anyOf": [obj(x=TEXT), {"type": "null"}]}), "a.x"),
        (obj(a={"anyOf": [obj(x=TEXT), obj(y=TEXT)]}), "a"),
        (obj(a={"anyOf": [TEXT, {"type": "null"}]}), "a"),
        (obj(a={"type": "array", "items": obj(x=TEXT)}), "a"),
        (obj(a={"type": "object", "additionalProperties": TEXT}), "a"),
        (obj(a={"type": "object", "properties": {}}), "a"),
        (obj(a=obj(x=TEXT) | {"additionalProperties": False}), "a.x"),
        (obj(a=obj(x=TEXT) | {"additionalProperties": TEXT}), "a"),
        (obj(a=True, b={}), "a b"),
        (obj(a={"$ref": "#/$defs/p"}) | {"$defs": {"p": obj(x=TEXT)}}, "a.x"),
        (obj(a={"$ref": "#/$defs/a~1b%20c"}) | {"$defs": {"a/b c": obj(x=TEXT)}}, "a.x"),
        (obj(a={"anyOf": [{"$ref": "#/$defs/p"}, {"type": "null"}]}) | {"$defs": {"p": obj(x=TEXT)}}, "a.x"),
        (obj(a={"$ref": "#/$defs/nowhere"}), "a"),
        (obj(a={"$ref": "https://example.com/s"}), "a"),
        (obj(value=TEXT, left={"anyOf": [{"$ref": "#"}, {"type": "null"}]}), "value left"),
        (obj(a={"$ref": "#/$defs/n"}) | {"$defs": {"n": obj(v=TEXT, kids={"items": {"$ref": "#/$defs/n"}})}}, "a"),
        ({"$ref": "#/$defs/n", "$defs": {"n": obj(v=TEXT, kids={"items": {"$ref": "#/$defs/n"}})}}, "v kids"),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"$ref": "#/$defs/n"}}}, ""),
        ({}, ""),
    ],
)
def test_objects_that_are_not_recursive_are_flattened_in_schema_order(schema: dict[str, Any], names: str) -> None:
    assert [field.name for field in fields_of(schema)] == names.split()


def test_references_that_multiply_end_in_a_bounded_table() -> None:
    doubling = {f"d{n}": obj(x={"$ref": f"#/$defs/d{n + 1}"}, y={"$ref": f"#/$defs/d{n + 1}"}) for n in range(200)}
    schema = obj(huge={"$ref": "#/$defs/d0"}, small={"$ref": "#/$defs/d199"}) | {"$defs": doubling}
    assert [field.name for field in fields_of(schema)] == ["huge", "small.x", "small.y"]
    wide = obj(**dict.fromkeys(map(str, range(100)), TEXT))
    many = obj(**{f"p{n}": {"$ref": "#/$defs/w"} for n in range(60)})
    assert len(fields_of(many | {"$defs": {"w": wide}})) == WIDTH_LIMIT + 10


def test_references_chained_beyond_any_depth_are_left_whole() -> None:
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(1500)}
    assert fields_of(obj(a={"$ref": "#/$defs/d0"}) | {"$defs": chain}) == (Field(("a",)),)


def test_several_schemas_join_in_order_of_first_appearance() -> None:
    joined = union([fields_of(obj(a=TEXT, b=TEXT)), fields_of(obj(c=TEXT, b=TEXT)), fields_of(TEXT_SCHEMA)])
    assert [field.name for field in joined] == ["a", "b", "c", "text"]


def test_values_stand_under_their_fields() -> None:
    fields = fields_of(obj(s=TEXT, n=TEXT, o=obj(x=TEXT, y=TEXT), l={"type": "array"}, r={"type": "object"}))
    answer = {"l": [1, {"ü": None}], "o": {"x": 1.5}, "s": "text", "n": None, "r": {}, "extra": 1}
    assert flatten(answer, fields) == ["text", None, 1.5, None, '[1,{"ü":null}]', "{}"]
    assert flatten({"o": None, "s": True, "n": 10**30}, fields) == [True, 10**30, None, None, None, None]


def test_an_object_that_one_schema_flattens_and_another_keeps_whole_is_shown_once() -> None:
    fields = union([fields_of(obj(a=obj(x=TEXT))), fields_of(obj(a={"type": "array"}))])
    assert [field.name for field in fields] == ["a.x", "a"]
    assert flatten({"a": {"x": "1"}}, fields) == ["1", None]
    assert flatten({"a": ["1"]}, fields) == [None, '["1"]']
    assert flatten({"a": {"x": "1", "z": "2"}}, fields) == ["1", '{"x":"1","z":"2"}']


NAMES = st.sampled_from("abc")
SCHEMAS = st.recursive(
    st.sampled_from(
        [TEXT, {"type": "array"}, {"$ref": "#"}, {"$ref": "#/properties/a"}, {"type": ["integer", "null"]}]
    ),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3).map(lambda properties: obj(**properties)),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, SCHEMAS, min_size=1), JSON)
def test_any_schema_and_any_answer_give_a_value_for_each_field(properties: dict[str, Any], answer: object) -> None:
    fields = fields_of(obj(**properties))
    assert len({field.path for field in fields}) == len(fields)
    assert {field.path[0] for field in fields} == set(properties)
    assert len(flatten(answer, fields)) == len(fields)


ANSWERS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(NAMES, ANSWERS, min_size=1))
def test_nothing_of_an_answer_is_lost_in_the_table(answer: dict[str, Any]) -> None:
    def schema_of(value: object) -> dict[str, Any]:
        return obj(**{k: schema_of(v) for k, v in value.items()}) if isinstance(value, dict) else TEXT

    def leaves(value: object) -> list[object]:
        return [x for v in value.values() for x in leaves(v)] if isinstance(value, dict) else [value]

    assert flatten(answer, fields_of(schema_of(answer))) == leaves(answer)
    (whole,) = flatten({"whole": answer}, [Field(("whole",))])
    assert isinstance(whole, str)
    assert json.loads(whole) == answer
