"""A fast reader for the lines of ordinary chat completions, which nearly all lines are.

It decodes only the fields that are needed, and skips the content filter's findings, most of a line. All other lines
raise UNUSUAL and are read by `lines`. Source: the chat completion object of OpenAI's API specification.
"""

from typing import Annotated, Final, Literal

import msgspec

from shared import json_codec
from shared.answers.bodies import TOKENS_LIMIT

UNUSUAL: Final = json_codec.UNREADABLE
"""What `read` raises for lines that hold anything else, or are not JSON."""


class _Message(msgspec.Struct, gc=False):
    content: str
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: Literal["stop"]
    message: _Message


_Tokens = Annotated[int, msgspec.Meta(ge=0, lt=TOKENS_LIMIT)]


class _Details(msgspec.Struct, gc=False):
    cached_tokens: _Tokens = 0


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Tokens
    completion_tokens: _Tokens
    prompt_tokens_details: _Details | None = None


class _Body(msgspec.Struct, gc=False):
    model: str
    choices: tuple[_Choice]
    usage: _Usage
    error: None = None


class _Response(msgspec.Struct, gc=False):
    status_code: Literal[200]
    body: _Body


class CommonAnswer(msgspec.Struct, gc=False):
    """A line of the output file with one choice, which the model ended by itself."""

    custom_id: str
    response: _Response


read: Final = msgspec.json.Decoder(CommonAnswer).decode
"""Read a line; raises one of UNUSUAL."""
