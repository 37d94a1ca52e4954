"""The rows of a running batch: what each is answered, and the lines that this leaves in the output and error files."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

from local.batch_service import answers, content_filter, images, json_text, model_output, request_faults, request_rows
from local.batch_service.answers import Answer
from local.batch_service.chat_body import chat_completion
from local.batch_service.errors import default_error
from local.batch_service.models import Model, model_of
from local.batch_service.request_rows import RESPONSES_URLS, Ask
from local.batch_service.responses_body import response
from local.batch_service.scenario import Deployment, RowRule, Scenario

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


class Elsewhere(Protocol):
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
    elsewhere: Elsewhere | None = None

    def run(self, line: bytes) -> Done:
        """Answer one request line."""
        row = json_text.read(line)
        custom_id, body = row["custom_id"], row["body"]
        content = _content_of(body, line)
        responses = row["url"] in RESPONSES_URLS
        mark = answers.mark_of(self.batch_id, custom_id)
        rule = self._rule(custom_id, line)
        if rule is not None and rule.outcome == "not_run":
            code = rule.code or "request_timeout"
            text = rule.message or "This request could not be executed in time."
            return self._never_run(custom_id, code, text, rule)
        if rule is None and self.recorded is not None and (kept := self.recorded.line(custom_id)) is not None:
            return self._replayed(custom_id, content, kept)
        try:
            status, answer = self._answer(body, content, responses, rule, mark, custom_id)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # Whatever a request may hold, it must not stop the others of its batch.
            status, answer = 400, {"error": request_faults.NOT_UNDERSTOOD}
        return self._done(custom_id, content, status, answer, rule, mark)

    def _rule(self, custom_id: str, line: bytes) -> RowRule | None:
        for number, rule in enumerate(self.scenario.rows):
            if not rule.matches(custom_id, line):
                continue
            if rule.times is None or self.tries.count_try(f"{self.scenario_id}/{number}", custom_id) < rule.times:
                return rule
        return None

    def _answer(
        self, body: Body, content: bytes, responses: bool, rule: RowRule | None, mark: str, custom_id: str
    ) -> tuple[int, Body]:
        """Return the status and the body of a row's answer."""
        ask = request_rows.read(body, responses)
        outcome = "answered" if rule is None else rule.outcome
        deployment = (self.scenario.deployments or {}).get(ask.deployment, Deployment())
        model = Model(deployment.model) if deployment.model else model_of(ask.deployment)
        if deployment.retired:
            return 410, default_error(410).body()
        if rule is not None and outcome == "error":
            return rule.status, _error_body(rule)
        if outcome == "prompt_filtered":
            return 400, content_filter.prompt_refused()
        if outcome == "out_of_tokens":
            return 400, {"error": request_faults.OUT_OF_TOKENS}
        fault = request_faults.first(ask, body, model, self.api_version, self.scenario.schemas)
        if fault is not None:
            return 400, {"error": fault}
        if rule is None and self.elsewhere is not None:
            return self.elsewhere.ask(body, responses)
        if images.addresses(body, responses):
            ask = replace(ask, prompt=f"{ask.prompt} {images.file_words(custom_id)}".strip())
        said = self._said(ask, body, content, model, outcome, rule.content if rule is not None else None)
        if responses:
            return 200, response(ask, said[0], body, mark, float(self.created))
        return 200, chat_completion(ask, said, model.name, mark, self.created)

    def _said(
        self, ask: Ask, body: Body, content: bytes, model: Model, outcome: str, given: str | None
    ) -> list[Answer]:
        """Return as many answers as asked for: each of another seed, the first of the content alone."""
        seeds = (content + str(number or "").encode() for number in range(ask.choices))
        return [model_output.said(ask, body, seed, model, outcome, given) for seed in seeds]

    def _done(self, custom_id: str, content: bytes, status: int, body: Body, rule: RowRule | None, mark: str) -> Done:
        wrapped = {"body": body, "request_id": answers.uuid_of(mark), "status_code": status}
        line = {"custom_id": custom_id, "response": wrapped, "error": None}
        if self.scenario.platform == "openai":
            line = {"id": f"batch_req_{mark}", **line}
        text = json_text.write(line) + b"\n"
        if status >= 400:
            to_output = rule is not None and rule.file == "output"
            return Done(text if to_output else b"", b"" if to_output else text, True, None)
        copies = {"missing": 0, "twice": 2}.get(rule.outcome if rule is not None else "", 1)
        return Done(text * copies, b"", False, _billed(custom_id, content, body))

    def _never_run(self, custom_id: str, code: str, message: str, rule: RowRule) -> Done:
        text = never_run_line(custom_id, code, message)
        to_output = rule.file == "output"
        return Done(text if to_output else b"", b"" if to_output else text, True, None)

    def _replayed(self, custom_id: str, content: bytes, kept: bytes) -> Done:
        wrapped = json_text.read(kept).get("response") or {}
        body, status = wrapped.get("body") or {}, wrapped.get("status_code", 0)
        if status == 200:
            return Done(kept + b"\n", b"", False, _billed(custom_id, content, body))
        return Done(b"", kept + b"\n", True, None)


def never_run_line(custom_id: str, code: str, message: str) -> bytes:
    """Return the error line of a row that was never executed."""
    return (
        json_text.write({"custom_id": custom_id, "response": None, "error": {"code": code, "message": message}}) + b"\n"
    )


def _billed(custom_id: str, content: bytes, answer: Body) -> Billed:
    usage = answer.get("usage") or {}
    return Billed(
        custom_id,
        answers.mark_of(custom_id, content),
        int(usage.get("prompt_tokens", usage.get("input_tokens", 0))),
        int(usage.get("completion_tokens", usage.get("output_tokens", 0))),
    )


def _content_of(body: Body, line: bytes) -> bytes:
    """Return what makes a request the same as another, whatever spaces its line was written with."""
    try:
        return json_text.write(body)
    except ValueError:  # nested too deeply to be written again
        return line


def _error_body(rule: RowRule) -> Body:
    texts = {429: "Rate limit reached. Please retry later.", 408: "The request timed out."}
    usual = texts.get(rule.status, "The server had an error while processing your request. Sorry about that!")
    return {
        "error": {"code": rule.code or str(rule.status), "message": rule.message or usual, "param": None, "type": None}
    }
