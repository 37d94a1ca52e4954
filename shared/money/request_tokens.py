"""How many input tokens the service bills for one request.

The numbers for messages are those of OpenAI's cookbook ("How to count tokens with tiktoken"). A schema costs its
compact JSON without `additionalProperties`, which gives the recorded answers of a real resource to the token.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.json_codec import dumps, items, mapping, word
from shared.money.tokens import TokenCounter

_MESSAGE: Final = 3
_REPLY: Final = 3
_NAME: Final = 1


def request_tokens(body: Mapping[str, Any], count: TokenCounter) -> int:
    """Count the input tokens of a request body of either route: chat completions or Responses.

    Images are not counted here. Parts of an unknown kind count nothing.
    """
    if "messages" in body:
        messages = [mapping(message) for message in items(body["messages"])]
        schema = mapping(mapping(body.get("response_format")).get("json_schema")).get("schema")
    else:
        messages = _responses_messages(body)
        schema = mapping(mapping(body.get("text")).get("format")).get("schema")
    total = _REPLY + sum(_message_tokens(message, count) for message in messages)
    if isinstance(schema, dict):
        total += count(_as_text(_without_closing(schema)))
    return total + sum(count(_as_text(tool)) for tool in items(body.get("tools")))


def _responses_messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = body.get("input")
    listed = [{"role": "user", "content": given}] if isinstance(given, str) else items(given)
    messages = [mapping(message) for message in listed]
    instructions = word(body.get("instructions"))
    return [{"role": "developer", "content": instructions}, *messages] if instructions else messages


def _message_tokens(message: Mapping[str, Any], count: TokenCounter) -> int:
    total = _MESSAGE + count(word(message.get("role"))) + count(_text_of(message.get("content")))
    name = word(message.get("name"))
    return total + (_NAME + count(name) if name else 0)


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(word(mapping(part).get("text")) for part in items(content))


def _without_closing(schema: object) -> object:
    """Drop the keyword that every strict object has, and that the model is not shown."""
    if isinstance(schema, dict):
        return {key: _without_closing(value) for key, value in schema.items() if key != "additionalProperties"}
    if isinstance(schema, list):
        return [_without_closing(value) for value in schema]
    return schema


def _as_text(value: object) -> str:
    return dumps(value).decode()
