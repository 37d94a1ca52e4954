"""The ports between the app's logic and the outside world; adapters and the tests' fakes keep the same promises.

They raise only errors of shared.domain.errors: a Transient if waiting may help, else Conflict, NotFound or Refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from shared.domain.batch_service import BatchServices
from shared.domain.ledger import Ledger
from shared.domain.model import Batch, BlobEvent, BlobInfo, Job, OpenJob
from shared.settings import Settings


class Container(StrEnum):
    """The three containers by their role; their names are settings."""

    PROMPTS = "prompts"
    RESULTS = "results"
    WORK = "work"


class BlobWriter(Protocol):
    """A blob being written in blocks, invisible until `commit`."""

    def write(self, data: bytes) -> object:
        """Append bytes; a block is sent when it is full."""

    def commit(self) -> str:
        """Make the blob visible and return its etag. Raises Conflict if its condition does not hold."""


class Files(Protocol):
    """Blobs in the three containers, which are made on first use."""

    def info(self, container: Container, name: str) -> BlobInfo | None:
        """Return a blob's properties, None if it does not exist."""

    def read(self, container: Container, name: str, *, etag: str = "") -> Iterator[bytes]:
        """Return the blob's bytes in chunks. Raises NotFound, or Conflict if its version is no longer `etag`."""

    def load(self, container: Container, name: str) -> tuple[bytes, str] | None:
        """Return a small blob's content and etag in one call, None if it does not exist."""

    def read_range(self, container: Container, name: str, offset: int, length: int) -> bytes:
        """Return at most `length` bytes from `offset`."""

    def fetch(self, container: Container, name: str, most: int) -> Callable[[], bytes]:
        """Start reading a blob's first `most` bytes in the background; return a function that waits for them.

        That function raises NotFound if there is no such blob. Until it is called, about 8 MB of a larger blob are
        held in memory.
        """

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        """Write a small blob and return its etag. Raises Conflict if it exists (create_only) or is not `etag`."""

    def writer(self, container: Container, name: str, *, create_only: bool = False) -> BlobWriter:
        """Start writing a blob of any size."""

    def blobs(self, container: Container, *, prefix: str = "", after: str = "") -> Iterator[BlobInfo]:
        """Return the blobs in order of name, page by page; with `after`, only those behind that name."""

    def url(self, container: Container, name: str) -> str:
        """Return the blob's address, as the batch service is given it."""

    def link(self, container: Container, name: str, *, until: datetime, download_as: str) -> str:
        """Return an address from which anyone may download the blob until `until`, under the name `download_as`.

        Raises Misconfigured if the account's credential cannot sign such addresses.
        """

    def name_of(self, container: Container, url: str) -> str:
        """Return the name of the blob at an address. Raises NotFound if the address is not in this container."""


@dataclass(frozen=True, slots=True)
class DeploymentBackoff:
    """A target that refused: no creating call before `until`, after `tries` refusals in a row.

    `is_full`: its quota was used up; otherwise it was missing or out of service. `limit` is its quota of enqueued
    tokens, 0 if it never named one. `message` is what the last refusal said, at `refused_at`; both stay when the
    target has room again.
    """

    target: str
    until: datetime
    tries: int
    is_full: bool = True
    limit: int = 0
    message: str = ""
    refused_at: datetime | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """An open job as the list of jobs shows it: its last published status without batches, None before the first.

    `etag` and `digest` belong to the status.json published with it, and are empty if they are not known.
    `open_batches` counts its batches at the service, by target. `left_usd` is what it is estimated to cost besides what
    it has cost; None if version 1.1.0 has listed it.
    """

    entry: OpenJob
    status: Mapping[str, Any] | None
    version: str
    etag: str = ""
    digest: str = ""
    open_batches: Mapping[str, int] = field(default_factory=dict)
    left_usd: float | None = None


