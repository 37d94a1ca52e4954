"""What became of a row, read from one line of the output or error file."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.answers.failures import parameter_in
from shared.answers.lines import answer_in, outcome_of
from shared.answers.validation import check_of
from shared.domain.model import Outcome, RowCode, SentRow, Usage
from testing.paths import DATA

RECORDED = DATA / "azure-recorded" / "output.jsonl"
SENT = SentRow(7, "task-7", 0)
SCHEMA = {
    "type": "object",
    "properties": {"City": {"type": "string"}, "Height": {"type": "integer"}},
    "required": ["City", "Height"],
    "additionalProperties": False,
}
GOOD = '{"City":"Zürich","Height":126}'
CANARY = "canary-of-the-answer"


def read(line: Mapping[str, object], *, schema: bool = True) -> Outcome:
    return outcome_of(answer_in(line), sent=SENT, attempts=2, check=check_of(SCHEMA) if schema else None)


def line(body: object, status: object = 200, error: object = None) -> dict[str, object]:
    return {"custom_id": "task-7", "response": {"body": body, "request_id": "r", "status_code": status}, "error": error}


def chat(content: object = GOOD, reason: object = "stop", **message: object) -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "finish_reason": reason,
                "content_filter_results": {"hate": {"filtered": False}, "violence": {"filtered": True}},
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": {"prompt_tokens": 82, "completion_tokens": 27, "total_tokens": 109},
    }


def responses(*content: object, status: str = "completed", reason: str | None = None) -> dict[str, Any]:
    return {
        "object": "response",
        "status": status,
        "incomplete_details": reason and {"reason": reason},
        "model": "my-deployment",
        "error": None,
        "output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": list(content)}],
        "usage": {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30},
    }


def with_thoughts(body: dict[str, Any]) -> dict[str, Any]:
    """A Responses body whose model says what it thought, as open models do, in an item of its own."""
    thoughts = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Let me see: "}]}
    return body | {"output": [thoughts, *body["output"]]}


def said(text: str) -> dict[str, str]:
    return {"type": "output_text", "text": text}


def failed(code: object, message: object, **more: object) -> dict[str, object]:
    return {"error": {"code": code, "message": message, **more}}


def test_recorded_answers_become_results() -> None:
    heights = {"type": "object", "required": ["BuildingName", "HeightInFeet", "City", "Country"]}
    outcomes = [
        outcome_of(
            answer_in(json.loads(text)), sent=SentRow(row, f"task-{row}", 0), attempts=1, check=check_of(heights)
        )
        for row, text in enumerate(RECORDED.read_text("utf-8").split("\n")[:3])
    ]
    assert [(o.code, o.output["HeightInFeet"], o.usage) for o in outcomes if isinstance(o.output, dict)] == [
        (None, "1,454", Usage(82, 27)),
        (None, "1,016", Usage(83, 25)),
        (None, "2,717 ft", Usage(83, 28)),
    ]
    assert {o.model for o in outcomes} == {"gpt-4o-2024-08-06"}


@pytest.mark.parametrize(
    "body",
    [
        chat(),
        chat(refusal=None),
        chat(refusal=""),
        json.dumps(chat()),
        chat([{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}]),
        chat() | {"error": None},
        chat() | {"usage": None},
        chat() | {"usage": {"prompt_tokens": "many"}},
        {key: value for key, value in chat().items() if key != "model"},
        responses(said(GOOD)),
        responses(said(GOOD[:9]), said(GOOD[9:])),
        json.dumps(responses(said(GOOD))),
        with_thoughts(responses(said(GOOD))),
    ],
)
def test_an_answer_that_fits_its_schema_is_a_result(body: object) -> None:
    outcome = read(line(body))
    assert (outcome.code, outcome.message, outcome.text) == (None, "", None)
    assert outcome.output == {"City": "Zürich", "Height": 126}
    assert (outcome.row, outcome.custom_id, outcome.attempts, outcome.schema) == (7, "task-7", 2, 0)


def test_usage_and_model_are_read_on_both_routes() -> None:
    assert (read(line(chat())).usage, read(line(chat())).model) == (Usage(82, 27), "gpt-4o-2024-08-06")
    assert (read(line(responses(said(GOOD)))).usage) == Usage(10, 20)
    assert read(line(responses(said(GOOD)))).model == "my-deployment"


def test_an_answer_without_schema_is_its_text() -> None:
    assert read(line(chat("just words")), schema=False).output == {"text": "just words"}
    assert read(line(responses(said("just "), said("words"))), schema=False).output == {"text": "just words"}
    assert read(line(chat("")), schema=False).output == {"text": ""}


def test_an_answer_that_only_calls_tools_keeps_the_calls_as_its_text() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    outcome = read(line(chat(None, "tool_calls", tool_calls=calls)), schema=False)
    assert isinstance(outcome.output, dict)
    assert json.loads(outcome.output["text"]) == calls


def test_an_answer_of_the_responses_route_that_only_calls_functions_keeps_the_calls_as_its_text() -> None:
    call = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    body = responses()
    outcome = read(line(body | {"output": [*body["output"], call]}), schema=False)
    assert isinstance(outcome.output, dict)
    assert json.loads(outcome.output["text"]) == [call]


CALL: dict[str, object] = {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a":1}'}
TOOL_CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def phase(name: str | None, text: str) -> dict[str, object]:
    """A message of a Responses body, of a model that answers in phases."""
    item: dict[str, object] = {"type": "message", "role": "assistant", "content": [said(text)]}
    return item if name is None else item | {"phase": name}


def in_phases(*items: dict[str, object]) -> dict[str, Any]:
    return responses() | {"output": list(items)}


@pytest.mark.parametrize(
    "body",
    [
        in_phases(phase("commentary", "I will look it up."), phase("final_answer", GOOD)),
        in_phases(phase("commentary", '{"City":"Bern","Height":1}'), phase("final_answer", GOOD)),
        in_phases(phase("final_answer", GOOD)),
        in_phases(phase("final_answer", GOOD[:9]), phase("final_answer", GOOD[9:])),
        in_phases(phase(None, GOOD), phase("commentary", "Done.")),
        in_phases(phase("commentary", "First"), CALL, phase("commentary", "Second"), phase("final_answer", GOOD)),
    ],
)
def test_only_the_final_phase_is_the_answer(body: object) -> None:
    outcome = read(line(body))
    assert (outcome.code, outcome.text) == (None, None)
    assert outcome.output == {"City": "Zürich", "Height": 126}


def test_text_of_other_phases_is_kept_where_the_row_fails() -> None:
    outcome = read(line(in_phases(phase("commentary", "I will look."), phase("final_answer", "Zürich"))))
    assert (outcome.code, outcome.text) == (RowCode.INVALID_OUTPUT, "I will look.\nZürich")
    only = read(line(in_phases(phase("commentary", GOOD))))
    assert (only.code, only.text) == (RowCode.INVALID_OUTPUT, GOOD)
    assert only.message == "The answer holds no text (it ended with completed)."


def test_calls_beside_a_text_are_kept_where_the_row_fails() -> None:
    outcome = read(line(chat("Let me see", "tool_calls", tool_calls=[TOOL_CALL])))
    assert outcome.code is RowCode.INVALID_OUTPUT
    assert outcome.text is not None
    text, calls = outcome.text.split("\n")
    assert (text, json.loads(calls)) == ("Let me see", [TOOL_CALL])
    outcome = read(line(in_phases(phase("final_answer", "Let me see"), CALL)))
    assert outcome.text is not None
    text, calls = outcome.text.split("\n")
    assert (text, json.loads(calls)) == ("Let me see", [CALL])


def test_calls_beside_an_answer_that_fits_do_no_harm() -> None:
    assert read(line(chat(GOOD, "tool_calls", tool_calls=[TOOL_CALL]))).code is None
    assert read(line(in_phases(CALL, phase("final_answer", GOOD)))).code is None


def test_an_old_function_call_is_kept_too() -> None:
    outcome = read(line(chat(None, "function_call", function_call={"name": "f", "arguments": "{}"})), schema=False)
    assert isinstance(outcome.output, dict)
    assert json.loads(outcome.output["text"]) == {"name": "f", "arguments": "{}"}


def test_cached_tokens_are_read_on_both_routes() -> None:
    usage = {"prompt_tokens": 82, "completion_tokens": 27, "prompt_tokens_details": {"cached_tokens": 64}}
    assert read(line(chat() | {"usage": usage})).usage == Usage(82, 27, 64)
    usage = {"input_tokens": 82, "output_tokens": 27, "input_tokens_details": {"cached_tokens": 64}}
    assert read(line(responses(said(GOOD)) | {"usage": usage})).usage == Usage(82, 27, 64)
    odd: Any
    for odd in (None, [], {"cached_tokens": None}, {"cached_tokens": -1}, {"cached_tokens": "many"}):
        usage = {"prompt_tokens": 82, "completion_tokens": 27, "prompt_tokens_details": odd}
        assert read(line(chat() | {"usage": usage})).usage == Usage(82, 27)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (
            400,
            "Could not finish the message because max_tokens or model output limit was reached. Please try again with "
            "higher max_tokens.",
            RowCode.TRUNCATED,
        ),
        (
            400,
            "Could not finish the message because max_completion_tokens or model output limit was reached.",
            RowCode.TRUNCATED,
        ),
        (500, "Could not finish the message because model output limit was reached.", RowCode.REQUEST_FAILED),
        (400, "max_tokens is too large: 99999.", RowCode.REQUEST_FAILED),
    ],
)
def test_a_400_that_says_that_the_output_limit_was_reached_is_truncated(status: int, error: str, code: RowCode) -> None:
    body = {"error": {"message": error, "type": "invalid_request_error", "param": None, "code": None}}
    outcome = read(line(body, status))
    assert (outcome.code, outcome.status) == (code, status)
    assert error[:40] in outcome.message


@pytest.mark.parametrize(
    ("error", "parameter"),
    [
        (
            {
                "message": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) "
                "value is supported.",
                "type": "invalid_request_error",
                "param": "temperature",
                "code": "unsupported_value",
            },
            "temperature",
        ),
        (
            {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                "code": "unsupported_parameter",
            },
            "max_tokens",
        ),
        ({"message": "Unrecognized request argument supplied: top_q", "param": None, "code": None}, "top_q"),
        ({"message": "Unknown parameter: 'response_format.strict'.", "code": None}, "response_format.strict"),
        (
            {"message": "Invalid value: 'huge'. Supported values are: 'low'.", "param": "reasoning_effort"},
            "reasoning_effort",
        ),
        ({"message": "The request is invalid.", "param": None}, ""),
        ({"message": "The request is invalid.", "param": ["a"]}, ""),
        ({"message": "The request is invalid.", "param": "two words"}, ""),
    ],
)
def test_the_parameter_that_a_400_names_is_known(error: dict[str, object], parameter: str) -> None:
    assert parameter_in(read(line({"error": error}, 400)).message) == parameter


@pytest.mark.parametrize(
    ("body", "code", "message", "text"),
    [
        (chat(None, refusal=CANARY), RowCode.REFUSAL, "The model refused to answer.", CANARY),
        (chat(GOOD, refusal=CANARY), RowCode.REFUSAL, "The model refused to answer.", f"{GOOD}\n{CANARY}"),
        (chat(None, "length", refusal=CANARY), RowCode.REFUSAL, "The model refused to answer.", CANARY),
        (responses({"type": "refusal", "refusal": CANARY}), RowCode.REFUSAL, "The model refused to answer.", CANARY),
        (
            chat(CANARY, "content_filter"),
            RowCode.CONTENT_FILTER,
            "The answer was stopped by the content filter (violence).",
            CANARY,
        ),
        (
            responses(said(CANARY), status="incomplete", reason="content_filter"),
            RowCode.CONTENT_FILTER,
            "The answer was stopped by the content filter.",
            CANARY,
        ),
        (
            chat(GOOD[:9], "length"),
            RowCode.TRUNCATED,
            "The answer was cut at the token limit (it ended with length).",
            GOOD[:9],
        ),
        (
            responses(said(GOOD[:9]), status="incomplete", reason="max_output_tokens"),
            RowCode.TRUNCATED,
            "The answer was cut at the token limit (it ended with max_output_tokens).",
            GOOD[:9],
        ),
        (chat(CANARY), RowCode.INVALID_OUTPUT, "The answer is not valid JSON.", CANARY),
        (chat(""), RowCode.INVALID_OUTPUT, "The answer is not valid JSON.", ""),
        (chat('{"City":NaN}'), RowCode.INVALID_OUTPUT, "The answer is not valid JSON.", '{"City":NaN}'),
        (
            chat('{"City":"x","Height":"high"}'),
            RowCode.INVALID_OUTPUT,
            "The answer does not fit its schema: $.Height: is not of the type integer",
            '{"City":"x","Height":"high"}',
        ),
        (chat(None), RowCode.INVALID_OUTPUT, "The answer holds no text (it ended with stop).", None),
    ],
)
def test_a_paid_answer_that_is_no_result_has_a_code_and_is_kept(
    body: object, code: RowCode, message: str, text: str | None
) -> None:
    outcome = read(line(body))
    assert (outcome.code, outcome.message, outcome.text, outcome.output) == (code, message, text, None)
    assert outcome.usage is not None
    assert outcome.model


FILTERED = failed(
    "content_filter",
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    innererror={
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"hate": {"filtered": False}, "jailbreak": {"filtered": True, "detected": True}},
    },
)


@pytest.mark.parametrize(
    ("given_line", "code", "status", "part"),
    [
        (line(FILTERED, 400), RowCode.CONTENT_FILTER, 400, "HTTP 400: content_filter: The response was filtered"),
        (line(FILTERED, 400), RowCode.CONTENT_FILTER, 400, " (jailbreak)"),
        (line(failed("invalid_json_schema", "No good"), 400), RowCode.REQUEST_FAILED, 400, "HTTP 400: inval"),
        (
            line(failed(None, "Boom", type="server_error"), 500),
            RowCode.REQUEST_FAILED,
            500,
            "HTTP 500: server_error",
        ),
        (line("<html>Bad gateway", 502), RowCode.REQUEST_FAILED, 502, "HTTP 502: <html>Bad gateway"),
        (line(None, 503), RowCode.REQUEST_FAILED, 503, "HTTP 503"),
        (line(failed("429", "Slow down"), 429), RowCode.RATE_LIMITED, 429, "HTTP 429: 429: Slow down"),
        (line(failed("429", "Slow down"), "429"), RowCode.RATE_LIMITED, 429, "HTTP 429"),
        (line(None, 0), RowCode.REQUEST_FAILED, 0, "The service gave neither an answer nor an error."),
        (line(None, None, {"code": "500", "message": "x"}), RowCode.REQUEST_FAILED, 500, "HTTP 500"),
        (line(chat() | failed("server_error", "Broke")), RowCode.REQUEST_FAILED, 500, "server_error: Broke"),
        (line(responses() | failed("server_error", "Broke")), RowCode.REQUEST_FAILED, 500, "server_error: Broke"),
        (
            {"response": None, "error": {"code": "batch_expired", "message": "This request could not be executed"}},
            RowCode.EXPIRED,
            0,
            "batch_expired: This request could not",
        ),
        ({"response": None, "error": {"code": "batch_cancelled"}}, RowCode.CANCELLED, 0, "batch_cancelled"),
        ({"response": None, "error": {"code": "batch_canceled"}}, RowCode.CANCELLED, 0, "batch_canceled"),
        ({"response": None, "error": {"code": "request_timeout"}}, RowCode.REQUEST_FAILED, 0, "request_timeout"),
        ({"response": None, "error": None}, RowCode.REQUEST_FAILED, 0, "neither an answer nor an error"),
        ({}, RowCode.REQUEST_FAILED, 0, "neither an answer nor an error"),
    ],
)
def test_a_request_without_an_answer_has_a_code_the_status_and_the_service_s_words(
    given_line: Mapping[str, object], code: RowCode, status: int, part: str
) -> None:
    outcome = read(given_line)
    assert (outcome.code, outcome.status) == (code, status)
    assert part in outcome.message
    assert (outcome.text, outcome.output) == (None, None)


def test_the_service_s_words_are_cut_to_one_line_of_500_characters() -> None:
    outcome = read(line(failed("bad", "word\n" * 1000), 400))
    assert outcome.message == "HTTP 400: bad: " + ("word " * 100)[:500]


@pytest.mark.parametrize("body", [CANARY, [], 5, {}, {"choices": []}, {"choices": [5]}, {"output": [None, 5]}])
def test_a_2xx_answer_of_an_unknown_shape_is_an_invalid_output(body: object) -> None:
    outcome = read(line(body))
    assert outcome.code is RowCode.INVALID_OUTPUT
    assert CANARY not in outcome.message


def test_large_numbers_and_half_surrogate_pairs_are_kept_as_the_answer_has_them() -> None:
    big = 123456789012345678901234567890
    text = f'{{"City":"\\ud800 \\u2028\\u0000","Height":{big}}}'
    assert read(line(chat(text))).output == {"City": "\ud800 \u2028\0", "Height": big}


VOCABULARY = """response error body status_code choices message content output code usage refusal finish_reason stop
    length type text prompt_tokens innererror content_filter_result model incomplete_details tool_calls"""
WORDS = st.sampled_from(VOCABULARY.split())
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 600) | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(WORDS, ODD), st.booleans())
def test_no_shape_of_a_line_raises(odd: dict[str, object], schema: bool) -> None:
    outcome = read(odd, schema=schema)
    assert (outcome.code is None) == (outcome.output is not None)
    assert (outcome.code is None) == (outcome.message == "")


@given(ODD, st.sampled_from([200, 400, 500]))
def test_no_shape_of_a_body_raises(body: object, status: int) -> None:
    assert read(line(body, status)).row == 7


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_no_answer_s_text_reaches_a_message(text: str) -> None:
    outcome = read(line(chat(f"{CANARY}{text}")))
    assert CANARY not in outcome.message


@pytest.mark.parametrize("tokens", [True, -1, 2**31, 10**400, 1.0, "1", None])
def test_what_can_be_no_number_of_tokens_is_none(tokens: object) -> None:
    body = chat('{"n": 1}') | {"usage": {"prompt_tokens": 5, "completion_tokens": tokens}}
    assert read(line(body)).usage is None
