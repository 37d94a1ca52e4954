"""Whole batch requests: checked, completed where the model or the response format is missing, else sent as they are."""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from shared import answer_schema
from shared.domain.errors import SchemaFault
from shared.domain.model import CHAT_URLS, RESPONSES_URL, URLS, Fault, Record, RequestBlock, RowCode
from shared.requests.faults import UnsendableError
from shared.requests.layout import custom_id_of
from shared.requests.limits import check_size, check_text
from shared.requests.request_lines import block_of
from shared.requests.response_format import PLAIN, Formats, with_format

MESSAGES: Final = 2_048
"""Messages in one request: the quota page of Azure OpenAI."""

_KEPT: Final = 256
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class WholeRequests:
    """Turns records that are batch requests into lines."""

    def __init__(self, formats: Formats, model: str | None, max_bytes: int) -> None:
        """`model` is for requests that name none."""
        self._formats = formats
        self._model = model
        self._max_bytes = max_bytes
        self._numbers: dict[bytes, int | Fault] = {}

    def build(self, record: Record) -> RequestBlock:
        """Check and complete one request; raises UnsendableError."""
        values = record.values
        url, body = values["url"], values["body"]
        assert isinstance(body, dict)
        if values.get("method") != "POST":
            raise _invalid("method must be POST.")
        if not isinstance(url, str) or url not in URLS:
            raise _invalid(f"url must be one of {', '.join(URLS)}.")
        _check_body(body, url)
        custom_id = custom_id_of(record, values.get("custom_id"))
        body = self._with_model(body)
        schema, body = self._with_schema(body, url)
        line = orjson.dumps(_request(values, custom_id, body))
        check_size(line, self._max_bytes)
        return block_of((record.row,), (custom_id,), str(body["model"]), url, (line,), (schema,))

    def _with_model(self, body: dict[str, object]) -> dict[str, object]:
        model = body.get("model")
        if model is not None and not isinstance(model, str):
            raise _invalid("body.model must be a text.")
        if model is not None and model.strip():
            return body
        if not self._model:
            raise UnsendableError(
                RowCode.MISSING_MODEL, "The request names no model, nor do _job.json or AZURE_OPENAI_DEPLOYMENT."
            )
        return body | {"model": self._model} if "model" in body else {"model": self._model} | body

    def _with_schema(self, body: dict[str, object], url: str) -> tuple[int, dict[str, object]]:
        """The number of the answer's schema, and the body with the job's schema where it asks for no format."""
        given = _format_of(body, url)
        if given is None:
            job = self._formats.of_job()
            return job.number, body if job is PLAIN else with_format(body, url, self._formats.name, job.sent)
        if not isinstance(given, dict):
            raise _invalid("the response format must be an object.")
        if given.get("type") != "json_schema":
            return PLAIN.number, body
        return self._number_of(given if url == RESPONSES_URL else given.get("json_schema")), body

    def _number_of(self, given: object) -> int:
        text = orjson.dumps(given)
        number = self._numbers.get(text)
        if number is None:
            try:
                number = self._checked(given)
            except UnsendableError as exc:
                number = exc.fault
            if len(self._numbers) >= _KEPT:
                del self._numbers[next(iter(self._numbers))]
            self._numbers[text] = number
        if isinstance(number, Fault):
            raise UnsendableError(number.code, number.message)
        return number

    def _checked(self, given: object) -> int:
        """The number of a request's own schema, which is refused where the service would refuse it."""
        self._formats.saw_any = True
        if not isinstance(given, dict) or not isinstance(name := given.get("name"), str) or not _NAME.fullmatch(name):
            raise UnsendableError(
                RowCode.INVALID_SCHEMA,
                "The response format needs a name of letters, digits, _ and -, 64 characters at most.",
            )
        schema = given.get("schema")
        if schema is None and given.get("strict") is not True:
            return PLAIN.number
        findings = answer_schema.lint(schema) if given.get("strict") is True else answer_schema.check(schema)
        if findings or not isinstance(schema, dict):
            raise UnsendableError(RowCode.INVALID_SCHEMA, str(SchemaFault(findings)))
        return self._formats.listed_as_it_is(name, schema)


def _invalid(message: str) -> UnsendableError:
    return UnsendableError(RowCode.INVALID_REQUEST, f"The batch request cannot be sent: {message}")


def _check_body(body: Mapping[str, object], url: str) -> None:
    if body.get("stream"):
        raise _invalid("body.stream is not supported in batches.")
    count = body.get("n")
    if count is not None and (isinstance(count, bool) or count != 1):
        raise _invalid("body.n must be 1: a row has one answer.")
    if url in CHAT_URLS:
        _check_messages(body.get("messages"))
    elif not body.get("input") and not body.get("prompt"):
        raise _invalid("body.input is missing.")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise _invalid("body.messages must be a list of messages.")
    if len(messages) > MESSAGES:
        raise _invalid(f"body.messages has {len(messages)} messages; {MESSAGES} are allowed.")
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                check_text(text)


def _format_of(body: Mapping[str, object], url: str) -> object:
    if url != RESPONSES_URL:
        return body.get("response_format")
    text = body.get("text")
    return text.get("format") if isinstance(text, dict) else None


def _request(values: Mapping[str, object], custom_id: str, body: dict[str, object]) -> dict[str, object]:
    """The request in its own order of keys; an object `input` beside it holds own columns and is not sent."""
    own = isinstance(values.get("input"), dict)
    sent = {key: value for key, value in values.items() if not (own and key == "input")} | {"body": body}
    return sent | {"custom_id": custom_id} if "custom_id" in sent else {"custom_id": custom_id} | sent
