"""Checks that were moved into words are read from there again, for lines that version 1.0.0 wrote."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import answer_schema

type Schema = dict[str, Any]


def of(schema: object) -> Schema:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False}


def sent(schema: Schema) -> Schema:
    return answer_schema.prepare(of(schema)).sent


def back(schema: Schema) -> Schema:
    """What is read from the words of a schema, without the words."""
    properties: Any = answer_schema.restored(sent(schema))["properties"]
    return {key: value for key, value in properties["x"].items() if key != "description"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 1},
        {"type": "string", "minLength": 3, "maxLength": 20},
        {"type": "string", "pattern": "^[A-Z]+ [a-z.]+$"},
        {"type": "string", "pattern": "^a At least 2 b", "minLength": 2},
        {"type": "string", "format": "uuid", "maxLength": 36},
        {"type": "integer", "minimum": 1, "maximum": 9},
        {"type": "number", "exclusiveMinimum": -1.5, "exclusiveMaximum": 1e30, "multipleOf": 0.5},
        {"type": ["number", "null"], "minimum": 0},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "uniqueItems": True},
        {"type": "array", "items": {"type": "string"}, "contains": {"const": "a."}, "minContains": 2, "maxContains": 3},
    ],
)
def test_every_check_comes_back_from_its_words(schema: Schema) -> None:
    assert back(schema) == schema


def test_checks_deep_within_come_back_too() -> None:
    schema = of({"type": "array", "items": {"anyOf": [{"type": "string", "minLength": 2}, {"$ref": "#/$defs/D"}]}})
    schema["$defs"] = {"D": of({"type": "integer", "maximum": 5})}
    prepared = answer_schema.prepare(schema)
    assert answer_schema.restored(prepared.sent) != prepared.sent
    restored: Any = answer_schema.restored(prepared.sent)
    assert restored["properties"]["x"]["items"]["anyOf"][0]["minLength"] == 2
    assert restored["$defs"]["D"]["properties"]["x"]["maximum"] == 5


def test_the_words_of_version_1_0_0_for_a_format_are_read() -> None:
    old = of({"type": "string", "description": "When. Format: date-time."})
    properties: Any = answer_schema.restored(old)["properties"]
    assert properties["x"]["format"] == "date-time"


@pytest.mark.parametrize(
    "description",
    ["At least 3 characters, please", "See: At most 5 characters. Or so", "Lists At least 3 items.", "", "Nothing."],
)
def test_other_words_are_no_check(description: str) -> None:
    schema = of({"type": "string", "description": description})
    assert answer_schema.restored(schema) == schema


def test_a_check_that_is_there_already_stays() -> None:
    schema = of({"type": "string", "description": "At least 3 characters.", "minLength": 5})
    assert answer_schema.restored(schema) == schema


@given(st.text(max_size=60))
def test_any_description_at_all_can_be_read(description: str) -> None:
    assert answer_schema.restored(of({"type": "array", "items": {"type": "string"}, "description": description}))


def test_a_schema_is_said_to_check_more_only_where_it_does() -> None:
    checked = answer_schema.prepare(of({"type": "string", "minLength": 3}))
    assert answer_schema.checks_more(checked.checked, checked.sent)
    plain = answer_schema.prepare(of({"type": "string", "description": "A name."}))
    assert not answer_schema.checks_more(plain.checked, plain.sent)
    apart = answer_schema.prepare({**of({"$ref": "#/$defs/D", "description": "d"}), "$defs": {"D": {"type": "string"}}})
    assert apart.checked != apart.sent
    assert not answer_schema.checks_more(apart.checked, apart.sent)
    words_of_the_user = of({"type": "string", "description": "At least 3 characters."})
    assert answer_schema.checks_more(words_of_the_user, words_of_the_user)
