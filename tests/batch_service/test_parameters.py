"""Parameters of a request: what reasoning models refuse, tools, several answers, probabilities."""

import json
from typing import Any

import pytest
from openai import OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import SCHEMA, errors, output, row, run

TOOL = {"name": "look_up", "parameters": SCHEMA, "strict": True}


def _chat(service: RunningService, client: OpenAI, **parameters: Any) -> dict[str, Any]:
    """The response of one chat row with these parameters."""
    body = {"model": "gpt-4o-batch", "messages": [{"role": "user", "content": "Tell me about Paris."}], **parameters}
    batch = run(service, client, [row("a", body=body)])
    found: dict[str, Any] = (output(client, batch) | errors(client, batch))["a"]["response"]
    return found


def _responses(service: RunningService, client: OpenAI, **parameters: Any) -> dict[str, Any]:
    """The response of one Responses row with these parameters."""
    body = {"model": "gpt-4o-batch", "input": "Tell me about Paris.", **parameters}
    batch = run(service, client, [row("a", url="/v1/responses", body=body)])
    found: dict[str, Any] = (output(client, batch) | errors(client, batch))["a"]["response"]
    return found


@pytest.mark.parametrize(
    ("parameters", "message", "code"),
    [
        (
            {"temperature": 0},
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is "
            "supported.",
            "unsupported_value",
        ),
        (
            {"top_p": 0.5},
            "Unsupported value: 'top_p' does not support 0.5 with this model. Only the default (1) value is supported.",
            "unsupported_value",
        ),
        (
            {"presence_penalty": 1},
            "Unsupported value: 'presence_penalty' does not support 1 with this model. Only the default (0) value is "
            "supported.",
            "unsupported_value",
        ),
        (
            {"max_tokens": 100},
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            "unsupported_parameter",
        ),
        (
            {"logprobs": True},
            "Unsupported parameter: 'logprobs' is not supported with this model.",
            "unsupported_parameter",
        ),
        (
            {"logit_bias": {"1": 5}},
            "Unsupported parameter: 'logit_bias' is not supported with this model.",
            "unsupported_parameter",
        ),
    ],
)
def test_a_reasoning_model_refuses_what_it_does_not_take(
    service: RunningService, client: OpenAI, parameters: dict[str, Any], message: str, code: str
) -> None:
    refused = _chat(service, client, model="gpt-5.4-mini", **parameters)
    assert refused["status_code"] == 400
    (param,) = parameters
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert refused["body"] == {"error": error}
    assert _chat(service, client, model="gpt-4o-batch", **parameters)["status_code"] == 200


@pytest.mark.parametrize("parameters", [{"temperature": 1}, {"reasoning_effort": "low"}, {"top_p": None}])
def test_a_reasoning_model_takes_its_defaults(
    service: RunningService, client: OpenAI, parameters: dict[str, Any]
) -> None:
    assert _chat(service, client, model="gpt-5.4-mini", **parameters)["status_code"] == 200


def test_a_reasoning_model_refuses_a_developer_message_beside_a_system_message(
    service: RunningService, client: OpenAI
) -> None:
    messages = [{"role": role, "content": "x"} for role in ("system", "developer", "user")]
    assert _chat(service, client, model="gpt-5.4-mini", messages=messages)["status_code"] == 400
    assert _chat(service, client, model="gpt-5.4-mini", messages=messages[1:])["status_code"] == 200


def test_a_responses_request_with_a_temperature_is_refused_too(service: RunningService, client: OpenAI) -> None:
    refused = _responses(service, client, model="gpt-5.4-mini", temperature=0)
    assert refused["body"]["error"]["message"] == (
        "Unsupported parameter: 'temperature' is not supported with this model."
    )


def test_reasoning_tokens_are_told_and_paid(service: RunningService, client: OpenAI) -> None:
    spent = []
    for effort in ("none", "low", "medium", "high"):
        body = _chat(service, client, model="gpt-5.4-mini", reasoning_effort=effort)["body"]
        assert body["model"] == "gpt-5.4-mini-2026-03-17"
        usage = body["usage"]
        spent.append(usage["completion_tokens_details"]["reasoning_tokens"])
        assert usage["completion_tokens"] > spent[-1]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert spent == sorted(set(spent))
    assert spent[0] == 0
    usage = _responses(service, client, model="gpt-5.4-mini")["body"]["usage"]
    assert usage["output_tokens_details"]["reasoning_tokens"] > 0
    assert usage["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert service.journal().billed[-1]["completion_tokens"] == usage["output_tokens"]


def test_reasoning_takes_its_tokens_before_the_answer_does(service: RunningService, client: OpenAI) -> None:
    body = _chat(service, client, model="gpt-5.4-mini", max_completion_tokens=50)["body"]
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == ""
    assert body["usage"]["completion_tokens"] == 50


@pytest.mark.parametrize(
    ("choice", "finish"),
    [
        ("auto", "tool_calls"),
        ("required", "tool_calls"),
        ({"type": "function", "function": {"name": "look_up"}}, "stop"),
    ],
)
def test_a_chat_row_with_tools_gets_a_call_that_fits_the_parameters(
    service: RunningService, client: OpenAI, choice: Any, finish: str
) -> None:
    other = {"name": "other", "parameters": {"type": "object", "properties": {}}}
    functions = [other, TOOL] if isinstance(choice, dict) else [TOOL, other]
    tools = [{"type": "function", "function": function} for function in functions]
    found = _chat(service, client, tools=tools, tool_choice=choice)["body"]["choices"][0]
    assert found["finish_reason"] == finish
    assert found["message"]["content"] is None
    (call,) = found["message"]["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "look_up")
    assert set(json.loads(call["function"]["arguments"])) == set(SCHEMA["properties"])


def test_a_row_with_tools_is_answered_in_words_where_it_chooses_none_or_asks_for_a_schema(
    service: RunningService, client: OpenAI
) -> None:
    tools = [{"type": "function", "function": TOOL}]
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    for parameters in ({"tool_choice": "none"}, {"response_format": form}):
        message = _chat(service, client, tools=tools, **parameters)["body"]["choices"][0]["message"]
        assert message["content"]
        assert "tool_calls" not in message


def test_a_responses_row_with_tools_gets_a_function_call(service: RunningService, client: OpenAI) -> None:
    (item,) = _responses(service, client, tools=[{"type": "function", **TOOL}])["body"]["output"]
    assert (item["type"], item["name"]) == ("function_call", "look_up")
    assert set(json.loads(item["arguments"])) == set(SCHEMA["properties"])


def test_several_answers_to_a_row_differ(service: RunningService, client: OpenAI) -> None:
    body = _chat(service, client, n=5)["body"]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3, 4]
    assert len({choice["message"]["content"] for choice in body["choices"]}) > 1
    assert _chat(service, client, n=129)["status_code"] == 400


def test_probabilities_cover_the_content(service: RunningService, client: OpenAI) -> None:
    choice = _chat(service, client, logprobs=True, top_logprobs=2)["body"]["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert {len(token["top_logprobs"]) for token in tokens} == {2}
