"""The scenario form: what shall go wrong, or otherwise than usual, for which file, batch, row or call.

Every list is read from the top; the first rule that matches is used. Names are matched with shell patterns (`*`, `?`).
`skip` lets the first matches pass, `times` ends the rule after that many uses.
"""

import hashlib
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from local.batch_service import openai_platform

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Form(BaseModel):
    """A part of the scenario: unknown keys are refused, so that a misspelt rule can't be silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Form):
    """What all rules share."""

    skip: Count = 0
    times: Annotated[int, Field(ge=1)] | None = None


class Deployment(Form):
    """A model deployment of the resource."""

    sku: Literal["GlobalBatch", "DataZoneBatch", "Standard", "GlobalStandard", "ProvisionedManaged"] = "GlobalBatch"
    model: str | None = None
    """The model's name and version in answers; by default found from the deployment's name."""
    retired: bool = False
    """Whether the model has been retired: each row is answered with 410."""


class Quota(Form):
    """A deployment's limit of enqueued tokens, and when the service says that it is passed."""

    tokens: Count
    mode: Literal["immediate", "late"] = "late"


class Limits(Form):
    """The resource's limits; the defaults are those that Microsoft documents or users met."""

    upload_bytes: Count = 200 * 1024 * 1024
    blob_bytes: Count = 1024**3
    files: Count = 500
    files_with_expiry: Count = 10_000
    rows: Count = 100_000
    expiry_seconds: tuple[int, int] = (259_200, 2_592_000)
    reported_errors: Annotated[int, Field(ge=1)] = 100


class FileRule(Rule):
    """What happens to an uploaded file."""

    filename: str = "*"
    ends: Literal["processed", "error", "pending"] = "processed"
    status_details: str | None = None
    processing: Seconds | None = None
    running: bool = False
    """Whether it is `running` in the second half of its processing."""


class LineFault(Form):
    """One entry of a failed batch's `errors`."""

    code: str
    message: str
    line: int | str | None = None
    param: str | None = None


LOOKS: dict[str, dict[str, Any]] = {
    "october_2025": {
        "endpoint": "empty_at_first",
        "missing_ids": "empty_at_first",
        "expires_in": 86_397,
        "error_file": "when_failed",
        "in_progress_at": "null",
    }
}
"""How whole objects looked in real resources."""


class BatchRule(Rule):
    """What happens to a batch, and how its object looks."""

    deployment: str = "*"
    filename: str = "*"
    metadata: dict[str, str] = {}
    validating: Seconds | None = None
    running: Seconds | None = None
    finalizing: Seconds | None = None
    cancelling: Seconds | None = None
    fail: list[LineFault] | None = None
    expire: Share | None = None
    unrun_rows: Literal["absent", "error_lines"] = "absent"
    row_order: Literal["shuffled", "input"] = "shuffled"
    all_failed_output: Literal["null", "empty_id", "empty_file"] = "null"
    error_file: Literal["always", "when_failed"] = "always"
    listed_after: Seconds = 0
    endpoint: Literal["as_sent", "null", "short", "empty_at_first"] = "as_sent"
    missing_ids: Literal["null", "empty", "empty_at_first"] = "null"
    counts: Literal["numbers", "zero", "null"] = "numbers"
    in_progress_at: Literal["set", "null"] = "set"
    expires_at: Literal["set", "null"] = "set"
    expires_in: Annotated[int, Field(ge=1)] = 86_400
    times_as: Literal["seconds", "iso"] = "seconds"
    status_as: Literal["lower", "capitalized", "american"] = "lower"
    failed_as: Literal["failed", "completed_times"] = "failed"
    error_lines_as: Literal["integer", "string", "null"] = "integer"

    @model_validator(mode="before")
    @classmethod
    def _looks(cls, given: Any) -> Any:
        """Read `look`, the name of how real objects were once seen; what the rule says itself counts."""
        if not isinstance(given, dict) or "look" not in given:
            return given
        if given["look"] not in LOOKS:
            raise ValueError(f"look: there is only {', '.join(LOOKS)}")
        return {**LOOKS[given["look"]], **{key: value for key, value in given.items() if key != "look"}}


