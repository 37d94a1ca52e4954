"""How many input tokens the service bills for one request.

The numbers for messages are those of OpenAI's cookbook ("How to count tokens with tiktoken"). A schema costs its
compact JSON without `additionalProperties`, which gives the recorded answers of a real resource to the token.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from shared.json_codec import UNREADABLE, dumps, items, loads, mapping, word
from shared.money.tokens import TokenCounter

_MESSAGE: Final = 3
_REPLY: Final = 3
_NAME: Final = 1

_SAME: Final = 64
"""Texts and schemas that are remembered, as most requests of a job share theirs."""

LONG: Final = 32_768
"""Characters of a text that are counted; of a longer one, so many in pieces, as a book must not take a second."""

PIECES: Final = 16

_RAW: Final = msgspec.Raw()


class RequestBody(msgspec.Struct):
    """What a request body of either route, chat completions or Responses, has that bears on its tokens.

    Formats and tools stay as they are written: most requests of a job have the same.
    """

    messages: Any = None
    input: Any = None
    instructions: Any = None
    response_format: msgspec.Raw = _RAW
    text: msgspec.Raw = _RAW
    tools: msgspec.Raw = _RAW
    max_completion_tokens: Any = None
    max_tokens: Any = None
    max_output_tokens: Any = None

    @property
    def cap(self) -> int | None:
        """The most output tokens that are asked for, None where there is no limit."""
        caps = (self.max_completion_tokens, self.max_tokens, self.max_output_tokens)
        return min((cap for cap in caps if type(cap) is int and cap > 0), default=None)


class _Request(msgspec.Struct):
    body: RequestBody


_decode_line: Final = msgspec.json.Decoder(_Request).decode
_decode_body: Final = msgspec.json.Decoder(RequestBody).decode


def body_of_line(line: bytes) -> RequestBody:
    """Read the body of a request line; an empty one where the line cannot be read."""
    try:
        return _decode_line(line).body
    except UNREADABLE:
        return RequestBody()


def read_body(text: bytes) -> RequestBody:
    """Read a request body; an empty one where it cannot be read."""
    try:
        return _decode_body(text)
    except UNREADABLE:
        return RequestBody()


class RequestTokens:
    """Counts the input tokens of requests; what they have in common is counted once.

    Images are not counted here. Parts of an unknown kind count nothing.
    """

    def __init__(self, count: TokenCounter) -> None:
        self._count_short = lru_cache(_SAME)(count)
        self._count_text = count
        self._long: dict[tuple[int, int], int] = {}
        self._of_chat_format = lru_cache(_SAME)(lambda raw: self._of_schema(mapping(loads(raw)).get("json_schema")))
        self._of_text_format = lru_cache(_SAME)(lambda raw: self._of_schema(mapping(loads(raw)).get("format")))
        self._of_tools = lru_cache(_SAME)(lambda raw: sum(map(self._of_value, items(loads(raw)))))

    def of(self, body: RequestBody) -> int:
        """Count the input tokens of a request."""
        if body.messages is not None:
            total = sum(map(self._of_message, items(body.messages)), _REPLY)
            form, of_format = body.response_format, self._of_chat_format
        else:
            total = sum(map(self._of_message, _responses_messages(body)), _REPLY)
            form, of_format = body.text, self._of_text_format
        total += of_format(bytes(form)) if form else 0
        return total + (self._of_tools(bytes(body.tools)) if body.tools else 0)

    def _count(self, text: str) -> int:
        return self._count_short(text) if len(text) <= LONG else self._count_long(text)

    def _count_long(self, text: str) -> int:
        """Count pieces of a text, spread evenly, and scale by its length; remember the number, not the text."""
        key = len(text), hash(text)
        if key not in self._long:
            if len(self._long) >= _SAME:
                self._long.clear()
            size = LONG // PIECES
            starts = [number * (len(text) - size) // (PIECES - 1) for number in range(PIECES)]
            found = sum(self._count_text(text[start : start + size]) for start in starts)
            self._long[key] = round(found * len(text) / LONG)
        return self._long[key]

    def _of_message(self, given: object) -> int:
        message = mapping(given)
        total = _MESSAGE + self._count(word(message.get("role"))) + self._count(_text_of(message.get("content")))
        name = word(message.get("name"))
        return total + (_NAME + self._count(name) if name else 0)

    def _of_schema(self, form: object) -> int:
        schema = mapping(form).get("schema")
        return self._of_value(_without_closing(schema)) if isinstance(schema, dict) else 0

    def _of_value(self, value: object) -> int:
        return self._count(dumps(value).decode())


def _responses_messages(body: RequestBody) -> list[Mapping[str, Any]]:
    given = body.input
    listed = [{"role": "user", "content": given}] if isinstance(given, str) else items(given)
    instructions = word(body.instructions)
    return [{"role": "developer", "content": instructions}, *listed] if instructions else listed


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
