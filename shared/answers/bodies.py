"""A model's answer, in the bodies of both routes: chat completions and Responses.

Sources: OpenAI's API specification, and Azure OpenAI's page on the content filter.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeGuard

from shared import json_codec
from shared.json_parts import items, mapping, word

TOKENS_LIMIT: Final = 2**31
"""A larger number of tokens is no number of tokens."""


class Said(NamedTuple):
    """What the model said: its text, or its refusal, why it ended, and what the content filter found."""

    text: str | None
    refusal: str | None
    reason: str
    filters: object = None


def said_in(body: object) -> Said:
    """Read either route's body; of one that is neither, keep the text, as it may have been paid."""
    if isinstance(body, dict):
        if isinstance(body.get("choices"), list):
            return _chat(body["choices"])
        if isinstance(body.get("output"), list):
            return _responses(body)
    if body is None or isinstance(body, str):
        return Said(body, None, "")
    return Said(json_codec.dumps(body).decode(), None, "")


def tokens_in(usage: object) -> tuple[int, int] | None:
    """Read the tokens that were paid, under either route's names; None for what can be no number of tokens."""
    counts = mapping(usage)
    read = counts.get("prompt_tokens", counts.get("input_tokens"))
    written = counts.get("completion_tokens", counts.get("output_tokens"))
    return (read, written) if _is_count(read) and _is_count(written) else None


def _is_count(number: object) -> TypeGuard[int]:
    return type(number) is int and 0 <= number < TOKENS_LIMIT


def _chat(choices: list[object]) -> Said:
    """Read a chat completion: its first choice, as requests for more than one are refused."""
    choice = mapping(choices[0] if choices else None)
    message = mapping(choice.get("message"))
    text = _text(message.get("content"))
    if not text and message.get("tool_calls"):
        text = json_codec.dumps(message["tool_calls"]).decode()
    refusal = message.get("refusal")
    return Said(
        text,
        refusal if isinstance(refusal, str) and refusal else _part(message.get("content"), "refusal"),
        word(choice.get("finish_reason")),
        choice.get("content_filter_results"),
    )


def _responses(body: Mapping[str, Any]) -> Said:
    """Read a Responses body: the texts of its messages joined, as OpenAI's own client does."""
    found = [mapping(item) for item in body["output"]]
    parts = [part for item in found if item.get("type") == "message" for part in items(item.get("content"))]
    text = _text(parts) if parts else None
    calls = [item for item in found if item.get("type") == "function_call"]
    if not text and calls:
        text = json_codec.dumps(calls).decode()
    reason = word(mapping(body.get("incomplete_details")).get("reason")) or word(body.get("status"))
    filters = [mapping(item).get("content_filter_results") for item in items(body.get("content_filters"))]
    return Said(text, _part(parts, "refusal"), reason, _merged(filters))


def _text(content: object) -> str | None:
    """Read a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    texts = [part["text"] for part in map(mapping, items(content)) if isinstance(part.get("text"), str)]
    return "".join(texts) if texts else None


def _part(content: object, kind: str) -> str | None:
    """Find a part's own text, such as a refusal among a message's parts."""
    return next((part[kind] for part in map(mapping, items(content)) if isinstance(part.get(kind), str)), None)


def _merged(filters: list[object]) -> dict[str, object]:
    return {name: result for found in filters for name, result in mapping(found).items() if _flagged(result)}


def _flagged(result: object) -> bool:
    return mapping(result).get("filtered") is True
