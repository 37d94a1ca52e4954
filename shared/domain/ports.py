"""The seams between the app's logic and the world, as Protocols; adapters and the tests' fakes keep the same promises.

They raise only errors of shared.domain.errors: Transient kinds where waiting may help, Conflict, NotFound, Refused.
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
    """A blob being written in blocks, invisible before `commit`."""

    def write(self, data: bytes) -> object:
        """Add bytes; they are sent when a block is full."""

    def commit(self) -> str:
        """Make the blob visible and return its etag. Raises Conflict where a condition does not hold."""


class Files(Protocol):
    """Blobs in the three containers, which are made on first use."""

    def info(self, container: Container, name: str) -> BlobInfo | None:
        """Return what is known of a blob, None if it does not exist."""

    def read(self, container: Container, name: str, *, etag: str = "") -> Iterator[bytes]:
        """Return the blob's bytes in chunks of some MB; Conflict if it is no longer the version `etag`, or NotFound."""

    def load(self, container: Container, name: str) -> tuple[bytes, str] | None:
        """Return a small blob's content and etag, in one call; None if it does not exist."""

    def read_range(self, container: Container, name: str, offset: int, length: int) -> bytes:
        """Return at most `length` bytes from `offset`."""

    def fetch(self, container: Container, name: str, most: int) -> Callable[[], bytes]:
        """Begin to read a blob's first `most` bytes beside the work; return what waits for them, or raises NotFound.

        Until that is called, some 8 MB of a larger blob are held.
        """

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        """Write a small blob whole and return its etag; Conflict where it exists (create_only) or is not `etag`."""

    def writer(self, container: Container, name: str, *, create_only: bool = False) -> BlobWriter:
        """Begin a blob of any size."""

    def blobs(self, container: Container, *, prefix: str = "", after: str = "") -> Iterator[BlobInfo]:
        """Return the blobs by name, those after `after` where it is given, page by page."""

    def url(self, container: Container, name: str) -> str:
        """Return the blob's address, as the batch service would be told it."""

    def link(self, container: Container, name: str, *, until: datetime, download_as: str) -> str:
        """Return an address at which anyone may download the blob until `until`, under the name `download_as`.

        Raises Misconfigured where the account's credential cannot sign such addresses.
        """

    def name_of(self, container: Container, url: str) -> str:
        """Return the name of the blob at an address in this container; NotFound where it lies elsewhere."""


@dataclass(frozen=True, slots=True)
class DeploymentBackoff:
    """A target that refused: no creating call before `until`, `tries` refusals in a row.

    `is_full`: its quota was used up; else it was missing or out of service. `limit` is its quota of enqueued tokens,
    where it ever named that; 0 where it did not. `message` is what the last refusal said, at `refused_at`: both stay
    when the target has room again.
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

    `etag` and `digest` are those of the status.json that was published with it, empty where they are not known.
    `open_batches` counts its batches at the service, by target.
    """

    entry: OpenJob
    status: Mapping[str, Any] | None
    version: str
    etag: str = ""
    digest: str = ""
    open_batches: Mapping[str, int] = field(default_factory=dict)


