"""Answer schemas: what is accepted unchanged, changed, moved into descriptions, refused; and that none of it hangs."""

import json
import re
import time
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Literal

import jsonschema_rs
import pytest
from pydantic import BaseModel, Field

from shared import answer_schema
from shared.answer_schema.first_keys import check_first_keys
from shared.domain.errors import SchemaFault
from testing.paths import DATA

SAMPLE = DATA / "seed/batch - StructuredOutputs.jsonl"

type Schema = dict[str, Any]


def of(schema: object, **more: object) -> Schema:
    """An object whose one property `x` has this schema."""
    return {
        "type": "object",
        "properties": {"x": schema},
        "required": ["x"],
        "additionalProperties": False,
        **more,
    }


def x(schema: object, **more: object) -> Any:
    """What is sent for a property with this schema."""
    sent: Any = answer_schema.prepare(of(schema, **more)).sent
    return sent["properties"]["x"]


def accepts(schema: Schema, value: object) -> bool:
    return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True).is_valid(value)


def findings(schema: object) -> dict[str, str]:
    with pytest.raises(SchemaFault) as caught:
        answer_schema.prepare(schema)
    return {finding.path: finding.problem for finding in caught.value.findings}


class TestRequiredColumn:
    def test_the_sample_table_gives_the_sample_files_schema(self) -> None:
        expected = json.loads(SAMPLE.read_text().splitlines()[0])["body"]["response_format"]["json_schema"]["schema"]
        schema = answer_schema.from_required("BuildingName, HeightInFeet, City, Country")
        assert json.dumps(schema) == json.dumps(expected)

    @pytest.mark.parametrize(
        ("kind", "schema"),
        [
            ("", {"type": "string"}),
            (": string", {"type": "string"}),
            (":number", {"type": "number"}),
            (" : integer ", {"type": "integer"}),
            (": boolean", {"type": "boolean"}),
            (": string[]", {"type": "array", "items": {"type": "string"}}),
            (": integer[]", {"type": "array", "items": {"type": "integer"}}),
            (": string?", {"type": ["string", "null"]}),
            (": boolean?", {"type": ["boolean", "null"]}),
            (": number[]?", {"type": ["array", "null"], "items": {"type": "number"}}),
            (": string []", {"type": "array", "items": {"type": "string"}}),
            (": integer ?", {"type": ["integer", "null"]}),
            (": date", {"type": "string", "format": "date"}),
            (": date-time?", {"type": ["string", "null"], "format": "date-time"}),
            (": time[]", {"type": "array", "items": {"type": "string", "format": "time"}}),
            (": str", {"type": "string"}),
            (": float", {"type": "number"}),
            (": int[]?", {"type": ["array", "null"], "items": {"type": "integer"}}),
            (": Bool", {"type": "boolean"}),
            (": delivery|refund | other", {"type": "string", "enum": ["delivery", "refund", "other"]}),
            (": in progress|done[]", {"type": "array", "items": {"type": "string", "enum": ["in progress", "done"]}}),
            (": a|b?", {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]}),
            (": 09:00|10:00", {"type": "string", "enum": ["09:00", "10:00"]}),
        ],
    )
    def test_types(self, kind: str, schema: Schema) -> None:
        assert answer_schema.from_required(f"a, B c{kind}")["properties"] == {"a": {"type": "string"}, "B c": schema}

    @pytest.mark.parametrize(
        ("text", "path", "problem"),
        [
            (
                "a: text",
                "Required, field 1",
                'unknown type "text"; allowed are string, number, integer, boolean, date, date-time, time, or',
            ),
            ("a: x|", "Required, field 1", "has an empty value; write the allowed values as a|b|c"),
            ("a: x|y|x", "Required, field 1", "has a value twice"),
            ("a: string|null", "Required, field 1", 'has the type "string" among its allowed values; for "or null"'),
            ("a: x", "Required, field 1", 'unknown type "x"'),
            ('{"type": "object"}', "Required", "put a JSON Schema under Schema"),
            ('["a", "b"]', "Required", "is JSON, not a list of fields"),
            ("a\n\nb,\n,c", "Required, field 3", "has no name"),
            ("a, b: string?[]", "Required, field 2", 'unknown type "string?[]"'),
            ("a:", "Required, field 1", 'unknown type ""'),
            ("a,,b", "Required, field 2", "has no name"),
            ("a, : string", "Required, field 2", "has no name"),
            ("", "Required, field 1", "has no name"),
            ("a, b, a: integer", "Required, field 3", '"a" is named twice'),
        ],
    )
    def test_faults_name_the_field_and_what_is_allowed(self, text: str, path: str, problem: str) -> None:
        with pytest.raises(SchemaFault) as caught:
            answer_schema.from_required(text)
        assert [f.path for f in caught.value.findings] == [path]
        assert problem in str(caught.value)

    @pytest.mark.parametrize(
        "text",
        [
            "Name\nHeight: integer",
            "Name;Height:integer",
            "Name,\r\n Height: int\n",
            "\nName\n\n\nHeight: integer",
            "Name\u2028Height: integer",
            "Name\x0bHeight: integer",
            ["Name", "Height: integer"],
        ],
    )
    def test_semicolons_line_breaks_and_list_items_separate_fields_too(self, text: str | list[str]) -> None:
        properties = {"Name": {"type": "string"}, "Height": {"type": "integer"}}
        assert answer_schema.from_required(text)["properties"] == properties

    def test_allowed_values_may_be_null_without_a_warning(self) -> None:
        prepared = answer_schema.prepare(answer_schema.from_required("Kind: a|b?, Kinds: a|b[]?"))
        assert (prepared.changes, prepared.warnings) == ((), ())

    def test_needs_no_change(self) -> None:
        schema = answer_schema.from_required("a, b: integer, c: string[], d: number?, e: boolean[]?")
        prepared = answer_schema.prepare(schema)
        assert prepared == answer_schema.AnswerSchema(schema, schema)


