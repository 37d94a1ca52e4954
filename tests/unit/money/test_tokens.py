"""Tokens counted with the model's own encoding, and requests as the service bills them."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.json_codec import dumps
from shared.money import o200k_base, tokens
from shared.money.request_tokens import RequestTokens, body_of_line, read_body
from shared.money.tokens import TokenCounter, token_counter
from testing.paths import DATA

SCRIPTS = {
    "English": ("The quick brown fox didn't jump over 12345 lazy dogs.", 13),
    "German": ("Größe und Übermaß: «Straße»\n\n\tEnde", 12),
    "Japanese": ("東京都庁舎の高さは243メートルです。", 14),
    "Russian": ("Москва — столица России, население 13 млн.", 12),
    "Arabic": ("مرحبا بالعالم، كيف حالك اليوم؟", 10),
    "Hindi": ("हिन्दी में एक वाक्य।", 9),
    "emoji": ("👩‍👩‍👧‍👦 emoji 🎉🎉", 16),
    "words that mean something to the model": ("<|endoftext|> x <|im_start|>", 14),
    "JSON": ('{"a": [1,2,3], "b": null}', 15),
    "white space": ("   spaces   \r\n\r\n tabs\t\t", 6),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_text_of_any_script_has_the_tokens_of_the_published_encoding(script: str) -> None:
    text, expected = SCRIPTS[script]
    count = token_counter("gpt-4o")
    assert count is not None
    assert count(text) == expected


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o",
        "gpt-4o-2024-08-06",
        "GPT-4o-mini",
        "gpt-4.1-mini",
        "gpt-5",
        "gpt-5.4-mini",
        "gpt-5-nano-2025-08-07",
        "o3",
        "my-deployment",
        "m",
        "",
        "o4-mini",
    ],
)
def test_todays_models_and_those_of_unknown_names_have_an_encoding(model: str) -> None:
    assert token_counter(model) is not None


@pytest.mark.parametrize("model", ["gpt-4", "gpt-4-32k", "gpt-4-turbo", "gpt-35-turbo", "gpt-3.5-turbo"])
def test_models_of_another_encoding_have_none(model: str) -> None:
    assert token_counter(model) is None


def test_without_its_table_nothing_is_counted_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(o200k_base, "TABLE", tmp_path / "missing")
    tokens._o200k_counter.cache_clear()
    try:
        assert token_counter("gpt-4o") is None
        assert "estimated by bytes" in caplog.text
    finally:
        tokens._o200k_counter.cache_clear()


def test_the_recorded_requests_have_the_tokens_that_the_real_service_billed() -> None:
    count = token_counter("gpt-4o")
    assert count is not None
    requests = _lines("seed/batch - StructuredOutputs.jsonl")
    billed = {
        line["custom_id"]: line["response"]["body"]["usage"]["prompt_tokens"]
        for line in _lines("azure-recorded/output.jsonl")
    }
    assert {line["custom_id"]: tokens_of(line["body"], count) for line in requests} == billed
    together = RequestTokens(count)
    assert {line["custom_id"]: together.of(body_of_line(dumps(line))) for line in requests} == billed


def test_the_same_request_by_either_route_has_as_many_tokens() -> None:
    count = token_counter("gpt-4o")
    assert count is not None
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    chat = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}},
    }
    responses = {
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "text": {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}},
    }
    assert tokens_of(responses, count) == tokens_of(chat, count)
    assert tokens_of({**responses, "input": "Hi"}, count) == tokens_of(chat, count)


@pytest.mark.parametrize(
    "body", [{}, {"messages": None}, {"messages": [None, 1, {"content": [None, {"text": 5}]}]}, {"input": 7}]
)
def test_odd_bodies_are_counted_as_far_as_they_can_be_read(body: dict[str, object]) -> None:
    assert tokens_of(body, len) >= 3


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"body":7}', b'{"body":{"messages":', b'{"body":{"messages":"\\ud800"}}', b"\xff"]
)
def test_lines_that_cannot_be_read_ask_nothing(line: bytes) -> None:
    body = body_of_line(line)
    assert (RequestTokens(len).of(body), body.cap) == (3, None)


@pytest.mark.parametrize(
    ("body", "cap"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7, "max_tokens": 9}, 7),
        ({"max_output_tokens": 10**30}, 10**30),
        ({"max_tokens": "5", "max_completion_tokens": True}, None),
        ({"max_tokens": 0}, None),
    ],
)
def test_the_cap_of_a_request_is_the_lowest_that_it_names(body: dict[str, object], cap: int | None) -> None:
    assert read_body(dumps(body)).cap == cap


def tokens_of(body: object, count: TokenCounter) -> int:
    """The tokens of one request body by itself."""
    return RequestTokens(count).of(read_body(dumps(body)))


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines() if line]
