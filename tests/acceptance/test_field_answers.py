"""What users reported of schemas, response formats and answers (tests/data/field), as they see it in their results."""

import json
from pathlib import Path
from typing import Any

import pytest

from testing.paths import DATA
from testing.world import World

FIELD = DATA / "field"
TABLE = "Prompt\nWho?\nWhere?\n"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 3}, "floors": {"type": "integer", "minimum": 1}},
    "required": ["name", "floors"],
    "additionalProperties": False,
}
SHORT = {"rows": [{"content": '{"name":"ab","floors":1}'}]}


def run(world: World, case: str, file: str) -> dict[str, Any]:
    """Drop a case's file, with its job settings; the service follows its scenario."""
    folder = FIELD / case
    scenario = folder / "scenario.json"
    if scenario.exists():
        world.service.scenario(_scenario(scenario))
    settings = json.loads(text.read_text()) if (text := folder / "_job.json").exists() else {}
    return world.run(world.drop(file, (folder / file).read_bytes(), **{"model": "gpt-4o-batch"} | settings))


def _scenario(path: Path) -> dict[str, Any]:
    scenario: dict[str, Any] = json.loads(path.read_text())
    if "recorded" in scenario:
        scenario["recorded"] = str(path.parent / scenario["recorded"])
    return scenario


def faults(world: World, file: str) -> dict[str, tuple[str, str]]:
    return {line["custom_id"]: (line["error"]["code"], line["error"]["message"]) for line in world.errors(file)}


def test_only_the_final_phase_of_a_response_is_its_answer(world: World) -> None:
    status = run(world, "responses-phases", "requests.jsonl")

    assert (status["rows"]["succeeded"], len(status["batches"])) == (3, 1)
    assert [line["output"] for line in world.results("requests.jsonl")] == [{"n": 3}] * 3


def test_times_without_an_offset_pass_and_are_asked_for_in_exact_words(world: World) -> None:
    status = run(world, "schema-time-formats", "shops.csv")

    assert (status["rows"]["succeeded"], len(status["batches"])) == (2, 1)
    (request, _) = world.requests(status["job_id"])
    asked = request["body"]["response_format"]["json_schema"]["schema"]["properties"]
    assert asked["opens"]["description"].startswith("A time of day as HH:MM:SS, such as 06:30:00, with or without")
    assert asked["founded"]["description"].startswith("A date and time as YYYY-MM-DDTHH:MM:SS")


def test_a_field_that_zod_makes_optional_and_nullable_is_a_text_or_null(world: World) -> None:
    status = run(world, "schema-zod-optional-nullable", "people.csv")

    assert status["rows"]["succeeded"] == 2
    assert any("anyOf[0].anyOf[0]: fits nothing and was dropped" in warning for warning in status["warnings"])
    schema = world.requests(status["job_id"])[0]["body"]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["nick"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}


def test_a_described_reference_in_a_strict_schema_is_refused_before_anything_is_paid(world: World) -> None:
    status = run(world, "strict-ref-with-description", "requests.jsonl")

    assert (status["state"], status["code"]) == ("failed", "no_valid_rows")
    assert set(faults(world, "requests.jsonl").values()) == {
        (
            "invalid_schema",
            "$.properties.hero: $ref cannot have other keywords beside it; wrap the $ref in an anyOf",
        )
    }
    assert world.service.journal().totals["billed"] == 0


def test_response_formats_in_the_form_of_the_other_route_say_what_is_right(world: World) -> None:
    run(world, "response-format-in-the-other-routes-form", "requests.jsonl")

    messages = {
        "chat-flat": "The response format cannot be sent: json_schema is missing: on this route name and schema stand "
        "under it.",
        "responses-nested": "The response format cannot be sent: on this route name and schema stand beside type, not "
        "under json_schema.",
        "no-name": "The response format needs a name of letters, digits, _ and -, 64 characters at most.",
        "bare-schema": "The response format cannot be sent: its type must be text, json_object or json_schema; a JSON "
        "Schema stands under json_schema.schema.",
        "chat-format-on-responses": "The response format cannot be sent: on this route it is text.format, not "
        "response_format.",
    }
    found = faults(world, "requests.jsonl")
    assert found == {custom_id: ("invalid_schema", message) for custom_id, message in messages.items()}