class TestAccepted:
    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "string", "description": "a text", "title": "X"},
            {"type": ["null", "string"]},
            {"type": "string", "enum": ["a", "b"]},
            {"type": "integer", "enum": [1, 2]},
            {"type": "string", "const": "a"},
            {"type": "array", "items": {"type": "string"}},
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            {"type": "array", "items": {"$ref": "#"}},
            of({"type": "null"}),
        ],
    )
    def test_a_strict_schema_is_sent_as_it_is(self, schema: Schema) -> None:
        prepared = answer_schema.prepare(of(schema))
        assert json.dumps(prepared.sent) == json.dumps(of(schema))
        assert prepared == answer_schema.AnswerSchema(of(schema), of(schema))
        assert answer_schema.lint(of(schema)) == ()

    def test_the_order_of_required_stays(self) -> None:
        schema = {
            "type": "object",
            "required": ["b", "a"],
            "additionalProperties": False,
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        }
        assert json.dumps(answer_schema.prepare(schema).sent) == json.dumps(schema)

    def test_definitions_may_be_recursive(self) -> None:
        tree = of({"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]})
        schema = {"$defs": {"Tree": tree}, **of({"$ref": "#/$defs/Tree"})}
        assert json.dumps(answer_schema.prepare(schema).sent) == json.dumps(schema)


class TestMended:
    """(what is given, what is sent, what of it `changes` says)."""

    CASES = (
        ({"type": "string", "default": "a"}, {"type": "string"}, "$.properties.x.default: is not supported"),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}, "nullable was written as a type null"),
        ({"const": "a"}, {"const": "a", "type": "string"}, "that of its values was added"),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b"], "type": "string"}, "that of its values was added"),
        ({"enum": ["a", "b"], "const": "b"}, {"enum": ["b"], "type": "string"}, "that of its values was added"),
        ({"enum": [1, True], "const": True}, {"enum": [True], "type": "boolean"}, "that of its values was added"),
        ({"enum": [1, 2.5]}, {"enum": [1, 2.5], "type": "number"}, "that of its values was added"),
        (
            {"enum": ["a", 1, True, None]},
            {
                "anyOf": [
                    {"enum": ["a"], "type": "string"},
                    {"enum": [1], "type": "integer"},
                    {"enum": [True], "type": "boolean"},
                    {"type": "null"},
                ]
            },
            "$.properties.x: its types were written as anyOf",
        ),
        (
            {"type": ["string", "integer"], "description": "d"},
            {"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "d"},
            "its types were written as anyOf",
        ),
        ({"allOf": [{"type": "string"}], "title": "T"}, {"title": "T", "type": "string"}, "$.properties.x.allOf"),
        ({"oneOf": [{"type": "string"}]}, {"type": "string"}, "$.properties.x.oneOf"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            "$.properties.x: additionalProperties: false was added",
        ),
        (
            {"properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
            {
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
                "type": "object",
            },
            "$.properties.x: has no type: it was added",
        ),
        ({"items": {"type": "string"}}, {"items": {"type": "string"}, "type": "array"}, "has no type"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
            {
                "type": "object",
                "properties": {"a": {"type": ["string", "null"]}},
                "additionalProperties": False,
                "required": ["a"],
            },
            "$.properties.x.properties.a: was not required: now it is required and may be null",
        ),
        (
            {"type": "string", "x-order": 1, "minItems": 2},
            {"type": "string"},
            "$.properties.x.x-order, $.properties.x.minItems: says nothing",
        ),
        ({"type": "string", "$comment": "c", "$id": "i", "deprecated": True}, {"type": "string"}, ""),
        (
            {"type": "number", "minimum": 3, "exclusiveMinimum": True},
            {"type": "number", "description": "Greater than 3."},
            "$.properties.x.exclusiveMinimum: is not supported",
        ),
        (
            {"type": "number", "maximum": 3, "exclusiveMaximum": False},
            {"type": "number", "description": "At most 3."},
            "$.properties.x.maximum: is not supported",
        ),
        ({"type": "number", "exclusiveMinimum": True}, {"type": "number"}, ""),
        ({"anyOf": [{"enum": ["a"]}, {"type": "null"}], "type": ["string", "null"]}, None, ""),
    )

    @pytest.mark.parametrize(("given", "sent", "change"), CASES[:-1])
    def test_is_sent_and_said(self, given: Schema, sent: Schema, change: str) -> None:
        prepared = answer_schema.prepare(of(given))
        assert x(given) == sent
        assert change in " ".join(prepared.changes).replace('["x-order"]', ".x-order")
        assert bool(prepared.changes) == bool(change)

    @pytest.mark.parametrize(("given", "_sent", "_change"), CASES)
    def test_what_was_changed_needs_no_second_change(self, given: Schema, _sent: object, _change: str) -> None:
        sent = answer_schema.prepare(of(given)).sent
        assert answer_schema.prepare(sent) == answer_schema.AnswerSchema(sent, sent)
        assert answer_schema.lint(sent) == ()

    @pytest.mark.parametrize(
        ("schema", "optional"),
        [
            ({"type": "string"}, {"type": ["string", "null"]}),
            ({"type": "integer", "minimum": 1}, {"type": ["integer", "null"], "description": "At least 1."}),
            (
                {"type": "string", "enum": ["a"], "description": "d"},
                {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}], "description": "d"},
            ),
            (of({"type": "null"}), {"anyOf": [of({"type": "null"}), {"type": "null"}]}),
            ({"$ref": "#/$defs/D"}, {"anyOf": [{"$ref": "#/$defs/D"}, {"type": "null"}]}),
            ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
            ({"anyOf": [{"type": "null"}, {"type": "string"}]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
            ({"type": "null"}, {"type": "null"}),
        ],
    )
    def test_an_optional_property_may_be_null(self, schema: Schema, optional: Schema) -> None:
        definitions = {"D": {"type": "string"}}
        prepared = answer_schema.prepare(of(schema, required=[], **{"$defs": definitions}))
        assert prepared.sent["properties"] == {"x": optional}
        assert prepared.sent["required"] == ["x"]
        assert accepts(prepared.checked, {"x": None})

    def test_what_every_answer_has_is_no_rule(self) -> None:
        rules = {"minProperties": 1, "maxProperties": 1, "propertyNames": {"pattern": "^a"}}
        sent = x({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], **rules})
        assert not sent.keys() & rules.keys()

    def test_a_definition_alone_may_be_the_root(self) -> None:
        tree = of({"anyOf": [{"$ref": "#/$defs/T"}, {"type": "null"}]})
        for root in ({"$ref": "#/$defs/T"}, {"allOf": [{"$ref": "#/$defs/T"}]}):
            sent = answer_schema.prepare({"$defs": {"T": tree}, **root}).sent
            assert sent == of({"anyOf": [{"$ref": "#"}, {"type": "null"}]})

    def test_words_beside_such_a_root_are_its_words(self) -> None:
        schema = {"$ref": "#/$defs/T", "description": "outer", "$defs": {"T": of({"type": "null"}, title="T")}}
        prepared = answer_schema.prepare(schema)
        assert prepared.sent == of({"type": "null"}, title="T", description="outer")
        assert prepared.changes == ("$.$ref: was replaced by its one schema",)

    @pytest.mark.parametrize(
        ("ref", "place"),
        [
            ("#/definitions/D", {"definitions": {"D": {"type": "string"}}}),
            ("#/%24defs/D", {"$defs": {"D": {"type": "string"}}}),
            ("#/$defs/a~1b~0c", {"$defs": {"a/b~c": {"type": "string"}}}),
            ("#/$defs/Größe in m", {"$defs": {"Größe in m": {"type": "string"}}}),
            ("#/$defs/Gr%C3%B6%C3%9Fe%20in%20m", {"$defs": {"Größe in m": {"type": "string"}}}),
            ("#/$defs/", {"$defs": {"": {"type": "string"}}}),
            ("#/extra/0", {"extra": [{"type": "string"}]}),
            ("https://example.com/s#/$defs/D", {"$id": "https://example.com/s", "$defs": {"D": {"type": "string"}}}),
        ],
    )
    def test_references_within_the_schema_are_followed_and_written_as_definitions(
        self, ref: str, place: Schema
    ) -> None:
        prepared = answer_schema.prepare(of({"$ref": ref}, **place))
        definitions: Any = prepared.sent["$defs"]
        assert list(definitions.values()) == [{"type": "string"}]
        (name,) = definitions
        assert x({"$ref": ref}, **place) == {"$ref": f"#/$defs/{name}"}
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), "it must stand in a URI as it is"
        assert accepts(prepared.checked, {"x": "a"})
        assert not accepts(prepared.checked, {"x": 1})

    def test_names_that_become_the_same_are_told_apart(self) -> None:
        definitions = {"a/b": {"type": "string"}, "a b": {"type": "integer"}}
        given = of({"anyOf": [{"$ref": "#/$defs/a~1b"}, {"$ref": "#/$defs/a b"}]}, **{"$defs": definitions})
        assert answer_schema.prepare(given).sent["$defs"] == {"a_b": {"type": "string"}, "a_b_2": {"type": "integer"}}

    def test_words_beside_a_reference_stand_beside_an_any_of(self) -> None:
        sent = x({"$ref": "#/$defs/D", "description": "d", "minLength": 2}, **{"$defs": {"D": {"type": "string"}}})
        assert sent == {"anyOf": [{"$ref": "#/$defs/D"}], "description": "d. At least 2 characters."}

    def test_a_recursive_reference_with_words_beside_it_just_works(self) -> None:
        node = of({"anyOf": [{"$ref": "#/$defs/N", "description": "inner"}, {"type": "null"}]})
        prepared = answer_schema.prepare({**of({"$ref": "#/$defs/N", "description": "outer"}), "$defs": {"N": node}})
        assert accepts(prepared.checked, {"x": {"x": {"x": None}}})
        assert not accepts(prepared.checked, {"x": {"x": {"x": 1}}})

    def test_changes_of_one_kind_are_said_in_one_sentence(self) -> None:
        schema = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(50)}}
        changes = answer_schema.prepare(schema).changes
        assert changes[1].startswith("$.properties.p0, ")
        assert "and 45 more: was not required" in changes[1]
        assert len(changes) == 2


