"""Lines of a batch's output and error files → what the service answered → one Outcome for the row each.

Both routes are read, chat completions and Responses, and both kinds of failure: a request that the model service
answered with an HTTP error, and one that was never run. Lines come from outside, so no shape of them raises.
Sources: the Batch, Structured Outputs and content filter pages of Azure OpenAI, and OpenAI's API specification.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from shared import exact_json
from shared.model import Outcome, RowCode, SentRow, Usage

MESSAGE_LIMIT: Final = 500
"""Characters of the service's own words that a message may quote."""

Check = Callable[[object], str | None]
"""Says what of a parsed answer does not fit the row's schema, or None where it fits."""

_ID_FIRST: Final = re.compile(rb'\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?"custom_id"\s*:\s*"([^"\\]*)"')

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


class Answer(NamedTuple):
    """What the service answered: an error already (`code`), or a text that may still not be what was asked for."""

    code: RowCode | None
    message: str
    text: str | None
    finish_reason: str
    model: str
    tokens: tuple[int, int] | None
    status: int


class _Said(NamedTuple):
    """What the model said: its text, or its refusal, why it ended, and what the content filter found."""

    text: str | None
    refusal: str | None
    reason: str
    filters: object = None


def custom_id_of(line: bytes) -> str | None:
    """Read a line's custom_id, without parsing the whole line where it stands at its beginning.

    None where the line is no JSON object with a custom_id; a line that is broken further on may still have one.
    """
    try:
        if found := _ID_FIRST.match(line):
            return found[1].decode()
        parsed = exact_json.loads_line(line)
    except ValueError:
        return None
    custom_id = parsed.get("custom_id") if isinstance(parsed, dict) else None
    return custom_id if isinstance(custom_id, str) else None


def outcome_of(line: Mapping[str, object], *, sent: SentRow, attempts: int, check: Check | None) -> Outcome:
    """Say what became of a row, from its parsed line of the output or error file; see `judged`."""
    return judged(answer_in(line), sent=sent, attempts=attempts, check=check)


def answer_in(line: Mapping[str, object]) -> Answer:
    """Read what the service answered from a parsed line, of whatever shape it may be."""
    if found := _ordinary(line):
        return found
    response = line.get("response")
    if not isinstance(response, dict):
        return _failure(0, line.get("error"), {})
    status = _status(response.get("status_code"))
    body = _parsed_body(response.get("body"))
    fields = body if isinstance(body, dict) else {}
    if not 200 <= status < 300 or fields.get("error"):
        return _failure(status, fields.get("error") or line.get("error") or body, fields)
    said = _said(body)
    code, message = _ended_early(said)
    return Answer(
        code=code,
        message=message,
        text=said.text if said.refusal is None else said.refusal,
        finish_reason=said.reason,
        model=_word(fields.get("model")),
        tokens=_tokens(fields.get("usage")),
        status=status,
    )


def judged(answer: Answer, *, sent: SentRow, attempts: int, check: Check | None) -> Outcome:
    """Decide between a result and a named error.

    `check` is the row's schema, None for a row without one, whose answer becomes `{"text": …}`.
    """
    code, message, text = answer.code, answer.message, answer.text
    output = None
    if code is None and text is not None:
        message, output = _checked(text, check)
        if message:
            code = RowCode.INVALID_OUTPUT
        else:
            text = None
    # By place, not by name: this is done for every row.
    return Outcome(
        sent.row,
        sent.custom_id,
        code,
        message,
        output,
        text,
        answer.finish_reason,
        answer.model,
        None if answer.tokens is None else Usage(*answer.tokens),
        attempts,
        sent.schema,
        answer.status,
    )


def _checked(text: str, check: Check | None) -> tuple[str, object]:
    """Parse an answer's text and check it: a complaint, or an empty one and the output."""
    if check is None:
        return "", {"text": text}
    try:
        output = exact_json.loads(text)
    except ValueError:
        return "The answer is no JSON.", None
    fault = check(output)
    return ("", output) if fault is None else (f"The answer does not fit its schema: {fault}", None)


def _ended_early(said: _Said) -> tuple[RowCode | None, str]:
    """Name what kept the model from a whole answer, if anything did."""
    if said.refusal is not None:
        return RowCode.REFUSAL, "The model refused to answer."
    stopped = _STOPS.get(said.reason)
    if stopped is RowCode.CONTENT_FILTER:
        return stopped, f"The answer was stopped by the content filter{_categories(said.filters)}."
    if stopped is RowCode.TRUNCATED:
        return stopped, f"The answer was cut at the token limit (it ended with {said.reason})."
    if said.text is None:
        ended = f" (it ended with {_quoted(said.reason)})" if said.reason else ""
        return RowCode.INVALID_OUTPUT, f"The answer holds no text{ended}."
    return None, ""


def _ordinary(line: Mapping[str, Any]) -> Answer | None:
    """Read a chat completion that went as it should, as nearly all do, in the fewest steps; None for all others."""
    try:
        response = line["response"]
        body = response["body"]
        choice = body["choices"][0]
        message = choice["message"]
        text = message["content"]
        model = body["model"]
        usage = body["usage"]
        tokens = usage["prompt_tokens"], usage["completion_tokens"]
        if choice["finish_reason"] != "stop" or response["status_code"] != 200 or message.get("refusal"):
            return None
    except (LookupError, TypeError, AttributeError):
        return None
    if type(text) is type(model) is str and type(tokens[0]) is type(tokens[1]) is int and text and "error" not in body:
        return Answer(None, "", text, "stop", model, tokens, 200)
    return None