RowOutcome = Literal[
    "answered",
    "refusal",
    "prompt_filtered",
    "answer_filtered",
    "cut",
    "out_of_tokens",
    "commentary",
    "broken_json",
    "wrong_schema",
    "error",
    "not_run",
    "missing",
    "twice",
]


class RowRule(Form):
    """What happens to the rows of a batch that match. `times` counts for each row by itself, over all batches."""

    custom_id: str = "*"
    contains: str = ""
    share: Share = 1.0
    times: Annotated[int, Field(ge=1)] | None = None
    outcome: RowOutcome = "answered"
    status: Annotated[int, Field(ge=400, le=599)] = 500
    code: str | None = None
    message: str | None = None
    file: Literal["error", "output"] = "error"
    content: str | None = None
    """With `answered`: this text in place of a generated answer."""

    def matches(self, custom_id: str, line: bytes) -> bool:
        """Tell whether the rule is for this row; a share picks the same rows each time."""
        return (
            fnmatchcase(custom_id, self.custom_id)
            and (not self.contains or self.contains.encode() in line)
            and (self.share >= 1 or _point(custom_id) < self.share)
        )


class CallAnswer(Form):
    """A refusal in place of the service's own answer."""

    status: Annotated[int, Field(ge=400, le=599)]
    code: str | None = None
    message: str | None = None
    retry_after: Seconds | None = None
    retry_after_ms: Count | None = None


class CallRule(Rule):
    """What happens to a call of the API. The path is the one behind `/openai`, `/openai/v1` or `/v1`."""

    method: str = "*"
    path: str = "*"
    answer: CallAnswer | None = None
    delay: Seconds = 0
    drop: Literal["before", "after"] | None = None
    cut: Count | None = None
    """End the answer's body after that many bytes."""
    cut_as: Literal["broken", "short"] = "broken"
    """`broken`: the connection breaks; `short`: the answer looks whole."""


USUAL_KEY = "local"
"""What most local model servers take, as they take anything."""


class Forwarding(Form):
    """An OpenAI-compatible endpoint that answers the rows."""

    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$")]
    model: str | None = None
    """The model named to that endpoint; by default the row's own."""
    key: Annotated[str, Field(min_length=1)] = Field(default=USUAL_KEY, exclude=True, repr=False)
    """Shown nowhere and kept nowhere: after a restart, it is that of the start, if the address is the same."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    timeout: Annotated[float, Field(gt=0)] = 120


class Scenario(Form):
    """A whole scenario, as in a file given at the start or posted to `/_local/scenario`."""

    platform: Literal["azure", "openai"] = "azure"
    """Whose ways the service has."""
    deployments: dict[str, Deployment] | None = None
    keys: list[str] | None = None
    quota: dict[str, Quota] = {}
    limits: Limits = Limits()
    schemas: Literal["azure", "openai"] = "azure"
    blank_last_line: Literal["ignored", "fault"] = "ignored"
    recorded: str | None = None
    answers: Forwarding | None = None
    files: list[FileRule] = []
    batches: list[BatchRule] = []
    rows: list[RowRule] = []
    calls: list[CallRule] = []

    @model_validator(mode="before")
    @classmethod
    def _limits_of_platform(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("platform") != "openai":
            return given
        limits = given.get("limits", {})
        return {**given, "limits": {**openai_platform.LIMITS, **limits} if isinstance(limits, dict) else limits}

    @model_validator(mode="after")
    def _rules_do_something(self) -> "Scenario":
        for number, rule in enumerate(self.calls):
            if rule.answer is None and not rule.delay and rule.drop is None and rule.cut is None:
                raise ValueError(f"calls[{number}] has no effect: give answer, delay, drop or cut")
        return self


class Turns:
    """Counts how often each rule with `skip` and `times` has been met since the scenario came into force."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, int], int] = {}

    def take[R: Rule](self, kind: str, rules: list[R], matches: "Any") -> R | None:
        """Return the first rule for which `matches(rule)` holds and whose turn it is, and count it as used."""
        for number, rule in enumerate(rules):
            if not matches(rule):
                continue
            met = self._met[kind, number] = self._met.get((kind, number), 0) + 1
            if met > rule.skip and (rule.times is None or met <= rule.skip + rule.times):
                return rule
        return None


def _point(custom_id: str) -> float:
    return int.from_bytes(hashlib.blake2b(custom_id.encode(), digest_size=4).digest()) / 2**32