class TestMovedIntoTheDescription:
    @pytest.mark.parametrize(
        ("schema", "words", "good", "bad"),
        [
            ({"type": "string", "minLength": 3}, "At least 3 characters.", "abc", "ab"),
            ({"type": "string", "maxLength": 1}, "At most 1 character.", "a", "ab"),
            ({"type": "string", "pattern": "^[A-Z]+$"}, "Matches the regular expression ^[A-Z]+$", "A", "a"),
            (
                {"type": "string", "format": "date"},
                "A date as YYYY-MM-DD, such as 2026-04-01.",
                "2026-11-22",
                "today",
            ),
            ({"type": "string", "format": "uuid"}, "Format: uuid.", "5f1f5cf5-ae2b-4b35-b6a5-3ac1f8a3a4b1", "5f1f"),
            ({"type": "integer", "minimum": 1}, "At least 1.", 1, 0),
            ({"type": "number", "maximum": 1.5}, "At most 1.5.", 1.5, 2),
            ({"type": "number", "exclusiveMinimum": 0}, "Greater than 0.", 1, 0),
            ({"type": "number", "exclusiveMaximum": 0}, "Less than 0.", -1, 0),
            ({"type": "integer", "multipleOf": 5}, "A multiple of 5.", 10, 3),
            ({"type": "array", "items": {"type": "integer"}, "minItems": 1}, "At least 1 item.", [1], []),
            ({"type": "array", "items": {"type": "integer"}, "maxItems": 2}, "At most 2 items.", [1, 2], [1, 2, 3]),
            ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "No item twice.", [1, 2], [1, 1]),
            (
                {"type": "array", "items": {"type": "integer"}, "contains": {"const": 1}},
                'Contains an item that fits {"const":1}.',
                [1, 2],
                [2],
            ),
        ],
    )
    def test_and_still_checked(self, schema: Schema, words: str, good: object, bad: object) -> None:
        prepared = answer_schema.prepare(of(schema | {"description": "The x"}))
        sent: Any = prepared.sent
        assert sent["properties"]["x"]["description"] == f"The x. {words}"
        assert sent["properties"]["x"].keys() <= {"type", "items", "description"}
        assert accepts(prepared.checked, {"x": good})
        assert not accepts(prepared.checked, {"x": bad})
        assert accepts(prepared.sent, {"x": bad}), "the service is not told"
        assert "moved into the description" in " ".join(prepared.changes)

    def test_a_check_that_is_switched_off_needs_no_words(self) -> None:
        assert "description" not in x({"type": "array", "items": {"type": "integer"}, "uniqueItems": False})

    def test_after_the_users_own_sentence(self) -> None:
        sent = [
            x({"type": "string", "minLength": 2, "description": text}) for text in ("A name", "A name.", "Name? ", "")
        ]
        words = [schema["description"] for schema in sent]
        said = "At least 2 characters."
        assert words == [f"A name. {said}", f"A name. {said}", f"Name? {said}", said]

    def test_examples_are_kept_for_the_model(self) -> None:
        assert x({"type": "string", "examples": ["a", "b"]}) == {"type": "string", "description": "Examples: a, b."}


