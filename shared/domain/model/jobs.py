"""Jobs and batches, as the table keeps them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.domain.estimate import Estimate
from shared.domain.ledger import OutputTokens
from shared.domain.model.rows import Usage
from shared.domain.model.states import BatchState, JobCode, JobState, RowCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The record of a claim: which worker does a step. It expires at `until` unless it is renewed."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A pause before the next try: until when, how many tries have failed, and what the operator should know."""

    until: datetime
    tries: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOfJob:
    """What a deployment must still answer after the pilot.

    `caps` are the rows' caps on output tokens, None for none, each with the number of sampled rows that have it.
    """

    requests: int
    input_tokens: int
    caps: tuple[tuple[float | None, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotPlan:
    """A job's pilot: the rest, by deployment, is held if a smaller share of its rows than `min_ok` succeeds.

    `holds`: the rest is held in any case. `judged`: the decision was made, and nothing waits for the pilot any more.
    `estimate` is for the pilot's own rows.
    """

    rows: int
    min_ok: float
    holds: bool
    rest: Mapping[str, RestOfJob]
    judged: bool = False
    estimate: Estimate | None = None


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
    rows_carried_over: int = 0
    """Rows that had a result before anything was sent: the previous job's, and reused ones."""
    rows_reused: int = 0
    """Rows of these whose answer is reused from an earlier job, not taken from a retried one."""
    unsent: Mapping[str, int] = field(default_factory=dict)
    """Rows that were never sent, by row code."""
    rows_succeeded: int = 0
    """Rows with a result; counted when the job ends."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Rows without a result, by row code; counted when the job ends."""
    first_batches: int = 0
    """How many batches the file was cut into; 0 before that is known. Follow-ups and halves are not counted."""
    input_tokens: int = 0
    """The estimated input tokens of what will be sent; jobs that version 1.0.0 built have no other estimate."""
    estimate: Estimate | None = None
    """The estimate for what is still to be sent; None before it is known."""
    pilot: PilotPlan | None = None
    cost_cap: float | None = None
    """The job's own `max_cost_usd`, in US dollars."""
    settings: tuple[str, ...] = ()
    """The blobs that the job's own settings came from, the nearest first."""
    built: bool = False
    held_by: str = ""
    """What the job is held by, a value of HeldBy; empty in rows of version 1.0.0, which had one reason only."""
    held_in: str = ""
    """The month, such as `2026-11`, whose budget had no room for the job."""
    released: bool = False
    caps_lifted: bool = False
    """Whether a release has lifted all caps; it outlasts the judging of the pilot, which resets `released`."""
    cancelled: bool = False
    gave_up_at: datetime | None = None
    wait: Wait | None = None
    queued_until: datetime | None = None
    """Until when a message for the job's next step is expected to arrive; after that the step is queued again."""
    lease: Lease | None = None
    warnings: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch at the service, or on its way there: number `index` of the job, in its `attempt`-th attempt."""

    job_id: str
    index: int
    attempt: int
    state: BatchState
    model: str
    url: str
    requests: int
    pilot: bool = False
    """Whether its rows are the job's pilot."""
    input_tokens: int = 0
    size: int = 0
    """Bytes of the input file."""
    file_id: str = ""
    """The uploaded input file; with storage transfer the address of the input blob."""
    target: str = ""
    """The resource's host and the deployment that the batch goes to, `host/deployment`; empty until its upload."""
    endpoint: str = ""
    """The target's endpoint; empty for the app's own resource."""
    turn: str = ""
    """The name of the target at which it is this batch's turn, as the poll decided."""
    uploaded_at: datetime | None = None
    file_expires_at: datetime | None = None
    creating_since: datetime | None = None
    """When a creating call began whose answer is not recorded: look for its batch before creating another."""
    batch_id: str = ""
    status: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)
    """The service's request counts: total, completed, failed."""
    created_at: datetime | None = None
    output_file_id: str = ""
    error_file_id: str = ""
    failure: RowCode | None = None
    """The code for all rows without an answer, if the batch as a whole failed."""
    message: str = ""
    wait: Wait | None = None
    queued_until: datetime | None = None
    """Until when a message for the batch's next step is expected to arrive; after that the step is queued again."""
    lease: Lease | None = None
    changed_at: datetime | None = None
    """When the service last showed progress: the batch's creation, a new status or new counts."""
    cancel_sent: bool = False
    refusals: int = 0
    """How many validations in a row the batch failed for a reason that may pass."""
    reads: int = 0
    """How often the output was fetched and found incomplete."""
    succeeded: int = 0
    followed: int = 0
    """Rows that went on into a follow-up batch."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Rows that ended here without a result, by row code."""
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    unpriced_rows: int = 0
    outputs: Mapping[str, OutputTokens] = field(default_factory=dict)
    """Output tokens of its answers, by the keys under which later estimates look them up."""
    collected_at: datetime | None = None
    version: str = ""

    @property
    def key(self) -> str:
        """Its name within the job: `00000-1`."""
        return f"{self.index:05d}-{self.attempt}"

    @property
    def full_name(self) -> str:
        """Its name among all batches."""
        return f"{self.job_id}/{self.key}"


@dataclass(frozen=True, slots=True)
class OpenJob:
    """An entry of the open index: enough to start the job again if nothing else was written.

    `retry_of` and `previous` are the job's own, so that a retry that crashed before its job was written stays a retry.
    """

    job_id: str
    prompt_file: str
    source_etag: str
    created_at: datetime
    retry_of: str = ""
    previous: str = ""


def job_id_of(container: str, name: str, etag: str, last_modified: datetime) -> str:
    """Return the id of the job for one version of a prompt file: its last-modified time and 8 hex digits of a hash."""
    digest = hashlib.sha256(f"{container}/{name}\n{etag}".encode()).hexdigest()[:8]
    return f"{last_modified.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}"


def newest_first(job: Job | OpenJob) -> str:
    """Return a job's position in a list by age: sorted as text, the newest comes first."""
    countdown = 10**15 - int(job.created_at.timestamp() * 1000)
    return f"{countdown:015d}-{job.job_id}"
