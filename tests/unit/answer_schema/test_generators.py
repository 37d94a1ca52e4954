"""Schemas as Pydantic, zod and TypeBox really write them (tests/data/schemas): what can be made strict is.

zod3-*: zod 4.6's v3 interface through zod-to-json-schema 3.25, by its target; zod4-*: z.toJSONSchema, by its target;
typebox-*: @sinclair/typebox 0.34; pydantic-*: model_json_schema of Pydantic 2.14.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from shared import answer_schema
from shared.answers.validation import check_of
from shared.domain.errors import SchemaFault
from testing.paths import DATA

SCHEMAS = DATA / "schemas"
REFUSED = {
    "pydantic-events": "$.properties.items.items.oneOf",
    "pydantic-map": "$.properties.scores.additionalProperties",
    "pydantic-pair": "$.properties.pair.prefixItems",
    "typebox-regexp": "$.properties.pattern",
    "typebox-record": "$.properties.x.patternProperties",
    "typebox-tuple": "$.properties.x.additionalItems",
}
"""What would mean something else in strict form, by the path of its fault."""


def read(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def strict(name: str) -> Any:
    return answer_schema.prepare(read(name))


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_what_a_generator_writes_is_sent_in_a_form_that_the_service_takes(path: Path) -> None:
    if path.stem in REFUSED:
        with pytest.raises(SchemaFault) as caught:
            strict(path.stem)
        assert [finding.path for finding in caught.value.findings] == [REFUSED[path.stem]]
        return
    assert answer_schema.lint(strict(path.stem).sent) == ()


@pytest.mark.parametrize("target", ["jsonSchema7", "openApi3", "openAi"])
def test_every_target_of_zod_3_takes_the_same_answers(target: str) -> None:
    check = check_of(strict(f"zod3-person-{target}").checked)
    person = {"name": "Ada", "nick": None, "email": None, "age": 36, "gone": None, "site": None}
    assert check(person) is None
    assert check(person | {"nick": "A", "email": "ada@example.org", "age": None}) is None
    assert check(person | {"gone": "null"})
    assert check(person | {"nick": 5})
    assert check(person | {"age": 151})


@pytest.mark.parametrize("target", ["draft-2020-12", "draft-7", "draft-4", "openapi-3.0"])
def test_every_target_of_zod_4_takes_the_same_answers(target: str) -> None:
    check = check_of(strict(f"zod4-person-{target}").checked)
    person = {
        "name": "Ada", "nick": None, "email": None, "age": 36, "gone": None, "site": None, "role": None, "never": "x",
        "opens": "06:30:00",
    }  # fmt: skip
    assert check(person) is None
    assert check(person | {"role": "a", "nick": "A"}) is None
    assert check(person | {"gone": "null"})
    assert check(person | {"role": "c"})
    assert check(person | {"never": 5})


def test_the_null_of_openapi_is_sent_as_a_type_and_said() -> None:
    for name in ("zod3-person-openApi3", "zod4-person-openapi-3.0"):
        schema = strict(name)
        assert schema.sent["properties"]["gone"] == {"type": "null"}
        assert any(change.startswith("$.properties.gone: is OpenAPI's form of null") for change in schema.changes)


def test_a_branch_that_nothing_fits_is_dropped_and_said() -> None:
    schema = strict("zod3-person-jsonSchema7")
    assert schema.sent["properties"]["nick"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert "$.properties.nick.anyOf[0].anyOf[0]: fits nothing and was dropped" in schema.changes
    assert strict("typebox-person").sent["properties"]["never"] == {"type": "string"}


@pytest.mark.parametrize("nothing", [False, {"not": {}}, {"not": True}, {"enum": []}, {"anyOf": [{"not": {}}]}])
def test_nothing_is_known_in_every_form(nothing: object) -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, nothing]}}, "required": ["a"]}
    assert answer_schema.prepare(schema).sent["properties"] == {"a": {"type": "string"}}


def test_an_any_of_of_nothing_but_nothing_is_a_fault_with_its_path() -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"not": {}}, False]}}, "required": ["a"]}
    with pytest.raises(SchemaFault, match=r"\$\.properties\.a\.anyOf: has no branch that anything fits"):
        answer_schema.prepare(schema)


def test_not_of_anything_else_is_still_a_fault() -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"not": {"type": "string"}}, {"type": "null"}]}}}
    with pytest.raises(SchemaFault, match=r"anyOf\[0\]\.not"):
        answer_schema.prepare(schema)


def test_words_beside_the_branches_stay_where_one_is_left() -> None:
    part = {"anyOf": [{"not": {}}, {"type": "string"}], "description": "A nick"}
    schema = {"type": "object", "properties": {"a": part}, "required": ["a"]}
    assert answer_schema.prepare(schema).sent["properties"] == {
        "a": {"anyOf": [{"type": "string"}], "description": "A nick"}
    }


def test_typebox_refers_to_a_part_by_its_id() -> None:
    schema = strict("typebox-recursive")
    assert schema.sent["properties"]["root"]["properties"]["children"]["items"] == {"$ref": "#/$defs/root"}
    check = check_of(schema.checked)
    assert check({"root": {"name": "a", "children": [{"name": "b", "children": []}]}}) is None
    assert check({"root": {"name": "a", "children": [{"name": 5, "children": []}]}})


def test_pydantic_s_times_pass_without_an_offset() -> None:
    schema = strict("pydantic-invoice")
    assert "such as 06:30:00, with or without an offset" in schema.sent["properties"]["opens"]["description"]
    invoice = {
        "number": "7", "issued": "2026-04-01", "due": "2026-05-01T09:00:00", "opens": "06:30:00", "lasts": "PT1H",
        "lines": [{"text": "a", "amount": 1, "tax": 19}], "currency": "EUR", "note": None,
        "id": "5f1f5cf5-ae2b-4b35-b6a5-3ac1f8a3a4b1", "price": "9.50", "site": None, "mail": None,
    }  # fmt: skip
    check = check_of(schema.checked)
    assert check(invoice) is None
    assert check(invoice | {"opens": "06:30:00Z", "due": "2026-05-01T09:00:00+02:00"}) is None
    assert check(invoice | {"opens": "half past six"})
    assert check(invoice | {"lines": []})