class TestRefused:
    @pytest.mark.parametrize(
        ("schema", "path", "remedy"),
        [
            ({}, "$.properties.x", "has no known type"),
            (True, "$.properties.x", "must be an object that names a type"),
            (False, "$.properties.x", "must be an object that names a type"),
            ({"type": "strng"}, "$.properties.x", "allowed are string, number, integer"),
            ({"minLength": 2}, "$.properties.x", "has no known type"),
            ({"type": "object"}, "$.properties.x", "open map"),
            ({"type": "object", "additionalProperties": False}, "$.properties.x", "has no properties"),
            (
                {"type": "object", "properties": {}, "additionalProperties": False},
                "$.properties.x",
                "has no properties",
            ),
            (
                {"type": "object", "additionalProperties": {"type": "string"}},
                "$.properties.x.additionalProperties",
                "open map",
            ),
            (of({"type": "string"}, additionalProperties=True), "$.properties.x.additionalProperties", "open map"),
            (of({"type": "string"}, additionalProperties={}), "$.properties.x.additionalProperties", "open map"),
            (
                {"type": "object", "properties": {"a": {"type": "string"}}, "unevaluatedProperties": {}},
                "$.properties.x.unevaluatedProperties",
                "open map",
            ),
            (of({"type": "string"}, patternProperties={"^a": {}}), "$.properties.x.patternProperties", "open map"),
            (of({"type": "string"}, required=["x", "y"]), "$.properties.x.required", 'lists "y", which does not stand'),
            (
                of({"type": "string"}, required=["y", "z"]),
                "$.properties.x.required",
                'lists "y", "z", which do not stand under properties; add it there, or leave it out here',
            ),
            (of({"type": "string"}, required="x"), "$.properties.x.required", "names that stand under properties"),
            (of({"type": "string"}, minProperties=2), "$.properties.x.minProperties", "leave it out"),
            (of({"type": "string"}, maxProperties=0), "$.properties.x.maxProperties", "leave it out"),
            (of({"type": "string"}, propertyNames={"pattern": "y"}), "$.properties.x.propertyNames", "leave it out"),
            ({"type": "array"}, "$.properties.x", "say under items what its items are"),
            ({"type": "array", "items": {}}, "$.properties.x.items", "has no known type"),
            ({"type": "array", "items": [{"type": "string"}]}, "$.properties.x.items", "make it an object"),
            (
                {"type": "array", "items": of({"type": "string"}), "contains": {}},
                "$.properties.x.contains",
                "plain values",
            ),
            ({"type": "array", "prefixItems": []}, "$.properties.x.prefixItems", "make it an object"),
            ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "$.properties.x.oneOf", "write anyOf"),
            ({"allOf": [{"type": "string"}, {"maxLength": 1}]}, "$.properties.x.allOf", "merge its schemas"),
            ({"type": "string", "not": {"const": "a"}}, "$.properties.x.not", "describe what is allowed"),
            ({"type": "string", "if": {}}, "$.properties.x.if", "one branch for each case"),
            (of({"type": "string"}, dependentRequired={}), "$.properties.x.dependentRequired", "one branch"),
            ({"enum": []}, "$.properties.x", "allows no value"),
            ({"type": "string", "enum": [1]}, "$.properties.x", "allows no value"),
            ({"enum": [{"a": 1}]}, "$.properties.x", "texts, numbers, booleans and null only"),
            ({"const": [1]}, "$.properties.x", "texts, numbers, booleans and null only"),
            ({"anyOf": []}, "$.properties.x.anyOf", "must be a list of schemas"),
            ({"anyOf": [{"type": "string"}, {}]}, "$.properties.x.anyOf[1]", "has no known type"),
            ({"anyOf": [{"type": "string"}], "enum": ["a"]}, "$.properties.x.enum", "cannot stand beside anyOf"),
            ({"anyOf": [{"type": "string"}], "type": "integer"}, "$.properties.x.type", "differs from what anyOf says"),
            ({"allOf": [{"type": "string"}], "type": "integer"}, "$.properties.x.allOf[0].type", "merge the two"),
            ({"$ref": "#/$defs/none"}, "$.properties.x.$ref", "points to nothing in this schema"),
            (
                {"anyOf": [{"type": "string"}, {"$ref": "#/properties/x/anyOf/first"}]},
                "$.properties.x.anyOf[1].$ref",
                "points to nothing in this schema",
            ),
            ({"$ref": "#/properties/x"}, "$.properties.x.$ref", "refers to itself only"),
            ({"$ref": "#anchor"}, "$.properties.x.$ref", "write #/$defs/name"),
            ({"$ref": 5}, "$.properties.x.$ref", "must be a text"),
            ({"$ref": "https://example.com/s.json"}, "$.properties.x.$ref", "never fetched"),
            ({"$ref": "file:///etc/passwd"}, "$.properties.x.$ref", "never fetched"),
            ({"$ref": "#"}, "$", "can never end"),
            ({"type": "array", "minItems": 1, "items": {"$ref": "#"}}, "$", "can never end"),
            ({"type": "string", "pattern": "("}, "$.properties.x.pattern", "is not a valid JSON Schema"),
            ({"type": "string", "minLength": "3"}, "$.properties.x.minLength", "is not a valid JSON Schema"),
            ({"type": "string", "description": 5}, "$.properties.x.description", "is not a valid JSON Schema"),
        ],
    )
    def test_with_path_and_remedy(self, schema: object, path: str, remedy: str) -> None:
        found = findings(of(schema))
        assert list(found) == [path]
        assert remedy in found[path]

    @pytest.mark.parametrize(
        ("schema", "path"),
        [
            (None, "$"),
            ("{}", "$"),
            ([], "$"),
            (True, "$"),
            ({}, "$"),
            ({"type": "array", "items": {"type": "string"}}, "$"),
            ({"type": ["object", "null"], "properties": {"a": {"type": "string"}}}, "$"),
            ({"type": "string"}, "$"),
            ({"anyOf": [of({"type": "string"}), of({"type": "null"})]}, "$.anyOf"),
            ({"type": "object", "anyOf": [of({"type": "string"}), of({"type": "null"})]}, "$.anyOf"),
            ({"$ref": "#"}, "$.$ref"),
            ({"enum": ["a"]}, "$"),
        ],
    )
    def test_the_root_must_be_an_object(self, schema: object, path: str) -> None:
        assert list(findings(schema)) == [path]

    @pytest.mark.parametrize("beside", [{"name": "n", "strict": True}, {"type": "json_schema"}])
    @pytest.mark.parametrize("key", ["schema", "json_schema"])
    def test_a_response_format_in_place_of_its_schema_is_told_apart(self, key: str, beside: Schema) -> None:
        with pytest.raises(SchemaFault, match=r"^\$: is a response format; give only what stands under its key schema"):
            answer_schema.prepare({**beside, key: of({"type": "string"})})

    def test_definitions_that_lead_back_to_themselves(self) -> None:
        found = findings(
            of({"$ref": "#/$defs/A"}, **{"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}}})
        )
        assert found == {"$.$defs.A": "refers to itself without a property or a list between; leave that branch out"}

    def test_all_faults_are_named_at_once(self) -> None:
        schema = {"type": "object", "properties": {"a": {}, "b": {"oneOf": []}, "c": {"$ref": "#/q"}}}
        assert list(findings(schema)) == ["$.properties.a", "$.properties.b.oneOf", "$.properties.c.$ref"]

    def test_the_message_of_many_faults_stays_short(self) -> None:
        schema = {"type": "object", "properties": {f"{'n' * 10_000}{i}": {} for i in range(1000)}}
        with pytest.raises(SchemaFault) as caught:
            answer_schema.prepare(schema)
        assert len(str(caught.value)) < 1500


def test_a_part_that_is_no_json_schema_is_named_by_its_place_in_the_given_schema() -> None:
    wrong = {"type": "object", "properties": {"y": {"type": "string", "pattern": "["}}}
    nested = {"type": "object", "properties": {"x": wrong}}
    assert list(findings(nested)) == ["$.properties.x.properties.y.pattern"]
    by_name = {"$ref": "#/definitions/X", "definitions": {"X": wrong}}
    assert list(findings(by_name)) == ["$.definitions.X.properties.y.pattern"]
    assert list(findings({**nested, "$schema": "https://example.com/mine"})) == ["$.properties.x.properties.y.pattern"]


@pytest.mark.parametrize(
    ("schema", "is_checked"),
    [
        ({"type": "string", "format": "date"}, True),
        ({"type": "string", "pattern": "a"}, True),
        ({"type": "string", "format": "password"}, False),
        ({"type": "integer", "format": "int32"}, False),
        ({"type": "string", "examples": ["a"]}, False),
        ({"type": "string", "contentEncoding": "base64"}, False),
    ],
)
def test_what_is_only_told_to_the_model_is_not_said_to_be_checked(schema: Schema, is_checked: bool) -> None:
    (change,) = answer_schema.prepare(of(schema)).changes
    assert ("is still checked" in change) == is_checked
    assert ("is not checked" in change) != is_checked


class TestFirstKeys:
    """Objects of one `anyOf` that the service may not be able to tell apart."""

    TEXT: ClassVar[Schema] = {"type": "string"}

    @staticmethod
    def pair(one: Schema, other: Schema, **definitions: Schema) -> Schema:
        objects = [
            {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            }
            for properties in (one, other)
        ]
        return {**of({"type": "array", "items": {"anyOf": objects}}), "$defs": definitions}

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"name": TEXT, "a": TEXT}, {"name": TEXT, "b": TEXT}),
            ({"kind": {"type": "string", "const": "a"}}, {"kind": TEXT}),
            ({"kind": {"type": "string", "const": "a"}}, {"kind": {"type": "string", "enum": ["b", "a"]}}),
        ],
    )
    def test_the_same_first_key_is_warned_of(self, one: Schema, other: Schema) -> None:
        (warning,) = answer_schema.prepare(self.pair(one, other)).warnings
        assert warning.startswith("$.properties.x.items.anyOf: ")
        assert repr(next(iter(one))) in warning
        assert answer_schema.lint(self.pair(one, other)) == ()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"a": TEXT, "name": TEXT}, {"b": TEXT, "name": TEXT}),
            ({"kind": {"type": "string", "const": "a"}}, {"kind": {"type": "string", "enum": ["b", "c"]}}),
            ({"kind": {"$ref": "#/$defs/A"}}, {"kind": {"$ref": "#/$defs/B"}}),
        ],
    )
    def test_first_keys_that_tell_the_objects_apart_are_not(self, one: Schema, other: Schema) -> None:
        constants: dict[str, Schema] = {name: {"type": "string", "const": name} for name in "AB"}
        assert answer_schema.prepare(self.pair(one, other, **constants)).warnings == ()

    def test_models_are_seen_through_references_and_unions_within_unions(self) -> None:
        class Cat(BaseModel):
            name: str
            lives: int

        class Dog(BaseModel):
            name: str
            tricks: list[str]

        class Owner(BaseModel):
            pet: Cat | Dog | None = None
            second: Cat | None = None

        (warning,) = answer_schema.prepare(Owner.model_json_schema()).warnings
        assert warning.startswith("$.properties.pet.anyOf: ")

    def test_a_long_chain_of_references_takes_no_time(self) -> None:
        chain = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"type": "string"}]} for i in range(3_000)}
        schema = {**of({"$ref": "#/$defs/d0"}), "$defs": {**chain, "d3000": {"type": "null"}}}
        assert check_first_keys(schema) == ()


