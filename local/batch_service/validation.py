"""The check of a whole input file, line by line, with the service's codes. It also finds where each line starts."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.batch_service import json_text, openai_platform, request_rows
from local.batch_service.request_rows import CHAT_URLS, RESPONSES_URLS
from local.batch_service.scenario import Deployment, LineFault, Scenario

BOM = b"\xef\xbb\xbf"
BATCH_SKUS = frozenset({"GlobalBatch", "DataZoneBatch"})
NO_MODEL = (
    "Validation failed: A valid model deployment name couldn't be extracted from the input file. Please ensure "
    "that each row in the input file has a valid deployment name specified in the 'model' field, and that the "
    "deployment name is consistent across all rows."
)
BATCH_ENDPOINTS = CHAT_URLS | RESPONSES_URLS


def endpoints(platform: str) -> frozenset[str]:
    """Return the urls that batches may have; at OpenAI only those that begin with /v1/."""
    if platform == "azure":
        return BATCH_ENDPOINTS
    return frozenset(url for url in BATCH_ENDPOINTS if url.startswith("/v1/"))


EMPTY = "The input file is empty. Please ensure that the batch contains at least one request."


@dataclass(frozen=True)
class Check:
    """What was found: the number of rows, their estimated input tokens, the deployment, and every fault."""

    rows: int
    tokens: int
    deployment: str | None
    faults: tuple[LineFault, ...]


def check_file(path: Path, endpoint: str, scenario: Scenario, offsets: Path) -> Check:
    """Check a file of requests and write the offset of every line to `offsets` (8 bytes each, native order)."""
    checker = _Checker(endpoint, scenario)
    starts = array("Q")
    with path.open("rb") as lines:
        position = 0
        for number, line in enumerate(lines, 1):
            starts.append(position)
            position += len(line)
            checker.line(number, line)
            if checker.full:
                break
    with offsets.open("wb") as out:
        starts[: len(starts) - len(checker.blank)].tofile(out)
    return checker.result()


class _Checker:
    def __init__(self, endpoint: str, scenario: Scenario) -> None:
        self.endpoint, self.scenario = endpoint, scenario
        self.rows = self.tokens = 0
        self.ids: set[str] = set()
        self.deployment: str | None = None
        self.url: str | None = None
        self.faults: list[LineFault] = []
        self.blank: list[int] = []

    @property
    def full(self) -> bool:
        return self.rows > self.scenario.limits.rows

    def line(self, number: int, line: bytes) -> None:
        """Check one line. A blank one counts only once another follows, if a blank last line is not a fault."""
        if not line.strip() and self.scenario.blank_last_line == "ignored":
            self.blank.append(number)
            return
        for missed in self.blank:
            self._check(missed, b"")
        self.blank.clear()
        self._check(number, line)

    def _check(self, number: int, line: bytes) -> None:
        self.rows += 1
        if number == 1 and line.startswith(BOM):
            self.faults.append(LineFault(code="invalid_request", message=NO_MODEL))
            line = line.removeprefix(BOM)
        codes = openai_platform.CODES if self.scenario.platform == "openai" else {}
        for fault in self._faults_of(line):
            if len(self.faults) < self.scenario.limits.reported_errors:
                self.faults.append(
                    LineFault(code=codes.get(fault[0], fault[0]), message=fault[1], line=number, param=fault[2])
                )

    def result(self) -> Check:
        if self.rows == 0:
            self.faults = [LineFault(code="empty_file", message=EMPTY)]
        elif self.full:
            most = self.scenario.limits.rows
            text = f"The input file has more requests than the {most} that one batch may have."
            self.faults = [LineFault(code="too_many_tasks", message=text)]
        elif self.deployment is not None:
            self.faults += self._deployment_faults(self.deployment)
        return Check(self.rows, self.tokens, self.deployment, tuple(self.faults))

    def _faults_of(self, line: bytes) -> Iterator[tuple[str, str, str | None]]:
        try:
            row = json_text.read(line)
        except ValueError:
            yield "invalid_json_line", "This line is not parseable as valid JSON.", None
            return
        shape = _shape_fault(row)
        if shape is not None:
            yield "invalid_request", *shape
            return
        yield from self._id_fault(row["custom_id"])
        yield from self._url_fault(row["url"])
        yield from self._body_faults(row["body"])
        if not self.faults:
            self.tokens += _tokens(row)

    def _id_fault(self, custom_id: str) -> Iterator[tuple[str, str, str]]:
        if custom_id in self.ids:
            text = f"The custom_id '{custom_id}' is used by more than one request of this file."
            yield "duplicate_custom_id", text, "custom_id"
        self.ids.add(custom_id)

    def _url_fault(self, url: str) -> Iterator[tuple[str, str, str]]:
        if self.url is None:
            self.url = url
        if url != self.url:
            yield "url_mismatch", f"The url '{url}' differs from '{self.url}' of the requests before.", "url"
        elif url not in endpoints(self.scenario.platform):
            yield "invalid_request", f"The url '{url}' is not supported for batches.", "url"
        elif self.endpoint in RESPONSES_URLS and url not in RESPONSES_URLS:
            yield "url_mismatch", f"The url '{url}' does not match the batch's endpoint '{self.endpoint}'.", "url"

    def _body_faults(self, body: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
        model = body.get("model")
        if not isinstance(model, str) or not model:
            yield "invalid_request", NO_MODEL, "body.model"
        elif self.deployment is None:
            self.deployment = model
        elif model != self.deployment:
            yield (
                "model_mismatch",
                f"The model '{model}' differs from '{self.deployment}' of the requests before.",
                "body.model",
            )
        if body.get("stream"):
            yield "invalid_request", "Streaming is not supported in a batch.", "body.stream"

    def _deployment_faults(self, name: str) -> list[LineFault]:
        known = self.scenario.deployments
        deployment = Deployment() if known is None else known.get(name)
        if deployment is None:
            text = f"The model '{name}' is not a deployment of this resource."
            return [LineFault(code="model_not_found", message=text, param="body.model")]
        if deployment.sku not in BATCH_SKUS:
            text = f"The deployment '{name}' has the SKU '{deployment.sku}'. Batches need GlobalBatch or DataZoneBatch."
            return [LineFault(code="invalid_request", message=text, param="body.model")]
        return []


def _tokens(row: dict[str, Any]) -> int:
    try:
        return request_rows.read(row["body"], row["url"] in RESPONSES_URLS).input_tokens
    except (AttributeError, RecursionError, TypeError, ValueError):  # a body that the row will be refused for
        return 0


def _shape_fault(row: Any) -> tuple[str, str | None] | None:
    if not isinstance(row, dict):
        return "Each line must be a JSON object.", None
    for key in ("custom_id", "method", "url", "body"):
        if key not in row:
            return f"Missing required parameter: '{key}'.", key
    if not isinstance(row["custom_id"], str) or not row["custom_id"]:
        return "The custom_id must be a string that is not empty.", "custom_id"
    if row["method"] != "POST":
        return "The method must be 'POST'.", "method"
    if not isinstance(row["url"], str):
        return "The url must be a string.", "url"
    return None if isinstance(row["body"], dict) else ("The body must be a JSON object.", "body")
