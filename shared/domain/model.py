"""The app's records and states: frozen values that pass between the modules.

What exists once a row is a named tuple, which takes a third of the time of a frozen dataclass to make.
Times are aware datetimes in UTC. An empty string stands for «none» in ids, as table storage keeps no nulls.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

CHAT_URLS: Final = frozenset({"/chat/completions", "/v1/chat/completions"})
RESPONSES_URL: Final = "/v1/responses"
URLS: Final = (*sorted(CHAT_URLS), RESPONSES_URL)

JOB_ID: Final = r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(-r[0-9]{1,9})?"
"""What every job id looks like, retries included."""

CURSOR: Final = r"[0-9]{15}-[A-Za-z0-9_\-]{1,100}"
"""What every place in the list of jobs looks like (`newest_first`)."""


class JobState(StrEnum):
    """Where a job stands."""

    PREPARING = "preparing"
    HELD = "held"
    WAITING = "waiting"
    RUNNING = "running"
    COLLECTING = "collecting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


class JobCode(StrEnum):
    """Why a job failed."""

    UNSUPPORTED_FORMAT = "unsupported_format"
    NOT_UTF8 = "not_utf8"
    EMPTY_FILE = "empty_file"
    INVALID_FILE = "invalid_file"
    MISSING_COLUMN = "missing_column"
    MISSING_SCHEMA = "missing_schema"
    INVALID_JOB_SETTINGS = "invalid_job_settings"
    INVALID_ROW = "invalid_row"
    NO_VALID_ROWS = "no_valid_rows"
    SOURCE_CHANGED = "source_changed"
    BATCH_FAILED = "batch_failed"
    GAVE_UP = "gave_up"
    POISONED = "poisoned"


class RowCode(StrEnum):
    """Why a row has no result."""

    # Found before anything was sent.
    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    MISSING_PROMPT = "missing_prompt"
    MISSING_VALUE = "missing_value"
    MISSING_MODEL = "missing_model"
    DUPLICATE_CUSTOM_ID = "duplicate_custom_id"
    INVALID_SCHEMA = "invalid_schema"
    ROW_TOO_LARGE = "row_too_large"
    NOT_SENT = "not_sent"
    # The service's answer, or its absence.
    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    TRUNCATED = "truncated"
    INVALID_OUTPUT = "invalid_output"
    REQUEST_FAILED = "request_failed"
    RATE_LIMITED = "rate_limited"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"
    BATCH_FAILED = "batch_failed"
    GAVE_UP = "gave_up"


class BatchState(StrEnum):
    """How far we are with a batch; the service's own word for it is its status."""

    PREPARED = "prepared"
    UPLOADED = "uploaded"
    SUBMITTED = "submitted"
    ENDED = "ended"
    COLLECTED = "collected"


TERMINAL_STATUSES: Final = frozenset({"completed", "failed", "expired", "cancelled"})
"""The service's statuses after which a batch changes no more; adapters spell `canceled` as `cancelled`."""