class TestLimits:
    @staticmethod
    def nested(levels: int) -> Schema:
        schema: Schema = {"type": "string"}
        for _ in range(levels):
            schema = of(schema)
        return schema

    @staticmethod
    def wide(count: int) -> Schema:
        names = [f"p{i}" for i in range(count)]
        return {
            "type": "object",
            "properties": {name: {"type": "string"} for name in names},
            "required": names,
            "additionalProperties": False,
        }

    @staticmethod
    def listing(count: int, length: int) -> Schema:
        return of({"type": "string", "enum": [f"{i:0{length}}" for i in range(count)]})

    @pytest.mark.parametrize(
        ("make", "fits", "warned", "refused"),
        [
            ("nested", (5,), (6,), (11,)),
            ("nested", (1,), (10,), (12,)),
            ("wide", (100,), (101,), (5001,)),
            ("listing", (500, 4), (501, 4), (1001, 4)),
            ("listing", (250, 50), (251, 50), (251, 60)),
            ("listing", (100, 100), (100, 200), (100, 1300)),
        ],
    )
    def test_sizes_beyond_the_older_figures_warn_and_beyond_the_current_ones_are_refused(
        self, make: str, fits: tuple[int, ...], warned: tuple[int, ...], refused: tuple[int, ...]
    ) -> None:
        build = getattr(self, make)
        assert answer_schema.prepare(build(*fits)).warnings == ()
        (warning,) = answer_schema.prepare(build(*warned)).warnings
        assert "older models and api-versions allow only" in warning
        assert "are allowed" in findings(build(*refused))["$"]

    def test_what_definitions_hold_counts_too(self) -> None:
        schema = {**of({"$ref": "#/$defs/D"}), "$defs": {"D": self.wide(5001)}}
        assert "has 5,002 properties in all" in findings(schema)["$"]

    def test_definitions_count_once_and_start_anew(self) -> None:
        inner = self.nested(5)
        schema = {**self.nested(4), "$defs": {"D": inner}}
        node = schema
        for _ in range(3):
            node = node["properties"]["x"]
        node["properties"] = {"x": {"$ref": "#/$defs/D"}}
        assert answer_schema.prepare(schema).warnings == ()


