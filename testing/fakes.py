"""The ports in memory, with the constraints of the real ones: conditions, transactions, versions, unknown answers.

The same contract tests run against these and against the real adapters (tests/contracts), so that what tests show with
the fakes, fast and step by step, holds for storage and the service too.
"""

import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlencode

import msgspec
from pydantic import TypeAdapter

from shared.domain.batch_service import BatchService
from shared.domain.errors import (
    AnswerLost,
    AppError,
    Conflict,
    Misconfigured,
    NoAnswer,
    NotFound,
    QuotaExceeded,
    Refused,
    Throttled,
    Unavailable,
)
from shared.domain.model import Batch, BlobEvent, BlobInfo, Job, OpenJob, RemoteBatch, RemoteFile, newest_first
from shared.domain.ports import BlobWriter, Container, DeploymentBackoff, Listed, Message
from shared.settings import Target

LONGEST_NAME = 1024
TRANSACTION_LIMIT = 100
PAGE = 100


class FakeClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)) -> None:
        self.time = start

    def now(self) -> datetime:
        """Return the present time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True)
class _Blob:
    data: bytes
    etag: str
    modified: datetime


class MemoryFiles:
    """The three containers; `chunk` is the size of the pieces in which blobs are read."""

    def __init__(self, clock: FakeClock, chunk: int = 64 * 1024) -> None:
        self._clock = clock
        self._chunk = chunk
        self._versions = itertools.count(1)
        self._blobs: dict[tuple[Container, str], _Blob] = {}

    def info(self, container: Container, name: str) -> BlobInfo | None:
        _check_name(name)
        blob = self._blobs.get((container, name))
        return None if blob is None else BlobInfo(name, blob.etag, len(blob.data), blob.modified)

    def read(self, container: Container, name: str, *, etag: str = "") -> Iterator[bytes]:
        first = self._found(container, name)
        if etag and first.etag != etag:
            raise Conflict(f"{name} was changed")
        for start in range(0, len(first.data), self._chunk):
            if self._found(container, name).etag != first.etag:
                raise Conflict(f"{name} was changed")
            yield first.data[start : start + self._chunk]

    def load(self, container: Container, name: str) -> tuple[bytes, str] | None:
        blob = self._blobs.get((container, name))
        return None if blob is None else (blob.data, blob.etag)

    def read_range(self, container: Container, name: str, offset: int, length: int) -> bytes:
        data = self._found(container, name).data
        if offset and offset >= len(data):
            raise NotFound(f"{name} is shorter")
        return data[offset : offset + length]

    def fetch(self, container: Container, name: str, most: int) -> Callable[[], bytes]:
        """Read when it is waited for."""
        return lambda: self.read_range(container, name, 0, most)

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        _check_name(name)
        there = self._blobs.get((container, name))
        if (create_only and there is not None) or (etag and (there is None or there.etag != etag)):
            raise Conflict(f"{name} was changed")
        blob = _Blob(bytes(data), f"0x{next(self._versions):012X}", self._clock.now().replace(microsecond=0))
        self._blobs[container, name] = blob
        return blob.etag

    def writer(self, container: Container, name: str, *, create_only: bool = False) -> BlobWriter:
        return _MemoryWriter(self, container, name, create_only)

    def blobs(self, container: Container, *, prefix: str = "", after: str = "") -> Iterator[BlobInfo]:
        for place, name in sorted(self._blobs):
            info = self.info(place, name) if place is container else None
            if info is not None and name.startswith(prefix) and (not after or name > after):
                yield info

    def url(self, container: Container, name: str) -> str:
        return f"https://account.blob/{container.value}/{quote(name, safe='/~')}"

    def link(self, container: Container, name: str, *, until: datetime, download_as: str) -> str:
        return f"{self.url(container, name)}?{urlencode({'se': until.isoformat(), 'as': download_as})}"

    def name_of(self, container: Container, url: str) -> str:
        inside = f"https://account.blob/{container.value}/"
        if not url.startswith(inside):
            raise NotFound(f"{url} is not in {container}")
        return unquote(url.removeprefix(inside).partition("?")[0])

    def delete(self, container: Container, name: str) -> None:
        """Delete a blob, as a user may."""
        del self._blobs[container, name]

    def _found(self, container: Container, name: str) -> _Blob:
        _check_name(name)
        blob = self._blobs.get((container, name))
        if blob is None:
            raise NotFound(f"{name} does not exist")
        return blob


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Misconfigured(f"Storage refuses a name of {len(name)} characters")


class _MemoryWriter:
    def __init__(self, files: MemoryFiles, container: Container, name: str, create_only: bool) -> None:
        self._files, self._container, self._name, self._create_only = files, container, name, create_only
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        self._data += data

    def commit(self) -> str:
        return self._files.write(self._container, self._name, bytes(self._data), create_only=self._create_only)


class MemoryStore:
    """The jobs table. Records are kept as the JSON that the table would hold, each with a version."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self._rows: dict[tuple[str, str], tuple[Any, str]] = {}

    def open_entry(self, entry: OpenJob) -> str:
        there = self._rows.get(("open", entry.job_id))
        return self._put("open", entry.job_id, (_text(entry), *(there[0][1:] if there else (None, "", "", {}, None))))

    def listed(self, job_id: str) -> Listed | None:
        row = self._rows.get(("open", job_id))
        if row is None:
            return None
        (entry, status, etag, digest, open_batches, left), version = row
        return Listed(_record(OpenJob, entry), status, version, etag, digest, open_batches, left)

    def all_listed(self) -> Iterator[Listed]:
        for partition, key in sorted(self._rows):
            if partition == "open" and (found := self.listed(key)) is not None:
                yield found

    def list_as(self, listed: Listed) -> Listed:
        key = ("open", listed.entry.job_id)
        self._check(key, listed.version)
        shown = (_copy(listed.status), listed.etag, listed.digest, dict(listed.open_batches), listed.left_usd)
        return replace(listed, version=self._put(*key, (_text(listed.entry), *shown)))

    def insert_job(self, job: Job) -> Job:
        key = (job.job_id, "job")
        if key in self._rows:
            raise Conflict(f"job {job.job_id} exists")
        return replace(job, version=self._put(*key, _text(replace(job, version=""))))

    def job(self, job_id: str) -> Job | None:
        found: Job | None = self._get(Job, job_id, "job")
        return found

    def save_job(self, job: Job) -> Job:
        self._check((job.job_id, "job"), job.version)
        return replace(job, version=self._put(job.job_id, "job", _text(replace(job, version=""))))

    def batches(self, job_id: str) -> list[Batch]:
        found = [self._get(Batch, *key) for key in sorted(self._rows) if key[0] == job_id and key[1] != "job"]
        return [batch for batch in found if batch is not None]

    def job_with_batches(self, job_id: str) -> tuple[Job | None, list[Batch]]:
        return self.job(job_id), self.batches(job_id)

    def jobs_together(self, job_ids: Sequence[str]) -> Mapping[str, tuple[Job, list[Batch]]]:
        found = ((job_id, self.job(job_id)) for job_id in job_ids)
        return {job_id: (job, self.batches(job_id)) for job_id, job in found if job is not None}

    def batch(self, job_id: str, index: int, attempt: int) -> Batch | None:
        found: Batch | None = self._get(Batch, job_id, f"batch-{index:05d}-{attempt}")
        return found

    def add_batches(self, batches: Sequence[Batch]) -> None:
        new = [batch for batch in batches if _batch_key(batch) not in self._rows]
        for start in range(0, len(new), TRANSACTION_LIMIT):
            self._create(new[start : start + TRANSACTION_LIMIT])

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> tuple[Job, list[Batch]]:
        self._check((job.job_id, "job"), job.version)
        self.add_batches(batches)
        return self.save_job(job), self.batches(job.job_id)

    def save_batch(self, batch: Batch) -> Batch:
        self._check(_batch_key(batch), batch.version)
        return replace(batch, version=self._put(*_batch_key(batch), _text(replace(batch, version=""))))

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> tuple[Job, Batch, list[Batch]]:
        self._check((job.job_id, "job"), job.version)
        self._check(_batch_key(batch), batch.version)
        if any(_batch_key(follow_up) in self._rows for follow_up in follow_ups):
            raise Conflict("a follow-up exists")
        return self.save_job(job), self.save_batch(batch), self._create(follow_ups)

    def close(self, job: Job, status: Mapping[str, Any]) -> None:
        record = (_text(replace(job, version="")), _copy(status))
        for partition in ("history", f"history-{job.state.value}"):
            self._put(partition, newest_first(job), record)
        self._rows.pop(("open", job.job_id), None)

    def history(self, *, after: str, limit: int, state: str, prefix: str) -> list[tuple[Job, Mapping[str, Any] | None]]:
        wanted = f"history-{state}" if state else "history"
        found = []
        for partition, key in sorted(self._rows):
            if partition == wanted and key > after:
                text, status = self._rows[partition, key][0]
                job: Job = _record(Job, text)
                if job.prompt_file.startswith(prefix):
                    found.append((job, status))
        return found[:limit]

    def deployment_backoff(self, target: str) -> DeploymentBackoff | None:
        found: DeploymentBackoff | None = self._get(DeploymentBackoff, "gate", target)
        return found

    def deployment_backoffs(self) -> list[DeploymentBackoff]:
        found = [self._get(DeploymentBackoff, *key) for key in sorted(self._rows) if key[0] == "gate"]
        return [backoff for backoff in found if backoff is not None]

    def save_deployment_backoff(self, backoff: DeploymentBackoff) -> None:
        self._put("gate", backoff.target, _text(replace(backoff, version="")))

    def installed_at(self, now: datetime) -> datetime:
        key = ("app", "installed")
        if key not in self._rows:
            self._put(*key, now)
        installed: datetime = self._rows[key][0]
        return installed

    def bookmarks(self) -> Mapping[str, str]:
        found = {key: value for (partition, key), (value, _) in self._rows.items() if partition == "app"}
        texts = {key: value if isinstance(value, str) else value.isoformat() for key, value in found.items()}
        return {key.removeprefix("place-"): text for key, text in texts.items()}

    def bookmark(self, name: str) -> str:
        row = self._rows.get(("app", f"place-{name}"))
        return "" if row is None else str(row[0])

    def save_bookmark(self, name: str, value: str) -> None:
        self._put("app", f"place-{name}", value)

    def _get(self, kind: Any, partition: str, key: str) -> Any:
        row = self._rows.get((partition, key))
        return None if row is None else _stored(kind, *row)

    def _put(self, partition: str, key: str, value: Any) -> str:
        version = f"W/{next(self._versions)}"
        self._rows[partition, key] = (value, version)
        return version

    def _check(self, key: tuple[str, str], version: str) -> None:
        if key not in self._rows or self._rows[key][1] != version:
            raise Conflict(f"{key} changed meanwhile")

    def _create(self, batches: Sequence[Batch]) -> list[Batch]:
        if any(_batch_key(batch) in self._rows for batch in batches):
            raise Conflict("a batch exists")
        made = [self._put(*_batch_key(batch), _text(replace(batch, version=""))) for batch in batches]
        return [replace(batch, version=version) for batch, version in zip(batches, made, strict=True)]


