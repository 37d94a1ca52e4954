"""Answers: they fit the row's schema, look plausible, and are the same for the same row."""

import json
import random
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI

from local.batch_service import instances, patterns, plausible
from local.batch_service.schema_rules import fault
from local.batch_service.server import RunningService
from shared.money import o200k_base
from tests.batch_service.conftest import SCHEMA, message, output, row, run

NAMES = st.sampled_from(["name", "city", "heightInFeet", "year", "tags", "email", "is_open", "x", "url", "items"])


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, inner, min_size=1, max_size=4).map(
        lambda fields: {
            "type": "object",
            "properties": fields,
            "required": list(fields),
            "additionalProperties": False,
        }
    )


LEAVES = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "number", "integer", "boolean", "null")]),
    st.sampled_from([{"type": ["string", "null"]}, {"type": ["integer", "null"]}, {"$ref": "#/$defs/thing"}]),
    st.sampled_from([{"anyOf": [{"$ref": "#"}, {"type": "null"}]}, {"type": "array", "items": {"$ref": "#"}}]),
    st.lists(st.sampled_from(["a", "b", 1, None]), min_size=1, unique=True).map(lambda values: {"enum": values}),
    st.sampled_from([{"const": "fixed"}]),
)
THING = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/thing"}, {"type": "null"}]}},
    "required": ["label", "next"],
    "additionalProperties": False,
}
STRICT = _objects(
    st.recursive(
        LEAVES,
        lambda inner: (
            _objects(inner)
            | inner.map(lambda items: {"type": "array", "items": items})
            | st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches})
        ),
        max_leaves=8,
    )
).map(lambda root: {**root, "$defs": {"thing": THING}})


@given(schema=STRICT, seed=st.integers())
@settings(max_examples=300, deadline=None)
def test_answers_fit_every_schema_of_the_strict_subset(schema: dict[str, Any], seed: int) -> None:
    made = instances.instance(schema, str(seed), "Tell me about the Willis Tower")
    jsonschema_rs.validator_for(schema).validate(made)


@given(schema=STRICT)
@settings(max_examples=100, deadline=None)
def test_every_schema_of_the_strict_subset_is_taken(schema: dict[str, Any]) -> None:
    assert fault("answer", json.dumps(schema).encode(), "azure") is None


