"""What strict Structured Outputs refuse, row by row, in the service's words."""

import copy
from typing import Any

import pytest
from openai import AzureOpenAI, OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import SCHEMA, errors, output, row, run


def _with(change: dict[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(SCHEMA), **change}


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    return _with({"properties": {"x": schema}, "required": ["x"]})


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False}
    return schema


MANY = [f"p{number}" for number in range(5001)]
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        _with({"additionalProperties": True}),
        "In context=(), 'additionalProperties' is required to be supplied and to be false.",
    ),
    (
        _with({"required": ["BuildingName"]}),
        "In context=(), 'required' is required to be supplied and to be an array including every key in properties. "
        "Missing 'HeightInFeet'.",
    ),
    ({"type": "array", "items": SCHEMA}, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'."),
    (_property({"type": "string", "default": "a"}), "In context=('properties', 'x'), 'default' is not permitted."),
    (_property({"oneOf": [{"type": "string"}]}), "In context=('properties', 'x'), 'oneOf' is not permitted."),
    (_property({"type": "string", "minLength": 1}), "In context=('properties', 'x'), 'minLength' is not permitted."),
    *[
        (
            _property({"type": "string", keyword: value}),
            f"In context=('properties', 'x'), '{keyword}' is not permitted.",
        )
        for keyword, value in (
            ("maxLength", 9),
            ("uniqueItems", True),
            ("contains", {"type": "string"}),
            ("minContains", 1),
            ("maxContains", 1),
        )
    ],
    (
        _with({"properties": {"x": {"$ref": "#/$defs/a", "description": "d"}}, "required": ["x"], "$defs": {"a": {}}}),
        "In context=('properties', 'x'), $ref cannot have keywords {'description'}.",
    ),
    (
        _with({"properties": {"x": {"$ref": "#/properties/y"}, "y": {"type": "string"}}, "required": ["x", "y"]}),
        "In context=('properties', 'x'), reference can only point to definitions defined at the top level of the "
        "schema.",
    ),
    (_property({"type": "array"}), "In context=('properties', 'x'), array schema missing items."),
    (_property({"description": "anything"}), "In context=('properties', 'x'), schema must have a 'type' key."),
    (_nested(11), "11 levels of nesting exceeds limit of 10."),
    (
        _with({"properties": {name: {"type": "string"} for name in MANY}, "required": MANY}),
        "5001 parameters exceeds limit of 5000.",
    ),
]


@pytest.mark.parametrize(("schema", "text"), REFUSED, ids=[text[:50] for _, text in REFUSED])
def test_a_schema_beyond_the_subset_fails_its_row_and_no_other(
    service: RunningService, client: OpenAI, schema: dict[str, Any], text: str
) -> None:
    batch = run(service, client, [row("bad", schema=schema), row("good", schema=SCHEMA)])
    assert batch.status == "completed"
    assert set(output(client, batch)) == {"good"}
    line = errors(client, batch)["bad"]
    assert line["error"] is None
    assert line["response"]["status_code"] == 400
    assert line["response"]["body"]["error"] == {
        "message": f"Invalid schema for response_format 'answer': {text}",
        "type": "invalid_request_error",
        "param": "response_format",
        "code": None,
    }
    assert [paid["custom_id"] for paid in service.journal().billed] == ["good"]


def test_ten_levels_recursion_and_definitions_are_taken(service: RunningService, client: OpenAI) -> None:
    recursive = {
        "type": "object",
        "properties": {"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "kind": {"$ref": "#/$defs/kind"}},
        "required": ["child", "kind"],
        "additionalProperties": False,
        "$defs": {"kind": {"type": ["string", "null"], "enum": ["a", None]}},
    }
    batch = run(service, client, [row("deep", schema=_nested(10)), row("recursive", schema=recursive)])
    assert set(output(client, batch)) == {"deep", "recursive"}


def test_the_openai_dialect_takes_what_azure_lacks(service: RunningService, client: OpenAI) -> None:
    service.scenario({"schemas": "openai"})
    schema = _property({"type": "string", "pattern": "^[A-Z]{3}$"})
    batch = run(service, client, [row("a", schema=schema)])
    assert set(output(client, batch)) == {"a"}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string", "minLength": 1}, "In context=('properties', 'x'), 'minLength' is not permitted."),
        ({"type": "string", "format": "uri"}, "In context=('properties', 'x'), 'uri' is not a valid format."),
    ],
)
def test_the_openai_dialect_refuses_what_no_version_takes(
    service: RunningService, client: OpenAI, schema: dict[str, Any], text: str
) -> None:
    service.scenario({"schemas": "openai"})
    line = errors(client, run(service, client, [row("a", schema=_property(schema))]))["a"]
    assert line["response"]["body"]["error"]["message"] == f"Invalid schema for response_format 'answer': {text}"


def test_a_schema_that_is_not_strict_is_not_checked(service: RunningService, client: OpenAI) -> None:
    line = row("a", schema=_with({"additionalProperties": True}))
    line["body"]["response_format"]["json_schema"]["strict"] = False
    assert set(output(client, run(service, client, [line]))) == {"a"}


def test_responses_name_the_schema_fault_with_a_code(service: RunningService, client: OpenAI) -> None:
    form = {
        "type": "json_schema",
        "name": "a",
        "strict": True,
        "schema": {"type": "array", "items": {"type": "string"}},
    }
    body = {"model": "gpt-4o-batch", "input": "Hello", "text": {"format": form}}
    line = errors(client, run(service, client, [row("a", url="/v1/responses", body=body)]))["a"]
    fault = line["response"]["body"]["error"]
    assert (fault["param"], fault["code"]) == ("text.format.schema", "invalid_json_schema")


def test_an_api_version_before_structured_outputs_refuses_the_rows(service: RunningService, client: OpenAI) -> None:

    with AzureOpenAI(azure_endpoint=service.url, api_key="k", api_version="2024-07-01-preview") as old:
        batch = run(service, old, [row("a", schema=SCHEMA)])
        fault = errors(old, batch)["a"]["response"]["body"]["error"]
    assert fault["message"] == (
        "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later"
    )


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
    ],
)
def test_a_request_that_lacks_something_fails_by_itself(
    service: RunningService, client: OpenAI, change: dict[str, Any], param: str
) -> None:
    bad = row("bad")
    bad["body"].update(change)
    batch = run(service, client, [bad, row("good")])
    fault = errors(client, batch)["bad"]["response"]["body"]["error"]
    assert (fault["param"], fault["code"]) == (param, "missing_required_parameter")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": {"$ref": "#/nowhere"}}},
        {"type": "object", "properties": {"x": {"$ref": "#"}}},
        {"type": 7},
        {"enum": []},
        {"type": "object", "properties": []},
    ],
)
def test_a_senseless_schema_cannot_stop_the_other_rows(
    service: RunningService, client: OpenAI, schema: dict[str, Any]
) -> None:
    bad = row("bad", schema=schema)
    bad["body"]["response_format"]["json_schema"]["strict"] = False
    batch = run(service, client, [bad, row("good", schema=SCHEMA)])
    assert batch.status == "completed"
    assert "good" in output(client, batch)
    assert batch.request_counts
    assert batch.request_counts.completed + batch.request_counts.failed == 2