def _copy(status: Mapping[str, Any] | None) -> Any:
    return None if status is None else msgspec.json.decode(msgspec.json.encode(dict(status)))


def _batch_key(batch: Batch) -> tuple[str, str]:
    return batch.job_id, f"batch-{batch.key}"


@cache
def _codec(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _text(record: object) -> bytes:
    kind: Any = type(record)
    return _codec(kind).dump_json(record)


def _record(kind: Any, text: bytes) -> Any:
    return _codec(kind).validate_json(text)


@lru_cache(1024)
def _stored(kind: Any, text: bytes, version: str) -> Any:
    """Read a record; as it is frozen, all readers can share it."""
    return replace(_record(kind, text), version=version)


class MemoryQueues:
    """Messages that wait until the test takes them; a delay counts on the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.waiting: list[tuple[datetime, Message]] = []
        self.events: list[BlobEvent] = []

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        self.waiting.append((self._clock.now() + delay, message))

    def peek_failed_events(self) -> list[BlobEvent]:
        return self.events

    def take(self) -> Message | None:
        """Take one message that is due."""
        for number, (time, message) in enumerate(self.waiting):
            if time <= self._clock.now():
                del self.waiting[number]
                return message
        return None


class SilentHook:
    """A receiver of notices that keeps them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def post(self, url: str, body: bytes, signature: str) -> None:
        self.bodies.append(body)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a batch goes: seconds of each phase, how it ends, and the share of its rows that are run."""

    validating: float = 60
    running: float = 180
    finalizing: float = 60
    cancelling: float = 60
    ends: str = "completed"
    share: float = 1.0
    faults: tuple[tuple[str, str, str], ...] = ()
    listed_after: float = 0


@dataclass(kw_only=True)
class _Made:
    batch_id: str
    number: int
    input_file_id: str
    lines: list[dict[str, Any]]
    metadata: dict[str, str]
    created_at: datetime
    plan: Plan
    storage: bool = False
    output_folder: str = ""
    cancelled_at: datetime | None = None
    quota_checked: bool = False
    delivered: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    failures: int = 0

    @property
    def tokens(self) -> int:
        """An estimate of its input tokens."""
        return sum(len(msgspec.json.encode(line["body"])) // 4 for line in self.lines)


@dataclass(frozen=True)
class Billed:
    """One row that the service ran and bills."""

    batch_id: str
    job_id: str
    index: str
    attempt: str
    custom_id: str


@dataclass
class _Fault:
    method: str
    kind: str
    left: int


class MemoryServices:
    """The batch services by their resources' names; a single one is at every resource."""

    def __init__(self, single: BatchService, others: Mapping[str, BatchService] | None = None) -> None:
        self._single = single
        self._others = others or {}

    def at(self, target: Target) -> BatchService:
        return self._others.get(target.resource, self._single)


class MemoryBatchService:
    """The batch service: a file once processed becomes a batch, which moves by the clock.

    `rows` says for a custom_id what becomes of each of its runs (the last for all further ones): `ok`, `refusal`,
    `cut`, `bad` (not the schema), `missing`, or an HTTP status. `plan_of` says how a batch goes, by its metadata.
    """

    def __init__(self, clock: FakeClock, files: MemoryFiles | None = None) -> None:
        self._clock = clock
        self._files = files
        self._numbers = itertools.count(1)
        self._made: dict[str, _Made] = {}
        self._stored: dict[str, tuple[bytes, str, datetime]] = {}
        self._runs: dict[str, int] = defaultdict(int)
        self._faults: list[_Fault] = []
        self.rows: dict[str, list[str]] = {}
        self.name_of: Callable[[Mapping[str, Any]], str] = lambda line: str(line["custom_id"])
        """What `rows` calls a request by, and its answer depends on."""
        self.plan_of: Callable[[dict[str, str]], Plan] = lambda metadata: Plan()
        self.quota: tuple[int, str] | None = None
        """The limit of enqueued tokens, and whether it is told `immediate` or `late`."""
        self.processing: float = 0
        self.billed: list[Billed] = []

    def fail(self, method: str, kind: str, times: int = 1) -> None:
        """Let the next calls of a method fail.

        `before` or `after` it took effect, `silent` (it took its time, and no effect), `429`, `503`, `cut` or `short`.
        """
        self._faults.append(_Fault(method, kind, times))

    def restore(self) -> None:
        """Take back all faults."""
        self._faults.clear()

    def upload(self, name: str, content: BinaryIO) -> RemoteFile:
        kind = self._fault("upload")
        data = content.read()
        file_id = f"file-{next(self._numbers)}"
        self._stored[file_id] = (data, name, self._clock.now())
        _raise_after(kind)
        return self._file(file_id)

    def file(self, file_id: str) -> RemoteFile | None:
        self._settle()
        _raise_after(self._fault("file"))
        return self._file(file_id) if file_id in self._stored else None

    def read_file(self, file_id: str) -> Iterator[bytes]:
        self._settle()
        kind = self._fault("read_file")
        if file_id not in self._stored:
            raise NotFound(f"no file {file_id}")
        data = self._stored[file_id][0]
        if kind in ("cut", "short"):
            data = data[: len(data) // 2]
        for start in range(0, len(data), 1024):
            yield data[start : start + 1024]
        if kind == "cut":
            raise Unavailable("the download broke off")

    def delete_file(self, file_id: str) -> None:
        kind = self._fault("delete_file")
        self._stored.pop(file_id, None)
        _raise_after(kind)

    def create(self, batch: Batch, *, metadata: dict[str, str], output_folder: str = "") -> RemoteBatch:
        self._settle()
        kind = self._fault("create", lost=True)
        lines = self._input(batch.file_id, bool(output_folder))
        made = _Made(
            batch_id=f"batch-{next(self._numbers):06d}",
            number=len(self._made),
            input_file_id=batch.file_id,
            lines=lines,
            metadata={} if output_folder else dict(metadata),
            created_at=self._clock.now().replace(microsecond=0),
            plan=self.plan_of(metadata),
            storage=bool(output_folder),
            output_folder=output_folder,
        )
        self._check_quota(made)
        self._made[made.batch_id] = made
        _raise_after(kind, lost=True)
        return self._shown(made)

    def batch(self, batch_id: str) -> RemoteBatch | None:
        self._settle()
        _raise_after(self._fault("batch"))
        made = self._made.get(batch_id)
        return None if made is None else self._shown(made)

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        self._settle()
        _raise_after(self._fault("page"))
        now = self._clock.now()
        listed = [
            made
            for made in reversed(self._made.values())
            if now >= made.created_at + timedelta(seconds=made.plan.listed_after) and status in ("", self._status(made))
        ]
        numbers = [made.batch_id for made in listed]
        start = numbers.index(after) + 1 if after else 0
        page = listed[start : start + PAGE]
        return [self._shown(made) for made in page], page[-1].batch_id if len(listed) > start + PAGE else ""

    def cancel(self, batch_id: str) -> None:
        self._settle()
        kind = self._fault("cancel")
        made = self._made.get(batch_id)
        if made is not None and self._status(made) not in ("completed", "failed", "expired", "cancelled"):
            made.cancelled_at = made.cancelled_at or self._clock.now()
        _raise_after(kind)

    def uploads(self) -> list[str]:
        """Return the names of the input files that are there."""
        return [name for _, name, _ in self._stored.values() if name.endswith(".jsonl")]

    def created(self) -> list[tuple[str, str, str]]:
        """Return the (job, index, attempt) of every batch that was created, in order."""
        return [_name_of(made) for made in self._made.values()]

    def forget(self, batch_id: str) -> None:
        """Lose a batch, as the service may."""
        del self._made[batch_id]

    def statuses(self) -> dict[str, str]:
        """Return the status of every batch."""
        return {made.batch_id: self._status(made) for made in self._made.values()}

    def _fault(self, method: str, lost: bool = False) -> str:
        """Raise what is to fail before it takes effect; return what is to fail after."""
        for fault in self._faults:
            if fault.left and fault.method == method:
                fault.left -= 1
                if fault.kind in ("after", "cut", "short"):
                    return fault.kind
                if fault.kind == "silent":
                    self._clock.advance(10 if method in ("cancel", "delete_file") else 60)
                raise _error(fault.kind, lost)
        return ""

    def _input(self, file_id: str, storage: bool) -> list[dict[str, Any]]:
        if storage:
            assert self._files is not None
            data = b"".join(self._files.read(Container.WORK, self._files.name_of(Container.WORK, file_id)))
        elif file_id in self._stored:
            data = self._stored[file_id][0]
            if self._file(file_id).status != "processed":
                raise Refused(f"the file {file_id} can't be used yet")
        else:
            raise Refused(f"the file {file_id} was not found")
        return [msgspec.json.decode(line) for line in io.BytesIO(data)]

    def _file(self, file_id: str) -> RemoteFile:
        data, _, made_at = self._stored[file_id]
        ready = self._clock.now() >= made_at + timedelta(seconds=self.processing)
        status = "processed" if ready else "pending"
        return RemoteFile(file_id, status, len(data), made_at + timedelta(days=14))

    def _check_quota(self, made: _Made) -> None:
        if self.quota is None or self.quota[1] != "immediate":
            made.quota_checked = self.quota is None
            return
        made.quota_checked = True
        if self._held(made) > self.quota[0]:
            raise QuotaExceeded(self._too_much())

    def _too_much(self) -> str:
        assert self.quota is not None
        return f"token_limit_exceeded: enqueued tokens surpass the configured limit of {self.quota[0]} for m."

    def _held(self, made: _Made) -> int:
        ended = ("completed", "failed", "expired", "cancelled")
        others = (other for other in self._made.values() if other is not made and self._status(other) not in ended)
        return made.tokens + sum(other.tokens for other in others)

    def _status(self, made: _Made) -> str:
        now, plan = self._clock.now(), made.plan
        validated = made.created_at + timedelta(seconds=plan.validating)
        ran = validated + timedelta(seconds=plan.running)
        end = ran + timedelta(seconds=plan.finalizing)
        if made.cancelled_at is not None:
            over = now >= made.cancelled_at + timedelta(seconds=plan.cancelling)
            return "cancelled" if over else "cancelling"
        if now < validated:
            return "validating"
        if plan.faults:
            return "failed"
        if now < ran:
            return "in_progress"
        return "finalizing" if now < end else plan.ends

    def _settle(self) -> None:
        for made in self._made.values():
            status = self._status(made)
            if not made.quota_checked and status != "validating":
                made.quota_checked = True
                if self.quota is not None and self._held(made) > self.quota[0]:
                    made.plan = replace(made.plan, faults=(("token_limit_exceeded", self._too_much(), ""),))
                    status = "failed"
            if status in ("completed", "expired", "cancelled") and not made.delivered:
                self._deliver(made, status)

    def _deliver(self, made: _Made, status: str) -> None:
        made.delivered = True
        share = made.plan.share
        if status == "cancelled" and made.cancelled_at is not None:
            began = made.created_at + timedelta(seconds=made.plan.validating)
            ran = (made.cancelled_at - began).total_seconds() / max(made.plan.running, 1e-9)
            share = min(max(ran, 0.0), 1.0)
        output: list[bytes] = []
        errors: list[bytes] = []
        for line in made.lines[: int(len(made.lines) * share + 1e-9)]:
            self._run(made, line, output, errors)
        for kind, lines in (("output", output), ("error", errors)):
            if lines or kind == "error":
                made.outputs[kind] = self._put_answers(made, kind, b"".join(reversed(lines)))

    def _put_answers(self, made: _Made, kind: str, data: bytes) -> str:
        if not made.storage:
            file_id = f"{made.batch_id}-{kind}"
            self._stored[file_id] = (data, kind, self._clock.now() - timedelta(days=1))
            return file_id
        assert self._files is not None
        name = f"{self._files.name_of(Container.WORK, made.output_folder)}/{made.batch_id}/{kind}.jsonl"
        self._files.write(Container.WORK, name, data)
        return self._files.url(Container.WORK, name)

    def _run(self, made: _Made, line: dict[str, Any], output: list[bytes], errors: list[bytes]) -> None:
        custom_id = str(line["custom_id"])
        name = self.name_of(line)
        script = self.rows.get(name, ["ok"])
        outcome = script[min(self._runs[name], len(script) - 1)]
        self._runs[name] += 1
        made.executed.append(custom_id)
        if outcome.isdigit():
            made.failures += 1
            body = {"error": {"code": outcome, "message": "as the script says"}}
            errors.append(_line(custom_id, int(outcome), body))
            return
        self.billed.append(Billed(made.batch_id, *_name_of(made), custom_id))
        if outcome != "missing":
            output.append(_line(custom_id, 200, _completion(line, outcome, name)))

    def _shown(self, made: _Made) -> RemoteBatch:
        status = self._status(made)
        failed = made.failures
        shown = RemoteBatch(
            batch_id=made.batch_id,
            status=status,
            input_file_id="" if made.storage else made.input_file_id,
            input_blob=made.input_file_id if made.storage else "",
            created_at=made.created_at,
            counts=(len(made.lines), len(made.executed) - failed, failed),
            metadata=made.metadata,
            errors=made.plan.faults if status == "failed" else (),
        )
        if not made.delivered:
            return shown
        output, error = made.outputs.get("output", ""), made.outputs.get("error", "")
        if made.storage:
            return replace(shown, output_blob=output, error_blob=error)
        return replace(shown, output_file_id=output, error_file_id=error)


def _name_of(made: _Made) -> tuple[str, str, str]:
    if made.storage:
        job_id, key = made.input_file_id.split("/")[-3:-1]
        index, attempt = key.removeprefix("batch-").split("-")
        return job_id, str(int(index)), attempt
    return made.metadata["job"], made.metadata["index"], made.metadata["attempt"]


def _error(kind: str, lost: bool) -> AppError:
    if kind == "429":
        return Throttled("the service asks to come back later", 5)
    if kind == "silent" and not lost:
        return NoAnswer("the service says nothing")
    if kind == "503" or not lost:
        return Unavailable("the service does not answer")
    return AnswerLost("the answer was lost")


def _raise_after(kind: str, lost: bool = False) -> None:
    if kind == "after":
        raise _error(kind, lost)


def _line(custom_id: str, status: int, body: Mapping[str, Any]) -> bytes:
    response = {"status_code": status, "request_id": "r", "body": body}
    return msgspec.json.encode({"custom_id": custom_id, "response": response, "error": None}) + b"\n"


def _completion(line: Mapping[str, Any], outcome: str, name: str) -> dict[str, Any]:
    schema = line["body"].get("response_format", {}).get("json_schema", {}).get("schema", {"type": "string"})
    text = msgspec.json.encode(_instance(schema, name)).decode()
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if outcome == "refusal":
        message = {"role": "assistant", "content": None, "refusal": "I can't help with that."}
    if outcome in ("cut", "bad"):
        message["content"] = text[: len(text) // 2] if outcome == "cut" else '{"other": 1}'
    return {
        "choices": [{"index": 0, "finish_reason": "length" if outcome == "cut" else "stop", "message": message}],
        "model": "gpt-4o-2024-08-06",
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def _instance(schema: Mapping[str, Any], seed: str) -> Any:
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        return {key: _instance(value, f"{key} of {seed}") for key, value in schema.get("properties", {}).items()}
    return {"integer": 7, "number": 1.5, "boolean": True, "array": [], "null": None}.get(kind, seed)
