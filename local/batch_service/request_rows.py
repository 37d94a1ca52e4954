"""One request line of a batch: what it asks, read in the same way for chat completions and for Responses."""

from dataclasses import dataclass
from typing import Any

from local.batch_service import json_text, token_count

CHAT_URLS = frozenset({"/chat/completions", "/v1/chat/completions"})
RESPONSES_URLS = frozenset({"/responses", "/v1/responses"})


@dataclass(frozen=True)
class Ask:
    """What a request body asks for. `schema` is None where no JSON Schema is asked; `limit` is in tokens."""

    deployment: str
    prompt: str
    input_tokens: int
    format: str
    schema: dict[str, Any] | None
    schema_json: bytes
    schema_name: str
    strict: bool
    limit: int | None
    responses: bool
    choices: int
    """How many answers are asked for."""
    top_logprobs: int | None
    """How many alternatives to each token are asked for; None where no probabilities are."""


def read(body: dict[str, Any], responses: bool) -> Ask:
    """Read a request body; `responses` tells the Responses API's form from that of chat completions."""
    texts = list(_texts(body, responses))
    form = _object(_object(body.get("text")).get("format") if responses else body.get("response_format"))
    spec = form if responses else _object(form.get("json_schema"))
    schema = spec.get("schema") if form.get("type") == "json_schema" else None
    limits = ("max_output_tokens",) if responses else ("max_completion_tokens", "max_tokens")
    schema_json = json_text.write(schema) if schema is not None else b""
    return Ask(
        deployment=str(body.get("model", "")),
        prompt=next((text for role, text in reversed(texts) if role == "user"), ""),
        input_tokens=token_count.of_request(body),
        format=str(form.get("type", "text")),
        schema=schema if isinstance(schema, dict) else None,
        schema_json=schema_json,
        schema_name=str(spec.get("name", "")),
        strict=bool(spec.get("strict")),
        limit=next((body[name] for name in limits if isinstance(body.get(name), int) and body[name] > 0), None),
        responses=responses,
        choices=1 if responses else _whole(body.get("n"), 1),
        top_logprobs=_whole(body.get("top_logprobs"), 0) if body.get("logprobs") and not responses else None,
    )


def _texts(body: dict[str, Any], responses: bool) -> list[tuple[str, str]]:
    """Return (role, text) of every message."""
    found: list[tuple[str, str]] = []
    if responses and isinstance(body.get("instructions"), str):
        found.append(("system", body["instructions"]))
    messages = body.get("input" if responses else "messages")
    if isinstance(messages, str):
        return [*found, ("user", messages)]
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            found.append((str(message.get("role", "user")), _content(message.get("content"))))
    return found


def _whole(value: Any, usual: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else usual


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return " ".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def has_messages(body: dict[str, Any], responses: bool) -> bool:
    """Tell whether the body has any input for the model."""
    return bool(body.get("input" if responses else "messages"))
