"""The rows of a running batch: what each is answered, and the lines that this leaves in the output and error files."""

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from local.service import answers, instances, plausible, request_rows, schema_rules
from local.service.answers import Answer
from local.service.request_rows import RESPONSES_URLS, Ask
from local.service.scenario import RowRule, Scenario

SCHEMAS_SINCE = "2024-08-01-preview"
Body = dict[str, Any]


@dataclass(frozen=True)
class Billed:
    """A row that was answered and so is paid."""

    custom_id: str
    row_hash: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Done:
    """One executed row: its lines for both files, whether it counts as failed, and what is paid for it."""

    output: bytes
    error: bytes
    failed: bool
    billed: Billed | None


class Tries(Protocol):
    """Counts how often a rule was used on a row."""

    def count_try(self, rule: str, custom_id: str) -> int:
        """Count one more use and return how many there were before."""


class Recorded(Protocol):
    """Lines of a recorded output file."""

    def line(self, custom_id: str) -> bytes | None:
        """Return the recorded line of that row, without its end."""


class Model(Protocol):
    """A real model elsewhere."""

    def ask(self, body: Body, responses: bool) -> tuple[int, Body]:
        """Return the HTTP status and the body that it answers a request with."""


@dataclass(frozen=True)
class Executor:
    """Answers the rows of one batch."""

    batch_id: str
    scenario: Scenario
    scenario_id: str
    api_version: str | None
    created: int
    tries: Tries
    recorded: Recorded | None = None
    model: Model | None = None

    def run(self, line: bytes) -> Done:
        """Answer one request line."""
        row = orjson.loads(line)
        custom_id, body = row["custom_id"], row["body"]
        responses = row["url"] in RESPONSES_URLS
        mark = answers.mark_of(self.batch_id, custom_id)
        rule = self._rule(custom_id, line)
        if rule is not None and rule.outcome == "not_run":
            code = rule.code or "request_timeout"
            text = rule.message or "This request could not be executed in time."
            return self._never_run(custom_id, code, text, rule)
        if rule is None and self.recorded is not None and (kept := self.recorded.line(custom_id)) is not None:
            return self._replayed(custom_id, body, kept)
        try:
            status, answer = self._answer(body, responses, rule, mark)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # Whatever a request may hold, it must not stop the others of its batch.
            fault = _fault("The request could not be understood.", "body", "invalid_request_error")
            status, answer = 400, {"error": fault}
        return self._done(custom_id, body, status, answer, rule, mark)

    def _rule(self, custom_id: str, line: bytes) -> RowRule | None:
        for number, rule in enumerate(self.scenario.rows):
            if not rule.matches(custom_id, line):
                continue
            if rule.times is None or self.tries.count_try(f"{self.scenario_id}/{number}", custom_id) < rule.times:
                return rule
        return None

    def _answer(self, body: Body, responses: bool, rule: RowRule | None, mark: str) -> tuple[int, Body]:
        """Return the status and the body of a row's answer."""
        ask = request_rows.read(body, responses)
        outcome = "answered" if rule is None else rule.outcome
        if rule is not None and outcome == "error":
            return rule.status, _error_body(rule)
        if outcome == "prompt_filtered":
            return 400, answers.prompt_filtered()
        fault = self._fault(ask, body, responses)
        if fault is not None:
            return 400, {"error": fault}
        if rule is None and self.model is not None:
            return self.model.ask(body, responses)
        said = _said(ask, body, outcome, rule.content if rule is not None else None)
        if responses:
            return 200, answers.response(ask, said, body, mark, float(self.created))
        return 200, answers.chat_completion(ask, said, self._model_name(ask), mark, self.created)

    def _model_name(self, ask: Ask) -> str:
        known = (self.scenario.deployments or {}).get(ask.deployment)
        return known.model if known is not None and known.model else answers.model_of(ask.deployment)

    def _fault(self, ask: Ask, body: Body, responses: bool) -> Body | None:
        """Return the error of a request that the model service refuses, or None."""
        where = "text.format.schema" if responses else "response_format"
        if not responses and isinstance(body.get("response_format"), dict) and "type" not in body["response_format"]:
            text = "Missing required parameter: 'response_format.type'."
            return _fault(text, "response_format.type", "missing_required_parameter")
        if not ask.prompt and not request_rows.has_messages(body, responses):
            name = "input" if responses else "messages"
            return _fault(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
        if ask.format != "json_schema":
            return None
        if self.api_version is not None and self.api_version < SCHEMAS_SINCE:
            text = f"response_format value as json_schema is enabled only for api versions {SCHEMAS_SINCE} and later"
            return _fault(text, where, "BadRequest")
        if ask.schema is None:
            return _fault(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        if not ask.strict:
            return None
        text_or_none = schema_rules.fault(ask.schema_name, orjson.dumps(ask.schema), self.scenario.schemas)
        return (
            None if text_or_none is None else _fault(text_or_none, where, "invalid_json_schema" if responses else None)
        )

    def _done(self, custom_id: str, request: Body, status: int, body: Body, rule: RowRule | None, mark: str) -> Done:
        wrapped = {"body": body, "request_id": answers.uuid_of(mark), "status_code": status}
        text = orjson.dumps({"custom_id": custom_id, "response": wrapped, "error": None}) + b"\n"
        if status >= 400:
            to_output = rule is not None and rule.file == "output"
            return Done(text if to_output else b"", b"" if to_output else text, True, None)
        copies = {"missing": 0, "twice": 2}.get(rule.outcome if rule is not None else "", 1)
        return Done(text * copies, b"", False, _billed(custom_id, request, body))

    def _never_run(self, custom_id: str, code: str, message: str, rule: RowRule) -> Done:
        text = never_run_line(custom_id, code, message)
        to_output = rule.file == "output"
        return Done(text if to_output else b"", b"" if to_output else text, True, None)

    def _replayed(self, custom_id: str, request: Body, kept: bytes) -> Done:
        response = orjson.loads(kept).get("response") or {}
        body, status = response.get("body") or {}, response.get("status_code", 0)
        if status == 200:
            return Done(kept + b"\n", b"", False, _billed(custom_id, request, body))
        return Done(b"", kept + b"\n", True, None)


def never_run_line(custom_id: str, code: str, message: str) -> bytes:
    """Return the error line of a row that was never executed."""
    return orjson.dumps({"custom_id": custom_id, "response": None, "error": {"code": code, "message": message}}) + b"\n"


def _billed(custom_id: str, request: Body, answer: Body) -> Billed:
    usage = answer.get("usage") or {}
    return Billed(
        custom_id,
        answers.mark_of(custom_id, str(request)),
        int(usage.get("prompt_tokens", usage.get("input_tokens", 0))),
        int(usage.get("completion_tokens", usage.get("output_tokens", 0))),
    )


def _said(ask: Ask, body: Body, outcome: str, given: str | None) -> Answer:
    """Return what the model says, for an outcome in which it says something."""
    if outcome == "refusal":
        return Answer(None, refusal=answers.REFUSAL)
    text = given if given is not None else _content(ask, body)
    if outcome == "answer_filtered":
        return Answer(text[: len(text) // 3], "content_filter")
    if outcome == "cut":
        return Answer(text[: max(1, len(text) * 2 // 3)], "length")
    if outcome == "broken_json":
        return Answer(text[: max(1, len(text) - 2)])
    if outcome == "wrong_schema":
        return Answer(_misshapen(text))
    if ask.limit is not None and Answer(text).tokens > ask.limit:
        return Answer(text[: ask.limit * request_rows.CHARS_PER_TOKEN], "length")
    return Answer(text)


def _content(ask: Ask, body: Body) -> str:
    seed = orjson.dumps(body)
    if ask.schema is not None:
        return orjson.dumps(instances.instance(ask.schema, seed, ask.prompt)).decode()
    sentence = plausible.sentence(seed, ask.prompt)
    return orjson.dumps({"answer": sentence}).decode() if ask.format == "json_object" else sentence


def _misshapen(text: str) -> str:
    """Return valid JSON that no longer fits the schema: the first field is gone and another one has come."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    fields = dict(list(value.items())[1:]) if isinstance(value, dict) else {}
    return orjson.dumps({**fields, "unexpected": True}).decode()


def _fault(message: str, param: str, code: str | None) -> Body:
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def _error_body(rule: RowRule) -> Body:
    texts = {429: "Rate limit reached. Please retry later.", 408: "The request timed out."}
    usual = texts.get(rule.status, "The server had an error while processing your request. Sorry about that!")
    return {
        "error": {"code": rule.code or str(rule.status), "message": rule.message or usual, "param": None, "type": None}
    }
