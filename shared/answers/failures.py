"""Why a row has no usable answer: the service refused or never ran its request, or the answer ended early.

Sources: the Batch, Structured Outputs and content filter pages of Azure OpenAI.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from shared.answers.bodies import Reply
from shared.domain.model import RowCode
from shared.json_codec import mapping, word

MESSAGE_LIMIT: Final = 500
"""Characters of the service's message that a message of the app may quote."""

_CODES: Final = {
    "batch_expired": RowCode.EXPIRED,
    "batch_cancelled": RowCode.CANCELLED,
    "batch_canceled": RowCode.CANCELLED,
    "content_filter": RowCode.CONTENT_FILTER,
    "rate_limit_exceeded": RowCode.RATE_LIMITED,
    "too_many_requests": RowCode.RATE_LIMITED,
}

_SERVER_CODES: Final = frozenset({"server_error", "internal_error", "internal_server_error", "service_unavailable"})

_STOPS: Final = {
    "length": RowCode.TRUNCATED,
    "max_output_tokens": RowCode.TRUNCATED,
    "content_filter": RowCode.CONTENT_FILTER,
}


_OUT_OF_TOKENS: Final = "output limit was reached"
"""Part of Azure's message if a model spent all its tokens before its answer began: HTTP 400, without a code."""

_PARAMETER: Final = re.compile(r"[\w.\[\]-]{1,64}")
_NAMED: Final = re.compile(
    r" \(parameter (?P<told>[\w.\[\]-]+)\)$"
    r"|\b(?:Unsupported|Unknown) (?:parameter|value): '(?P<quoted>[\w.\[\]-]+)'"
    r"|\bUnrecognized request arguments? supplied: (?P<listed>[\w.\[\]-]+)"
)


class Failure(NamedTuple):
    """A request without an answer: its code, the service's message, and the HTTP status, 0 if there was none."""

    code: RowCode
    message: str
    status: int


def ended_early(reply: Reply) -> tuple[RowCode | None, str]:
    """Return the code and message for an answer that is incomplete; None and an empty message for a whole one."""
    if reply.refusal is not None:
        return RowCode.REFUSAL, "The model refused to answer."
    stopped = _STOPS.get(reply.reason)
    if stopped is RowCode.CONTENT_FILTER:
        return stopped, f"The answer was stopped by the content filter{_categories(reply.filters)}."
    if stopped is RowCode.TRUNCATED:
        return stopped, f"The answer was cut at the token limit (it ended with {reply.reason})."
    if reply.text is None:
        ended = f" (it ended with {_quoted(reply.reason)})" if reply.reason else ""
        return RowCode.INVALID_OUTPUT, f"The answer holds no text{ended}."
    return None, ""


def failure_of(status: int, error: object) -> Failure:
    """Describe why a request got no answer: it was refused by the model service, or never run."""
    details = mapping(error)
    name = word(details.get("code")) or word(details.get("type"))
    status = status if status >= 300 else status_of(details.get("code") or details.get("status"))
    inner = mapping(details.get("innererror"))
    code = _failure_code(status, name, inner, word(details.get("message")))
    filters = inner.get("content_filter_result") if code is RowCode.CONTENT_FILTER else None
    said = _quoted(details.get("message") if details else error)
    words = ": ".join(filter(None, (f"HTTP {status}" if status else "", _quoted(name), said)))
    parameter = _parameter(details.get("param")) if code is RowCode.REQUEST_FAILED else ""
    return Failure(
        code,
        words + _categories(filters) + parameter if words else "The service gave neither an answer nor an error.",
        status or (500 if name in _SERVER_CODES else 0),
    )


def parameter_in(message: str) -> str:
    """Return the parameter that a failure's message blames for the refusal, empty if it names none."""
    found = _NAMED.search(message)
    return next(filter(None, found.groups()), "") if found else ""


def _parameter(name: object) -> str:
    return f" (parameter {name})" if isinstance(name, str) and _PARAMETER.fullmatch(name) else ""


def _failure_code(status: int, name: str, inner: Mapping[str, Any], message: str) -> RowCode:
    if status == 400 and _OUT_OF_TOKENS in message:
        return RowCode.TRUNCATED
    if inner.get("code") == "ResponsibleAIPolicyViolation":
        return RowCode.CONTENT_FILTER
    return RowCode.RATE_LIMITED if status == 429 else _CODES.get(name, RowCode.REQUEST_FAILED)


def _categories(filters: object) -> str:
    """List what the content filter objected to, by the service's names: ` (hate, violence)`."""
    found = [_quoted(name) for name, result in mapping(filters).items() if mapping(result).get("filtered") is True]
    return f" ({', '.join(found)})" if found else ""


def _quoted(words: object) -> str:
    """Shorten the service's words to one line of bounded length."""
    return " ".join(words[: 2 * MESSAGE_LIMIT].split())[:MESSAGE_LIMIT] if isinstance(words, str) else ""


def status_of(value: object) -> int:
    """Read an HTTP status, given as a number or a text; 0 if it is neither."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9][0-9]", value):
        return int(value)
    return value if isinstance(value, int) and 100 <= value < 600 else 0
