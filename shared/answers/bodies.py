"""A model's answer, in the bodies of both routes: chat completions and Responses.

Sources: OpenAI's API specification, and Azure OpenAI's page on the content filter.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeGuard

from shared import json_codec
from shared.domain.model import Usage
from shared.json_codec import items, mapping, word

TOKENS_LIMIT: Final = 2**31
"""Larger numbers cannot be numbers of tokens."""

_FINAL: Final = ("", "final_answer")
"""The phases whose messages are the answer; in other phases a model comments on its work."""

_NOT_CALLS: Final = ("message", "reasoning")
"""Output items other than calls of functions and tools."""


class Reply(NamedTuple):
    """The model's reply: its text or refusal, the reason why it ended, and the content filter's findings.

    `whole` is everything that was paid for, including function calls and the text of other phases.
    """

    text: str | None
    refusal: str | None
    reason: str
    filters: object = None
    whole: str | None = None


def reply_in(body: object) -> Reply:
    """Read the body of either route; of any other body, keep the text, as it may have been paid for."""
    if isinstance(body, dict):
        if isinstance(body.get("choices"), list):
            return _chat(body["choices"])
        if isinstance(body.get("output"), list):
            return _responses(body)
    if body is None or isinstance(body, str):
        return Reply(body, None, "", whole=body)
    text = json_codec.dumps(body).decode()
    return Reply(text, None, "", whole=text)


def usage_in(usage: object) -> Usage | None:
    """Read the tokens that were paid for, by either route's names; None if they are not numbers of tokens."""
    counts = mapping(usage)
    read = counts.get("prompt_tokens", counts.get("input_tokens"))
    written = counts.get("completion_tokens", counts.get("output_tokens"))
    details = mapping(counts.get("prompt_tokens_details", counts.get("input_tokens_details")))
    cached = details.get("cached_tokens")
    if not _is_count(read) or not _is_count(written):
        return None
    return Usage(read, written, cached if _is_count(cached) else 0)


def _is_count(number: object) -> TypeGuard[int]:
    return type(number) is int and 0 <= number < TOKENS_LIMIT


def _chat(choices: list[object]) -> Reply:
    """Read a chat completion's first choice: requests for more than one are not sent."""
    choice = mapping(choices[0] if choices else None)
    message = mapping(choice.get("message"))
    content = message.get("content")
    refusal = message.get("refusal")
    refusal = refusal if isinstance(refusal, str) and refusal else _part(content, "refusal")
    calls = [message[key] for key in ("tool_calls", "function_call") if message.get(key)]
    called = json_codec.dumps(calls[0] if len(calls) == 1 else calls).decode() if calls else None
    text = _text(content)
    return Reply(
        text or called or text,
        refusal,
        word(choice.get("finish_reason")),
        choice.get("content_filter_results"),
        _joined([text, refusal, called]),
    )


def _responses(body: Mapping[str, Any]) -> Reply:
    """Read a Responses body: the texts of its final messages joined, as OpenAI's own client does."""
    found = [mapping(item) for item in body["output"]]
    messages = [item for item in found if item.get("type") == "message"]
    parts = [part for item in messages if word(item.get("phase")) in _FINAL for part in items(item.get("content"))]
    text = _text(parts)
    calls = [item for item in found if item.get("type") not in _NOT_CALLS]
    called = json_codec.dumps(calls).decode() if calls else None
    reason = word(mapping(body.get("incomplete_details")).get("reason")) or word(body.get("status"))
    filters = [mapping(item).get("content_filter_results") for item in items(body.get("content_filters"))]
    whole = [said for item in messages for said in (_text(item.get("content")), _part(item.get("content"), "refusal"))]
    return Reply(text or called or text, _part(parts, "refusal"), reason, _merged(filters), _joined([*whole, called]))


def _joined(pieces: Sequence[str | None]) -> str | None:
    """Join the pieces of a reply that are not empty; None if there are no pieces at all."""
    said = [piece for piece in pieces if piece is not None]
    return "\n".join(filter(None, said)) if said else None


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
