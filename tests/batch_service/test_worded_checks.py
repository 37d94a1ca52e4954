"""Answers keep the checks that a field's description words."""

import random
from typing import Any

import jsonschema_rs
import pytest

from local.batch_service import instances
from local.batch_service.worded_checks import checks_in


@pytest.mark.parametrize(
    ("description", "checks"),
    [
        ("Stars. At least 1. At most 5.", {"minimum": 1, "maximum": 5}),
        (
            "Greater than 0.5. Less than 1e3. A multiple of 0.25.",
            {"exclusiveMinimum": 0.5, "exclusiveMaximum": 1000.0, "multipleOf": 0.25},
        ),
        ("At least -3. At most -1.5.", {"minimum": -3, "maximum": -1.5}),
        ("At least 1 character. At most 20 characters.", {"minLength": 1, "maxLength": 20}),
        ("At least 2 items. At most 1 item. No item twice.", {"minItems": 2, "maxItems": 1, "uniqueItems": True}),
        ("Format: date-time.", {"format": "date-time"}),
        ("A date as YYYY-MM-DD, such as 2026-04-01.", {"format": "date"}),
        ("A time of day as HH:MM:SS, such as 06:30:00, with or without an offset such as Z.", {"format": "time"}),
        ("A date and time as YYYY-MM-DDTHH:MM:SS, such as 2026-04-01T06:30:00.", {"format": "date-time"}),
        (
            "Matches the regular expression ^[A-Z]{2}\\d. x$ At most 9 characters.",
            {"pattern": "^[A-Z]{2}\\d. x$", "maxLength": 9},
        ),
        ("Matches the regular expression ^a$", {"pattern": "^a$"}),
        (
            'Contains an item that fits {"const":"a. b"}. At least 2 items like that.',
            {"contains": {"const": "a. b"}, "minContains": 2},
        ),
        ("Contains an item that fits nothing", {}),
        ("How many there are at least. 5 at most.", {}),
        ("", {}),
    ],
)
def test_each_sentence_is_read_as_its_keyword(description: str, checks: dict[str, Any]) -> None:
    assert checks_in(description) == checks


LIST = {"type": "array", "items": {"type": "string"}}
FIELDS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"type": "integer"}, "At least 1. At most 5.", {"minimum": 1, "maximum": 5}),
    ({"type": "number"}, "Greater than 0. Less than 0.5.", {"exclusiveMinimum": 0, "exclusiveMaximum": 0.5}),
    ({"type": "integer"}, "A multiple of 7. At least 20.", {"multipleOf": 7, "minimum": 20}),
    ({"type": "string"}, "At least 300 characters. At most 310 characters.", {"minLength": 300, "maxLength": 310}),
    ({"type": "string"}, "Matches the regular expression ^[A-Z]{3}-\\d{4}$", {"pattern": "^[A-Z]{3}-\\d{4}$"}),
    ({"type": "string"}, "Format: date.", {"format": "date"}),
    ({"type": ["string", "null"]}, "Format: email.", {"format": "email"}),
    (
        {"type": "array", "items": {"type": "string"}},
        "At least 5 items. At most 6 items.",
        {"minItems": 5, "maxItems": 6},
    ),
    (
        {"type": "array", "items": {"type": "string"}},
        'Contains an item that fits {"const":"x"}.',
        {"contains": {"const": "x"}},
    ),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "At least 1. At most 3.", {"minimum": 1, "maximum": 3}),
    ({"anyOf": [{"$ref": "#/$defs/n"}]}, "At least 1. At most 3.", {"minimum": 1, "maximum": 3}),
]


@pytest.mark.parametrize(("schema", "words", "checks"), FIELDS)
def test_made_up_values_keep_worded_checks(schema: dict[str, Any], words: str, checks: dict[str, Any]) -> None:
    defs = {"n": {"type": "integer"}}
    whole = {"type": "object", "properties": {"score": {**schema, "description": f"The value. {words}"}}, "$defs": defs}
    checked = {"type": "object", "properties": {"score": {**schema, **checks}}, "$defs": defs}
    validator = jsonschema_rs.validator_for(checked, validate_formats=True)
    for seed in random.Random(1).sample(range(10_000), 200):
        validator.validate(instances.instance(whole, str(seed)))