KNOWN_STATUSES: Final = TERMINAL_STATUSES | {"validating", "in_progress", "finalizing", "cancelling"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one row cannot be sent, or has no result."""

    code: RowCode
    message: str


class Record(NamedTuple):
    """One row of a prompt file as it was read, counted from 1.

    `values` maps the header or key to the cell or JSON value; where the row could not be parsed it is empty,
    `text` holds the raw text and `fault` says why. In a ready-made request an object `input` holds the user's own
    columns. `custom_id` is what a line of an errors.jsonl bore that is dropped again: for a row that names none itself.
    `typed` holds the values with the types that the file gave them, where `values` shows them as texts; `gaps` says for
    a column why its value is missing although a person sees one.
    """

    row: int
    values: Mapping[str, object]
    text: str | None = None
    fault: Fault | None = None
    custom_id: str = ""
    typed: Mapping[str, object] | None = None
    gaps: Mapping[str, str] | None = None

    @property
    def is_dropped_again(self) -> bool:
        """Whether this is a line of an errors.jsonl."""
        return self.custom_id != ""

    @property
    def is_request(self) -> bool:
        """Whether this is a ready-made batch request, not a record of columns (only JSON holds objects)."""
        return isinstance(self.values.get("body"), dict) and "url" in self.values


class RowBlock(NamedTuple):
    """Consecutive rows of a prompt file that have the same keys; `row` is the first's number.

    `keys` are a table's headers or the keys of JSON records. `rows` are as long as these, their cells in the same
    order: texts in tables, texts, numbers, true, false and null in JSON. `typed` are the same cells with the types that
    the file gave them, where `rows` shows them as texts. A row that a block cannot hold (with lists or objects, with a
    fault) is a block of one: `odd` is the row itself.
    """

    row: int
    keys: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    typed: Sequence[Sequence[object]] | None = None
    odd: Record | None = None

    def records(self) -> Iterator[Record]:
        """Return the same rows, one by one."""
        return (self.record(place) for place in range(len(self.rows)))

    def record(self, place: int) -> Record:
        """Return the row at a place, counted from 0."""
        if self.odd is not None:
            return self.odd
        typed = None if self.typed is None else dict(zip(self.keys, self.typed[place], strict=True))
        return Record(self.row + place, dict(zip(self.keys, self.rows[place], strict=True)), typed=typed)


class RequestBlock(NamedTuple):
    """Requests of one model and url, in the order of their rows: `text` holds their lines with line ends.

    `schemas` are the numbers of their answers' schemas in the job's list, -1 without one; `input_tokens` is an estimate
    of all of them. The request of an odd row is a block of one.
    """

    rows: Sequence[int]
    ids: Sequence[str]
    model: str
    url: str
    text: bytes
    schemas: Sequence[int]
    input_tokens: int


class SentRow(NamedTuple):
    """What collecting must know of one line of a batch: the file's row, its custom_id and its schema's number."""

    row: int
    custom_id: str
    schema: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that were paid; the cached ones are among the input tokens, as far as the service tells them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
        )


class Outcome(NamedTuple):
    """What became of one row in one batch, or before any: a result (`code` is None) or a named error.

    `output` is the parsed answer where it is a result; `text` the raw answer that was paid but is none.
    `schema` is the number of the answer's schema in the job's list, -1 without one.
    """

    row: int
    custom_id: str
    code: RowCode | None = None
    message: str = ""
    output: object = None
    text: str | None = None
    finish_reason: str = ""
    model: str = ""
    usage: Usage | None = None
    attempts: int = 0
    schema: int = -1
    status: int = 0
    """The HTTP status of the row's own request, 0 where there was none."""


class FailedRow(NamedTuple):
    """One input row that has no result, with all that errors.jsonl says of it.

    `input` holds the user's own columns. The row also carries its `request` (custom_id, method, url, body), or where
    it never became one, its `source`: the record as an object, or the raw text. `schema` is the one that its answer is
    checked with, where that asks for more than the request shows.
    """

    custom_id: str
    input: Mapping[str, object]
    outcome: Outcome
    request: Mapping[str, object] | None = None
    source: Mapping[str, object] | str | None = None
    schema: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's claim to a step, over when `until` has passed without renewal."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A refusal that may pass: when to try again, how often it was tried, and what the operator should know."""

    until: datetime
    tries: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One prompt file's way through the app. `version` is the store's ETag, empty before the first write."""

    job_id: str
    prompt_file: str
    source_etag: str
    state: JobState
    created_at: datetime
    updated_at: datetime
    progress_at: datetime
    retry_of: str = ""
    previous: str = ""
    """The job whose failed rows this one tries again, the newest before it; empty for a first job."""
    code: JobCode | None = None
    message: str = ""
    completed_at: datetime | None = None
    rows_total: int | None = None
    rows_kept: int = 0
    """Rows whose results were taken over from the previous job."""
    unsent: Mapping[str, int] = field(default_factory=dict)
    """Rows that were never sent, by row code."""
    rows_succeeded: int = 0
    """Rows with a result; counted when the job ends."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Rows without a result, by row code; counted when the job ends."""
    shards: int = 0
    """How many first batches the file was cut into; 0 before that is known."""
    input_tokens: int = 0
    """An estimate of what will be sent."""
    settings: tuple[str, ...] = ()
    """The blobs that the job's own settings came from, the nearest first."""
    built: bool = False
    held_by: str = ""
    """What the job is held by, one of the contract's words; version 1.0.0, which knew one reason only, left it out."""
    released: bool = False
    cancelled: bool = False
    gave_up_at: datetime | None = None
    wait: Wait | None = None
    queued_until: datetime | None = None
    """Until when a message for the job's next step is trusted to arrive."""
    lease: Lease | None = None
    warnings: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch at the service, or on its way there: shard `index` of the job, tried for the `attempt`-th time."""

    job_id: str
    index: int
    attempt: int
    state: BatchState
    model: str
    url: str
    requests: int
    input_tokens: int = 0
    size: int = 0
    """Bytes of the input file."""
    file_id: str = ""
    """The uploaded input file; with storage transfer the address of the input blob."""
    target: str = ""
    """The resource's host and the deployment that the batch goes to, `host/deployment`; empty until its upload."""
    uploaded_at: datetime | None = None
    file_expires_at: datetime | None = None
    creating_since: datetime | None = None
    """When a creating call was begun whose answer is not recorded: look for its batch before creating again."""
    batch_id: str = ""
    status: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)
    """The service's request counts: total, completed, failed."""
    created_at: datetime | None = None
    output_file_id: str = ""
    error_file_id: str = ""
    failure: RowCode | None = None
    """What rows without an answer get, where the batch ended in a way that says so."""
    message: str = ""
    wait: Wait | None = None
    queued_until: datetime | None = None
    """Until when a message for the batch's next step is trusted to arrive."""
    lease: Lease | None = None
    changed_at: datetime | None = None
    """When the service last showed progress: the batch's creation, another status or count."""
    cancel_sent: bool = False
    refusals: int = 0
    """Validations in a row that it failed for a reason which may pass."""
    reads: int = 0
    """How often the output was fetched and found short."""
    succeeded: int = 0
    followed: int = 0
    """Rows that went on into a follow-up batch."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Rows that ended here without a result, by row code."""
    usage: Usage = Usage()
    cost_usd: float = 0.0
    unpriced_rows: int = 0
    version: str = ""

    @property
    def key(self) -> str:
        """Its name within the job: `00000-1`."""
        return f"{self.index:05d}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class OpenJob:
    """An entry of the open index: enough to start the job again if nothing else was written.

    `retry_of` and `previous` are the job's: a retry that crashed before its job was written starts as one.
    """

    job_id: str
    prompt_file: str
    source_etag: str
    created_at: datetime
    retry_of: str = ""
    previous: str = ""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What a container knows of a blob; the etag without quotes."""

    name: str
    etag: str
    size: int
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class BlobEvent:
    """What an event says of a blob: its container, its name, and the etag of its version, without quotes."""

    container: str
    name: str
    etag: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at the batch service; `status` is pending, running, processed, error or deleted.

    Others say no more than `uploaded`, or nothing: then only the creation of a batch shows whether it is ready.
    """

    file_id: str
    status: str
    size: int
    expires_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBatch:
    """A batch as the service describes it, oddities ironed out.

    `status` is lower case, `cancelled` in one spelling. `errors` are (code, message, line) of a failed validation.
    """

    batch_id: str
    status: str
    input_file_id: str
    created_at: datetime | None
    output_file_id: str = ""
    error_file_id: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)
    errors: tuple[tuple[str, str, str], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    input_blob: str = ""
    output_blob: str = ""
    error_blob: str = ""


def block_of_one(record: Record) -> RowBlock:
    """Return a row as a block of its own."""
    return RowBlock(record.row, tuple(record.values), [tuple(record.values.values())], odd=record)


def job_id_of(container: str, name: str, etag: str, last_modified: datetime) -> str:
    """Name the job of one version of a prompt file: its last-modified time and 8 hex digits of a hash."""
    digest = hashlib.sha256(f"{container}/{name}\n{etag}".encode()).hexdigest()[:8]
    return f"{last_modified.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}"


def newest_first(job: Job | OpenJob) -> str:
    """The place of a job in a list by age: sorted as text, the newest comes first."""
    countdown = 10**15 - int(job.created_at.timestamp() * 1000)
    return f"{countdown:015d}-{job.job_id}"