class JobStore(Protocol):
    """Jobs, batches and the open index. Every write of a job or a batch is conditional on the version read."""

    def open_entry(self, entry: OpenJob) -> str:
        """Write a job's entry in the open index and return its version; its listed status is left unchanged."""

    def listed(self, job_id: str) -> Listed | None:
        """Return an open job as the list of jobs shows it, None if it is not open."""

    def all_listed(self) -> Iterator[Listed]:
        """Return all open jobs as the list of jobs shows them, page by page."""

    def list_as(self, listed: Listed) -> Listed:
        """Save what the list shows of an open job. Raises Conflict if it changed since it was read, or has closed."""

    def insert_job(self, job: Job) -> Job:
        """Write a new job and return it with its version. Raises Conflict if it exists."""

    def job(self, job_id: str) -> Job | None:
        """Return one job, None if it is unknown."""

    def save_job(self, job: Job) -> Job:
        """Replace a job and return it with its new version. Raises Conflict if it changed since it was read."""

    def batches(self, job_id: str) -> list[Batch]:
        """Return the job's batches, ordered by index and attempt."""

    def job_with_batches(self, job_id: str) -> tuple[Job | None, list[Batch]]:
        """Return a job and its batches in one call; the job is never older than its batches."""

    def jobs_together(self, job_ids: Sequence[str]) -> Mapping[str, tuple[Job, list[Batch]]]:
        """Return jobs that began close together, with their batches, in few calls.

        Jobs missing from the result must be read one by one. `job_ids` are in ascending order. No job is older than
        its batches.
        """

    def batch(self, job_id: str, index: int, attempt: int) -> Batch | None:
        """Return one batch, None if it is unknown."""

    def add_batches(self, batches: Sequence[Batch]) -> None:
        """Write new batches of one job; those that exist already stay unchanged."""

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> tuple[Job, list[Batch]]:
        """Write a job's first batches, then replace the job; return all with their versions.

        Batches that exist already stay unchanged. Raises Conflict if the job changed since it was read.
        """

    def save_batch(self, batch: Batch) -> Batch:
        """Replace a batch and return it with its new version. Raises Conflict if it changed since it was read."""

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> tuple[Job, Batch, list[Batch]]:
        """Replace job and batch and write the batch's follow-ups, in one transaction; return all with new versions.

        Raises Conflict if the job or the batch changed since it was read.
        """

    def close(self, job: Job, status: Mapping[str, Any]) -> None:
        """Move an ended job from the open index to the history, with the status to list; repeating it is harmless."""

    def history(self, *, after: str, limit: int, state: str, prefix: str) -> list[tuple[Job, Mapping[str, Any] | None]]:
        """Return at most `limit` ended jobs, newest first, each with the status that it was closed with.

        They begin behind the position `after` (model.newest_first). `state` and the prompt file's `prefix` filter
        unless they are empty.
        """

    def deployment_backoff(self, target: str) -> DeploymentBackoff | None:
        """Return the backoff of the target with this name, None if it never refused."""

    def deployment_backoffs(self) -> list[DeploymentBackoff]:
        """Return the backoffs of all targets that ever refused, in one call."""

    def save_deployment_backoff(self, backoff: DeploymentBackoff) -> None:
        """Write a target's backoff; the last writer wins, as it only spaces calls out."""

    def installed_at(self, now: datetime) -> datetime:
        """Return when this was first called: the search for lost events ignores prompt files older than that."""

    def bookmarks(self) -> Mapping[str, str]:
        """Return all bookmarks by name in one call, among them `installed`: what `installed_at` returns."""

    def bookmark(self, name: str) -> str:
        """Return where work that continues from tick to tick stopped, empty at the start."""

    def save_bookmark(self, name: str, value: str) -> None:
        """Remember where such work stopped."""


class RenderingError(Exception):
    """A PDF that cannot be sent; the text says why."""


class PdfRenderer(Protocol):
    """Turns the pages of PDFs into images."""

    def render(self, data: bytes, *, dpi: int, page: int, most: int) -> list[bytes]:
        """Return the pages as PNG or JPEG files, or only the one of the number `page`, counted from 1.

        Raises RenderingError if the PDF is damaged or protected by a password, has more pages than `most` or none of
        that number, or takes too much time or memory. Raises Unavailable if there is no process to render it.
        """

    def close(self) -> None:
        """Release all resources; rendering another PDF acquires them again."""


class Step(StrEnum):
    """A step of a job, which may be repeated at will; long steps, and notices, travel as messages."""

    PREPARE = "prepare"
    SUBMIT = "submit"
    COLLECT = "collect"
    JUDGE = "judge"
    ASSEMBLE = "assemble"
    CANCEL = "cancel"
    GIVE_UP = "give_up"
    ABANDON = "abandon"
    NOTIFY = "notify"


@dataclass(frozen=True, slots=True)
class Message:
    """One due step of a job; `index` and `attempt` name the batch, if the step is about one."""

    step: Step
    job_id: str
    index: int = -1
    attempt: int = 0


class Queues(Protocol):
    """The two queues; each step knows its own."""

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        """Enqueue a step, to become visible after `delay`."""

    def peek_failed_events(self) -> list[BlobEvent]:
        """Peek at some blob events that the host gave up on, other apps' included; nothing is removed."""


class WebHook(Protocol):
    """The address for notices."""

    def post(self, url: str, body: bytes, signature: str) -> None:
        """Deliver a JSON body, with its signature unless that is empty.

        Raises Unavailable if the receiver does not answer, is overloaded or fails; Misconfigured if it rejects the
        notice or the address.
        """


@dataclass(frozen=True, slots=True)
class App:
    """Everything that a use case needs from outside: settings, ports, the clock, waiting and fresh ids."""

    settings: Settings
    files: Files
    store: JobStore
    ledger: Ledger
    services: BatchServices
    queues: Queues
    hook: WebHook
    renderer: PdfRenderer
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    in_background: Callable[[Callable[[], None]], None] = lambda work: work()
    """Does some work in the background; by default at once."""
    known_jobs: dict[str, None] = field(default_factory=dict)
    """Ids of jobs that this process has seen in the table, from which no job is ever removed."""