def test_a_method_that_is_missing_or_misspelt_is_said_to_be_missing(world: World) -> None:
    run(world, "method-key-with-space", "requests.jsonl")

    missing = "The batch request cannot be sent: method is missing; it must be POST."
    assert faults(world, "requests.jsonl") == {
        "r1": ("invalid_request", f'{missing} The key " method" has a space.'),
        "r2": ("invalid_request", missing),
    }


def test_required_fields_are_separated_by_line_breaks_and_semicolons_too(world: World) -> None:
    assert run(world, "required-cell-with-line-breaks", "r.csv")["rows"]["succeeded"] == 2
    assert [list(line["output"]) for line in world.results("r.csv")] == [["Name", "Height"]] * 2


def test_an_errors_file_dropped_again_checks_the_answers_as_the_first_time(world: World) -> None:
    world.service.scenario(SHORT)
    world.run(world.drop("table.csv", TABLE, schema=SCHEMA, model="m"))
    keys = ["custom_id", "method", "url", "body", "input", "schema", "error", "answer"]
    assert [list(line) for line in world.errors("table.csv")] == [keys, keys]
    assert [line["schema"] for line in world.errors("table.csv")] == [SCHEMA, SCHEMA]

    again = world.drop("again.jsonl", world.result("table.csv", "errors.jsonl"))
    status = world.run(again)
    assert status["errors"] == {"invalid_output": 2}
    assert [line["schema"] for line in world.errors(again)] == [SCHEMA, SCHEMA]
    assert [list(request) for request in world.requests(status["job_id"])] == [keys[:4], keys[:4]]

    world.service.scenario({"rows": [{"content": '{"name":"abc","floors":1}'}]})
    third = world.drop("third.jsonl", world.result(again, "errors.jsonl"))
    assert world.run(third)["rows"]["succeeded"] == 2


def test_lines_of_version_1_0_0_are_checked_by_the_words_of_their_schema(world: World) -> None:
    world.service.scenario(SHORT)
    world.run(world.drop("table.csv", TABLE, schema=SCHEMA, model="m"))
    old = [{key: value for key, value in line.items() if key != "schema"} for line in world.errors("table.csv")]

    status = world.run(world.drop("again.jsonl", "\n".join(map(json.dumps, old))))

    assert status["errors"] == {"invalid_output": 2}


def test_a_line_has_no_schema_where_its_body_shows_all_that_was_checked(world: World) -> None:
    world.service.scenario({"rows": [{"outcome": "refusal"}]})
    plain = {**SCHEMA, "properties": {"name": {"type": "string"}, "floors": {"type": "integer"}}}
    world.run(world.drop("table.csv", TABLE, schema=plain, model="m"))

    keys = ["custom_id", "method", "url", "body", "input", "error", "answer"]
    assert [list(line) for line in world.errors("table.csv")] == [keys, keys]


def test_a_400_about_the_output_limit_is_asked_again_with_a_doubled_cap(world: World) -> None:
    words = "Could not finish the message because max_tokens or model output limit was reached. Please try again."
    world.service.scenario({"rows": [{"outcome": "error", "status": 400, "message": words, "times": 1}]})
    name = world.drop("table.csv", TABLE, schema=SCHEMA, model="m", parameters={"max_completion_tokens": 100})

    status = world.run(name)

    asked = [world.requests(status["job_id"], key) for key in ("00000-1", "00000-2")]
    assert [{request["body"]["max_completion_tokens"] for request in some} for some in asked] == [{100}, {200}]
    assert status["rows"]["succeeded"] == 2


@pytest.mark.parametrize("rows", [1, 3])
def test_a_parameter_that_all_rows_are_refused_for_is_named_in_the_message_of_the_job(world: World, rows: int) -> None:
    words = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
    rule = {"outcome": "error", "status": 400, "code": "unsupported_value", "message": words}
    world.service.scenario({"rows": [rule]})
    table = "Prompt\n" + "Who?\n" * rows

    status = world.run(world.drop("table.csv", table, schema=SCHEMA, model="m", parameters={"temperature": 0}))

    assert (status["state"], status["errors"]) == ("completed", {"request_failed": rows})
    assert "refused because of the parameter temperature: reasoning models do not take it" in status["message"]
    assert [warning for warning in status["warnings"] if "parameter temperature" in warning]