class JobStore(Protocol):
    """Jobs, batches and the open index. Every write of a job or a batch is conditional on the version read."""

    def open_entry(self, entry: OpenJob) -> str:
        """Assert the open index's entry of a job and return its version; what is listed of the job stays."""

    def open_jobs(self) -> Iterator[OpenJob]:
        """Return the open index, page by page."""

    def listed(self, job_id: str) -> Listed | None:
        """Return what the list of jobs shows of an open job, None where it is not open."""

    def all_listed(self) -> Iterator[Listed]:
        """Return what the list of jobs shows of all open jobs, page by page."""

    def list_as(self, listed: Listed) -> Listed:
        """Change what is shown of an open job; Conflict where it changed since it was read, or is open no more."""

    def insert_job(self, job: Job) -> Job:
        """Write a new job; Conflict where it exists."""

    def job(self, job_id: str) -> Job | None:
        """Return one job, None where unknown."""

    def save_job(self, job: Job) -> Job:
        """Replace a job; Conflict where it changed since it was read. Returns it with its new version."""

    def batches(self, job_id: str) -> list[Batch]:
        """Return the job's batches by index and attempt."""

    def job_with_batches(self, job_id: str) -> tuple[Job | None, list[Batch]]:
        """Return both, in one call; the job is never older than its batches."""

    def jobs_together(self, job_ids: Sequence[str]) -> Mapping[str, tuple[Job, list[Batch]]]:
        """Return jobs that began close together, with their batches, in few calls; those left out are read singly.

        `job_ids` are in ascending order. No job is older than its batches.
        """

    def batch(self, job_id: str, index: int, attempt: int) -> Batch | None:
        """Return one batch, None where unknown."""

    def add_batches(self, batches: Sequence[Batch]) -> None:
        """Write new batches of one job; those that exist already stay unchanged."""

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> tuple[Job, list[Batch]]:
        """Write a job's first batches, then replace the job; Conflict where it changed since it was read.

        Batches that exist already stay unchanged. Return all with their versions.
        """

    def save_batch(self, batch: Batch) -> Batch:
        """Replace a batch; Conflict where it changed since it was read. Returns it with its new version."""

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> tuple[Job, Batch, list[Batch]]:
        """Replace the batch and write its follow-ups in one transaction, if neither batch nor job changed meanwhile.

        Return all with their new versions.
        """

    def close(self, job: Job, status: Mapping[str, Any]) -> None:
        """Take an ended job from the open index into the history, with the status to list; repeating it is fine."""

    def history(self, *, after: str, limit: int, state: str, prefix: str) -> list[tuple[Job, Mapping[str, Any] | None]]:
        """Return at most `limit` ended jobs, newest first, each with the status that it was closed with.

        Those behind the place `after` (model.newest_first); of one state or whose prompt file begins with `prefix`
        where these are not empty.
        """

    def deployment_backoff(self, target: str) -> DeploymentBackoff | None:
        """Return a target's backoff by its name, None where it never refused."""

    def deployment_backoffs(self) -> list[DeploymentBackoff]:
        """Return the backoffs of all targets that ever refused, in one call."""

    def save_deployment_backoff(self, backoff: DeploymentBackoff) -> None:
        """Write a target's backoff; the last writer wins, as it only spaces calls out."""

    def installed_at(self, now: datetime) -> datetime:
        """Return when the app first asked this, now for the first time: its sweep ignores older prompt files."""

    def bookmarks(self) -> Mapping[str, str]:
        """Return all bookmarks by their names, in one call; `installed` is the time that `installed_at` gave."""

    def bookmark(self, name: str) -> str:
        """Return where a walk that goes on from tick to tick stopped, empty at the start."""

    def save_bookmark(self, name: str, value: str) -> None:
        """Remember where such a walk stopped."""


class RenderingError(Exception):
    """A PDF that cannot be sent; the text says why."""


class PdfRenderer(Protocol):
    """Turns the pages of PDFs into images."""

    def render(self, data: bytes, *, dpi: int, page: int, most: int) -> list[bytes]:
        """Return the pages as PNG or JPEG files, or only the one of the number `page`, counted from 1.

        Raises RenderingError where the PDF is damaged, protected by a password, has more pages than `most`, none of
        that number, or takes too much time or memory.
        """

    def close(self) -> None:
        """Release what rendering holds; the next PDF takes it again."""


class Step(StrEnum):
    """A step of a job, which may be repeated at will; those that take long, and notices, travel as messages."""

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
    """One step of a job that is due; index and attempt name the batch where the step is about one."""

    step: Step
    job_id: str
    index: int = -1
    attempt: int = 0


class Queues(Protocol):
    """The two queues; each step knows its own."""

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        """Enqueue a step, to be seen after `delay`."""

    def peek_failed_events(self) -> list[BlobEvent]:
        """Return some events of blobs that the host gave up on, other apps' included; peeks, and removes nothing."""


class WebHook(Protocol):
    """The address for notices."""

    def post(self, url: str, body: bytes, signature: str) -> None:
        """Deliver a JSON body, with its signature where that is not empty.

        Raises Unavailable if the receiver does not answer, or is overloaded or broken; Misconfigured where the
        answer is a refusal of this very notice or address.
        """


@dataclass(frozen=True, slots=True)
class App:
    """All that a use case needs from outside: ports, settings, the clock, waiting, and fresh ids."""

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
    beside: Callable[[Callable[[], None]], None] = lambda work: work()
    """Does some work beside what follows; where nothing else is said, before it."""
    known_jobs: dict[str, None] = field(default_factory=dict)
    """Ids of jobs that this process has seen in the table, where they stay."""
