"""A line of a batch's output or error file → what the service answered → the row's Outcome.

Lines of both routes are read, chat completions and Responses, and both kinds of failure: a request that the model
service answered with an HTTP error, and one that was never run. As lines come from outside, none raises an error.
Sources: the Batch, Structured Outputs and content filter pages of Azure OpenAI, and OpenAI's API specification.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shared import json_codec
from shared.answers.bodies import reply_in, usage_in
from shared.answers.failures import ended_early, failure_of, status_of
from shared.domain.model import Outcome, RowCode, SentRow, Usage
from shared.json_codec import word

Check = Callable[[object], str | None]
"""Returns why a parsed answer does not fit the row's schema, or None if it fits."""


class Answer(NamedTuple):
    """What the service answered: an error (`code`), or a text that has yet to be checked against the schema.

    `whole` is everything that was paid for; it is kept if the row fails.
    """

    code: RowCode | None
    message: str
    text: str | None
    whole: str | None
    finish_reason: str
    model: str
    usage: Usage | None
    status: int


def answer_in(line: Mapping[str, object]) -> Answer:
    """Read what the service answered from a parsed line of any shape."""
    response = line.get("response")
    if not isinstance(response, dict):
        return _failed(0, line.get("error"), {})
    status = status_of(response.get("status_code"))
    body = _parsed_body(response.get("body"))
    fields = body if isinstance(body, dict) else {}
    if not 200 <= status < 300 or fields.get("error"):
        return _failed(status, fields.get("error") or line.get("error") or body, fields)
    reply = reply_in(body)
    code, message = ended_early(reply)
    return Answer(
        code=code,
        message=message,
        text=reply.text,
        whole=reply.whole,
        finish_reason=reply.reason,
        model=word(fields.get("model")),
        usage=usage_in(fields.get("usage")),
        status=status,
    )


def outcome_of(answer: Answer, *, sent: SentRow, attempts: int, check: Check | None) -> Outcome:
    """Check an answer and return the row's outcome: a result or a named error.

    `check` is that of the row's schema, or None for a row without a schema, whose answer becomes `{"text": …}`.
    """
    code, message = answer.code, answer.message
    output = None
    if code is None and answer.text is not None:
        message, output = parse_and_check(answer.text, check)
        if message:
            code = RowCode.INVALID_OUTPUT
    return Outcome(
        row=sent.row,
        custom_id=sent.custom_id,
        code=code,
        message=message,
        output=output,
        text=None if code is None else answer.whole,
        finish_reason=answer.finish_reason,
        model=answer.model,
        usage=answer.usage,
        attempts=attempts,
        schema=sent.schema,
        status=answer.status,
    )


def parse_and_check(text: str, check: Check | None) -> tuple[str, object]:
    """Parse an answer's text and check it; return what is wrong with it, empty if nothing is, and the output."""
    if check is None:
        return "", {"text": text}
    try:
        output = json_codec.loads(text)
    except ValueError:
        return "The answer is not valid JSON.", None
    fault = check(output)
    return ("", output) if fault is None else (f"The answer does not fit its schema: {fault}", None)


def _failed(status: int, error: object, body: Mapping[str, Any]) -> Answer:
    failure = failure_of(status, error)
    return Answer(
        code=failure.code,
        message=failure.message,
        text=None,
        whole=None,
        finish_reason="",
        model=word(body.get("model")),
        usage=usage_in(body.get("usage")),
        status=failure.status,
    )


def _parsed_body(body: object) -> object:
    """Return the body, parsed if it is JSON text: some services send a text instead of an object."""
    if not isinstance(body, str):
        return body
    try:
        return json_codec.loads(body)
    except ValueError:
        return body