HARD = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3,5}(x|y)?$"},
        "day": {"type": "string", "format": "date"},
        "moment": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"},
        "identity": {"type": "string", "format": "uuid"},
        "address": {"type": "string", "format": "ipv4"},
        "host": {"type": "string", "format": "hostname"},
        "hour": {"type": "string", "format": "time"},
        "span": {"type": "string", "format": "duration"},
        "net": {"type": "string", "format": "ipv6"},
        "short": {"type": "string", "maxLength": 5},
        "long": {"type": "string", "minLength": 200},
        "low": {"type": "integer", "minimum": 10, "maximum": 12},
        "open": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "whole": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
        "fives": {"type": "integer", "multipleOf": 5, "minimum": 7, "maximum": 21},
        "below": {"type": "number", "maximum": -5},
        "above": {"type": "number", "minimum": 1000},
        "three": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3},
        "unlike": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 2},
    },
    "required": ["code", "day", "low"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("seed", range(50))
def test_answers_keep_to_the_keywords_that_only_openai_takes(seed: int) -> None:
    made = instances.instance(HARD, str(seed))
    jsonschema_rs.validator_for(HARD, validate_formats=True).validate(made)


@pytest.mark.parametrize(
    "pattern",
    ["^a+$", "^[^a-z]{3}$", "(?:ab|cd){2}", r"^\w+@\w+\.com$", r"^(\d)\1$", "^.{4}$", r"\S\s\D\W", "^$", "[A-Z&]x?"],
)
def test_a_pattern_gets_a_text_that_it_is_found_in(pattern: str) -> None:
    for seed in range(20):
        assert re.search(pattern, patterns.text_for(pattern, random.Random(seed)))


def test_a_pattern_beyond_the_generator_gets_an_empty_text() -> None:
    assert patterns.text_for("(", random.Random(1)) == ""


def test_the_same_row_gets_the_same_answer_and_another_another(service: RunningService, client: OpenAI) -> None:
    lines = [row("a", schema=SCHEMA), row("b", schema=SCHEMA)]
    for line, prompt in zip(lines, ("Describe Alpha House", "Describe Beta House"), strict=True):
        line["body"]["messages"][0]["content"] = prompt
    first, second = (output(client, run(service, client, lines)) for _ in range(2))
    contents = {name: message(line)["content"] for name, line in first.items()}
    assert contents == {name: message(line)["content"] for name, line in second.items()}
    assert contents["a"] != contents["b"]


BUILDING = {
    "type": "object",
    "properties": {
        "BuildingName": {"type": "string"},
        "HeightInFeet": {"type": "string"},
        "height_in_meters": {"type": "number"},
        "City": {"type": "string"},
        "Country": {"type": "string"},
        "yearCompleted": {"type": "integer"},
        "floors": {"type": "integer"},
        "year_built": {"type": "string"},
    },
}


def test_known_buildings_get_their_facts() -> None:
    assert instances.instance(BUILDING, "seed", "Provide info about the Shard in London") == {
        "BuildingName": "The Shard",
        "HeightInFeet": "1,016",
        "height_in_meters": 310,
        "City": "London",
        "Country": "United Kingdom",
        "yearCompleted": 2012,
        "floors": 72,
        "year_built": "2012",
    }


def test_an_unknown_building_keeps_the_name_that_the_prompt_gives() -> None:
    made = instances.instance(BUILDING, "seed", "Provide info about the Marmalade Tower, please")
    assert made["BuildingName"] == "Marmalade Tower"
    assert (made["City"], made["Country"]) in plausible.PLACES


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("email", r"^[\w.]+@example\.com$"),
        ("homepage_url", r"^https://"),
        ("createdDate", r"^\d{4}-\d\d-\d\d$"),
        ("sentiment", r"^(positive|neutral|negative)$"),
        ("phone", r"^\+1 202"),
        ("orderId", r"^[A-H]\d{4}$"),
        ("summary", r"^[A-Z].*\.$"),
    ],
)
def test_a_text_looks_like_its_fields_name(name: str, looks: str) -> None:
    made = instances.instance({"type": "object", "properties": {name: {"type": "string"}}}, "seed", "some prompt")
    assert re.search(looks, made[name])


def test_max_tokens_cuts_the_answer(service: RunningService, client: OpenAI) -> None:
    line = row("a", schema=SCHEMA)
    line["body"]["max_tokens"] = 5
    choice = output(client, run(service, client, [line]))["a"]["response"]["body"]["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"]) == 20


def test_usage_counts_tokens_with_the_models_encoding(service: RunningService, client: OpenAI) -> None:
    lines = [row("short"), row("long")]
    lines[1]["body"]["messages"][0]["content"] += " word" * 100
    found = output(client, run(service, client, lines))
    usage = {name: line["response"]["body"]["usage"] for name, line in found.items()}
    assert usage["long"]["prompt_tokens"] - usage["short"]["prompt_tokens"] in (99, 100, 101)
    count = o200k_base.load()
    for line in found.values():
        body = line["response"]["body"]
        assert body["usage"]["completion_tokens"] == len(count.encode(message(line)["content"]))
        assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("deployment", "model"),
    [
        ("gpt-4o-batch", "gpt-4o-2024-08-06"),
        ("gpt-4o-mini-batch", "gpt-4o-mini-2024-07-18"),
        ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
        ("mine", "gpt-4o-2024-08-06"),
    ],
)
def test_a_chat_answer_names_the_model_behind_the_deployment(
    service: RunningService, client: OpenAI, deployment: str, model: str
) -> None:
    line = row("a")
    line["body"]["model"] = deployment
    assert output(client, run(service, client, [line]))["a"]["response"]["body"]["model"] == model


def test_json_object_and_plain_text_are_answered_too(service: RunningService, client: OpenAI) -> None:
    free, loose = row("free"), row("loose")
    loose["body"]["response_format"] = {"type": "json_object"}
    found = output(client, run(service, client, [free, loose]))
    assert "Empire State Building stands in New York City" in message(found["free"])["content"]
    assert isinstance(json.loads(message(found["loose"])["content"]), dict)