class TestHostile:
    def test_too_deep(self) -> None:
        schema: Any = {"type": "string"}
        for _ in range(100_000):
            schema = {"type": "array", "items": schema}
        assert "deeper than" in findings(of(schema))["$"]
        while schema:  # taken apart by hand, as freeing it recursively is Python's own trouble
            schema = schema.pop("items", None)

    def test_cyclic(self) -> None:
        schema = of(None)
        schema["properties"]["x"] = schema
        assert "deeper than" in findings(schema)["$"]
        assert "deeper than" in str(answer_schema.lint(schema))
        assert "deeper than" in str(answer_schema.check(schema))

    def test_multiplying_by_sharing(self) -> None:
        schema: Any = {"type": "string"}
        for _ in range(30):
            schema = {"anyOf": [schema, schema]}
        started = time.process_time()
        assert "larger than" in findings(of(schema))["$"]
        assert time.process_time() - started < 5

    def test_references_that_multiply(self) -> None:
        definitions: Schema = {"D0": {"type": "string"}}
        for i in range(40):
            ref = {"$ref": f"#/$defs/D{i}"}
            definitions[f"D{i + 1}"] = {"anyOf": [ref, ref], "type": "string"}
        started = time.process_time()
        answer_schema.prepare(of({"$ref": "#/$defs/D40"}, **{"$defs": definitions}))
        assert time.process_time() - started < 5

    def test_long_chains_of_references(self) -> None:
        definitions: Schema = {f"D{i}": {"$ref": f"#/$defs/D{i + 1}"} for i in range(300)}
        definitions["D300"] = {"type": "string"}
        assert x({"$ref": "#/$defs/D0"}, **{"$defs": definitions}) == {"$ref": "#/$defs/D0"}
        definitions["D300"] = {"$ref": "#/$defs/D0"}
        assert "refers to itself" in str(findings(of({"$ref": "#/$defs/D0"}, **{"$defs": definitions})))

    def test_half_a_surrogate_pair(self) -> None:
        assert findings({"type": "object", "properties": {"\ud800": {"type": "string"}}, "required": []})

    def test_nothing_is_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        remote = of({"type": "string"}, **{"$schema": "http://127.0.0.1:9/meta"})
        assert answer_schema.prepare(remote).sent == of({"type": "string"})
        assert "Retrieval is disabled" in str(answer_schema.check({"$ref": "http://127.0.0.1:9/s"}))