def _said(body: object) -> _Said:
    """Read either route's body; of one that is neither, keep the text, as it may have been paid."""
    if isinstance(body, dict):
        if isinstance(body.get("choices"), list):
            return _chat(body["choices"])
        if isinstance(body.get("output"), list):
            return _responses(body)
    if body is None or isinstance(body, str):
        return _Said(body, None, "")
    return _Said(exact_json.dumps(body).decode(), None, "")


def _chat(choices: list[object]) -> _Said:
    """Read a chat completion: its first choice, as requests for more than one are refused."""
    choice = _mapping(choices[0] if choices else None)
    message = _mapping(choice.get("message"))
    text = _text(message.get("content"))
    if not text and message.get("tool_calls"):
        text = exact_json.dumps(message["tool_calls"]).decode()
    refusal = message.get("refusal")
    return _Said(
        text,
        refusal if isinstance(refusal, str) and refusal else _part(message.get("content"), "refusal"),
        _word(choice.get("finish_reason")),
        choice.get("content_filter_results"),
    )


def _responses(body: Mapping[str, Any]) -> _Said:
    """Read a Responses body: the texts of its messages joined, as OpenAI's own client does."""
    items = [_mapping(item) for item in body["output"]]
    parts = [part for item in items if item.get("type") == "message" for part in _list(item.get("content"))]
    text = _text(parts) if parts else None
    calls = [item for item in items if item.get("type") == "function_call"]
    if not text and calls:
        text = exact_json.dumps(calls).decode()
    reason = _word(_mapping(body.get("incomplete_details")).get("reason")) or _word(body.get("status"))
    filters = [_mapping(found).get("content_filter_results") for found in _list(body.get("content_filters"))]
    return _Said(text, _part(parts, "refusal"), reason, _merged(filters))


def _failure(status: int, error: object, body: Mapping[str, Any]) -> Answer:
    """Name a request that got no answer: refused by the model service, or never run."""
    details = _mapping(error)
    name = _word(details.get("code")) or _word(details.get("type"))
    status = status if status >= 300 else _status(details.get("code") or details.get("status"))
    inner = _mapping(details.get("innererror"))
    code = _failure_code(status, name, inner)
    filters = inner.get("content_filter_result") if code is RowCode.CONTENT_FILTER else None
    said = _quoted(details.get("message") if details else error)
    words = ": ".join(word for word in (f"HTTP {status}" if status else "", _quoted(name), said) if word)
    return Answer(
        code=code,
        message=words + _categories(filters) if words else "The service gave neither an answer nor an error.",
        text=None,
        finish_reason="",
        model=_word(body.get("model")),
        tokens=_tokens(body.get("usage")),
        status=status or (500 if name in _SERVER_CODES else 0),
    )


def _failure_code(status: int, name: str, inner: Mapping[str, Any]) -> RowCode:
    if inner.get("code") == "ResponsibleAIPolicyViolation":
        return RowCode.CONTENT_FILTER
    return RowCode.RATE_LIMITED if status == 429 else _CODES.get(name, RowCode.REQUEST_FAILED)


def _categories(filters: object) -> str:
    """Name what the content filter objected to: ` (hate, violence)`; the names are the service's own."""
    found = [_quoted(name) for name, result in _mapping(filters).items() if _mapping(result).get("filtered") is True]
    return f" ({', '.join(found)})" if found else ""


def _quoted(words: object) -> str:
    """Cut the service's words to one line of bounded length."""
    return " ".join(words[: 2 * MESSAGE_LIMIT].split())[:MESSAGE_LIMIT] if isinstance(words, str) else ""


def _text(content: object) -> str | None:
    """Read a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    texts = [part["text"] for part in map(_mapping, _list(content)) if isinstance(part.get("text"), str)]
    return "".join(texts) if texts else None


def _part(content: object, kind: str) -> str | None:
    """Find a part's own text, such as a refusal among a message's parts."""
    return next((part[kind] for part in map(_mapping, _list(content)) if isinstance(part.get(kind), str)), None)


def _tokens(usage: object) -> tuple[int, int] | None:
    """Read the tokens that were paid, under either route's names."""
    counts = _mapping(usage)
    read = counts.get("prompt_tokens", counts.get("input_tokens"))
    written = counts.get("completion_tokens", counts.get("output_tokens"))
    return (read, written) if isinstance(read, int) and isinstance(written, int) else None


def _parsed_body(body: object) -> object:
    """Some services give the body as JSON text instead of an object."""
    if not isinstance(body, str):
        return body
    try:
        return exact_json.loads(body)
    except ValueError:
        return body


def _status(value: object) -> int:
    """Read an HTTP status, 0 where there is none."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9][0-9]", value):
        return int(value)
    return value if isinstance(value, int) and 100 <= value < 600 else 0


def _merged(filters: list[object]) -> dict[str, object]:
    return {name: result for found in filters for name, result in _mapping(found).items() if _flagged(result)}


def _flagged(result: object) -> bool:
    return _mapping(result).get("filtered") is True


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