class TestSchemasSentAsTheyAre:
    """What a ready-made batch request brings is judged, never rewritten."""

    @pytest.mark.parametrize(
        ("schema", "path"),
        [
            ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, "$"),
            (of({"type": "string"}, required=[]), "$.properties.x"),
            (of({"type": "string", "default": "a"}), "$.properties.x.default"),
            (of({"allOf": [{"type": "string"}]}), "$.properties.x.allOf"),
            (of({"oneOf": [{"type": "string"}, {"type": "null"}]}), "$.properties.x.oneOf"),
            ({"type": "array", "items": {"type": "string"}}, "$"),
            (of({"type": "string", "minLength": 1}), "$.properties.x.minLength"),
            (of({"type": "string", "maxLength": 9}), "$.properties.x.maxLength"),
            (of({"type": "string", "format": "uri"}), "$.properties.x.format"),
            (of({"type": "array", "items": {"type": "string"}, "uniqueItems": True}), "$.properties.x.uniqueItems"),
            (
                of({"type": "array", "items": {"type": "string"}, "contains": {"const": "a"}}),
                "$.properties.x.contains",
            ),
            (of({"type": "array", "items": {"type": "string"}, "minContains": 1}), "$.properties.x.minContains"),
            (of({"type": "array", "items": {"type": "string"}, "maxContains": 1}), "$.properties.x.maxContains"),
            (of({"$ref": "#/$defs/D", "description": "d"}, **{"$defs": {"D": {"type": "string"}}}), "$.properties.x"),
            (of({"$ref": "#/$defs/D", "title": "d"}, **{"$defs": {"D": {"type": "string"}}}), "$.properties.x"),
            (of({"$ref": "#/$defs/D"}, **{"$defs": {"D": {"type": "string", "minLength": 1}}}), "$.$defs.D.minLength"),
            (
                of({"anyOf": [{"type": "null"}, {"$ref": "#/properties/x/anyOf/0"}]}),
                "$.properties.x.anyOf[1].$ref",
            ),
            (of({"anyOf": [{"not": {}}, {"type": "string"}]}), "$.properties.x.anyOf[0]"),
        ],
    )
    def test_what_can_never_be_accepted_is_a_fault(self, schema: Schema, path: str) -> None:
        assert [finding.path for finding in answer_schema.lint(schema)] == [path]

    @pytest.mark.parametrize(
        "schema",
        [
            of({"type": "string", "pattern": "^a", "format": "date"}),
            of({"type": "number", "minimum": 3, "maximum": 9, "multipleOf": 3}),
            of({"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 9}),
            of({"enum": ["a", None]}),
            of({"$ref": "#/$defs/D"}, **{"$defs": {"D": {"type": "string"}}}),
            of({"anyOf": [{"$ref": "#/$defs/D"}], "description": "d"}, **{"$defs": {"D": {"type": "string"}}}),
            of({"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
            of({"$ref": "#/definitions/D"}, definitions={"D": {"type": "string"}}),
            of({"type": "string"}, **{"$schema": "http://json-schema.org/draft-07/schema#"}),
        ],
    )
    def test_what_some_versions_of_the_service_accept_is_none(self, schema: Schema) -> None:
        assert answer_schema.lint(schema) == ()

    def test_without_strict_any_json_schema_will_do(self) -> None:
        assert answer_schema.check({"type": "object", "additionalProperties": {"oneOf": [{"minLength": 3}]}}) == ()
        assert answer_schema.check({"type": 5})
        assert answer_schema.check("{}")


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where it is."""

    city: str = Field(description="the city", min_length=1)
    code: str | None = Field(None, pattern=r"^\d+$")


class Part(BaseModel):
    name: str
    parts: list["Part"] = []
    parent: "Part | None" = None


class Building(BaseModel):
    name: str
    color: Color = Color.RED
    second: Color | None = None
    address: Address = Field(description="main")
    others: list[Address] = Field(default_factory=list, max_length=3)
    floors: int = Field(3, ge=1, lt=200)
    kind: Literal["tower", 1, None] = None
    opened: date
    owner: Address | str | None = None
    part: Part


class TestPydantic:
    FULL: ClassVar[Schema] = {
        "name": "Shard",
        "color": "red",
        "second": None,
        "address": {"city": "London", "code": None},
        "others": [{"city": "Paris", "code": "12"}],
        "floors": 95,
        "kind": "tower",
        "opened": "2012-07-05",
        "owner": {"city": "Doha", "code": None},
        "part": {"name": "spire", "parts": [{"name": "a", "parts": None, "parent": None}], "parent": None},
    }

    def test_a_model_with_everything_just_works(self) -> None:
        prepared = answer_schema.prepare(Building.model_json_schema())
        assert answer_schema.prepare(prepared.sent).changes == ()
        assert prepared.warnings == ()
        for schema in (prepared.sent, prepared.checked):
            assert accepts(schema, self.FULL)
        Building.model_validate(_without_null(self.FULL))

    @pytest.mark.parametrize(
        ("wrong", "value"),
        [
            ("floors", 0),
            ("opened", "soon"),
            ("kind", 2),
            ("color", "green"),
            ("address", {"city": "", "code": None}),
            ("address", {"city": "Rome", "code": "x"}),
            ("others", [{"city": "a", "code": None}] * 4),
            ("name", None),
        ],
    )
    def test_and_checks_as_the_model_does(self, wrong: str, value: object) -> None:
        checked = answer_schema.prepare(Building.model_json_schema()).checked
        assert not accepts(checked, self.FULL | {wrong: value})

    def test_a_recursive_model_is_a_root_that_refers_to_itself(self) -> None:
        sent = answer_schema.prepare(Part.model_json_schema()).sent
        assert "$defs" not in sent
        assert accepts(sent, self.FULL["part"])

    def test_open_maps_of_a_model_are_refused(self) -> None:
        class Open(BaseModel):
            scores: dict[str, int]
            anything: Any

        assert list(findings(Open.model_json_schema())) == [
            "$.properties.scores.additionalProperties",
            "$.properties.anything",
        ]


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value
