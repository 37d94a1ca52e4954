"""The prompt file → batches, prepared: copied once, then read as a stream and cut into input files."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared import job_plan, names, outcomes
from shared.batch_file import CustomIds, Shards, row_line
from shared.errors import Conflict, JobFault, Misconfigured, NotFound, Transient
from shared.job_plan import JobPlan
from shared.job_settings import JobSettings, job_file_paths, resolve
from shared.lifecycle import is_stopping, next_wait
from shared.model import (
    Batch,
    BatchState,
    Fault,
    Job,
    JobCode,
    JobState,
    Outcome,
    Record,
    Request,
    RowCode,
)
from shared.pipeline.claims import Claim, claim_job
from shared.pipeline.parts import merged
from shared.ports import App, BlobWriter, Container
from shared.prompt_file import form_of, open_prompt_file
from shared.requests import RequestBuilder
from shared.schema_list import SchemaList
from shared.settings import say

log = logging.getLogger("structuredbatch.building")

WARNINGS = 20
WARNING_LENGTH = 400
COLUMNS = 16_384
"""Own columns a file may have: as many as a spreadsheet."""

PIECE = 256 * 1024
"""Bytes of requests that are handed to a file at a time."""

SETTINGS_SIZE = 4 * 1024 * 1024


def prepare(app: App, job_id: str) -> None:
    """Copy the prompt file, fix the job's plan and cut its rows into prepared batches.

    A fault of the file or its settings is written into the job, and ends it when it is assembled. What may pass is
    written down as the job's wait.
    """
    claim = claim_job(app, job_id)
    if claim is None:
        return
    with claim:
        if claim.record.built:
            claim.release()
            return
        try:
            _prepare(app, claim)
        except JobFault as fault:
            log.info("prompt file has a fault", extra={"job_id": job_id, "code": fault.code.value})
            claim.release(built=True, code=fault.code, message=str(fault)[:1000], wait=None)
        except Transient as error:
            first = app.settings.backoff
            claim.release(wait=next_wait(claim.record.wait, str(error), app.now(), first, job_id, error.retry_after))


def _prepare(app: App, claim: Claim[Job]) -> None:
    job = claim.record
    if is_stopping(job):
        _copy_for_the_record(app, claim)
        claim.release(built=True, wait=None)
        return
    if form_of(job.prompt_file) is None:
        raise JobFault(
            JobCode.UNSUPPORTED_FORMAT,
            f"{job.prompt_file} has no extension that this app reads: .jsonl, .ndjson, .json, .csv, .tsv (each also "
            "with .gz) or .xlsx. Files beside prompt files that are none begin with _ or a dot.",
        )
    if not job.retry_of:
        _copy(app, claim)
    if app.settings.faults:
        raise Misconfigured(say(app.settings.faults))
    built = _Builder(app, claim, _fix_plan(app, job)).build()
    if names.results_name(job.prompt_file) != job.prompt_file:
        built.warnings.insert(0, f"The prompt file's name is too long: its results lie in {names.results_folder(job)}")
    app.store.add_batches(built.batches)
    held = app.settings.max_input_tokens is not None and built.input_tokens > app.settings.max_input_tokens
    message = (
        f"The job is estimated at {built.input_tokens} input tokens, more than MAX_JOB_INPUT_TOKENS allows "
        f"({app.settings.max_input_tokens}): release it to send it, or cancel it."
    )
    claim.release(
        built=True,
        state=JobState.HELD if held else claim.record.state,
        message=message if held else "",
        wait=None,
        shards=len(built.batches),
        rows_total=built.total,
        rows_kept=built.kept,
        unsent=dict(built.unsent),
        input_tokens=built.input_tokens,
        warnings=tuple(warning[:WARNING_LENGTH] for warning in built.warnings[:WARNINGS]),
        progress_at=app.now(),
    )
    log.info(
        "job built",
        extra={"job_id": job.job_id, "rows": built.total, "batches": len(built.batches), "held": held},
    )


def _copy_for_the_record(app: App, claim: Claim[Job]) -> None:
    """Copy the file of a job that sends nothing, to account for its rows; one that gave up can do without."""
    if claim.record.retry_of:
        return
    try:
        _copy(app, claim)
    except Transient:
        if claim.record.gave_up_at is None:
            raise


def _copy(app: App, claim: Claim[Job]) -> None:
    """Copy the version of the prompt file that the job is about, and no other."""
    job = claim.record
    if app.files.info(Container.WORK, names.snapshot(job)):
        return
    copy = app.files.writer(Container.WORK, names.snapshot(job), create_only=True)
    try:
        for chunk in claim.keeping(app.files.read(Container.PROMPTS, job.prompt_file, etag=job.source_etag)):
            copy.write(chunk)
    except (Conflict, NotFound) as error:
        if app.store.job(job.job_id) != claim.record:
            raise  # It was the claim that was lost, not the file.
        raise JobFault(
            JobCode.SOURCE_CHANGED,
            f"{job.prompt_file} was changed or deleted before it could be copied; a new version has a job of its own.",
        ) from error
    try:
        copy.commit()
    except Conflict:
        pass  # Another worker's copy of the same version is there.


def _fix_plan(app: App, job: Job) -> JobPlan:
    """Read the job's settings the first time, and after that what was read then."""
    try:
        plan = job_plan.plan_of(_job_settings(app, job), app.settings)
        app.files.write(Container.WORK, names.plan(job), job_plan.to_json(plan), create_only=True)
    except Conflict:
        pass  # The plan of an earlier try counts.
    return read_plan(app, job)


def read_plan(app: App, job: Job) -> JobPlan:
    """The plan that was fixed when the job started; raises NotFound before that."""
    return job_plan.from_json(b"".join(app.files.read(Container.WORK, names.plan(job))))


def _job_settings(app: App, job: Job) -> JobSettings:
    layers = []
    for path in job_file_paths(job.prompt_file):
        text = _small_prompt_blob(app, path)
        if text is not None:
            layers.append((path, text))

    def read_schema(folder: str, name: str) -> bytes | None:
        return _small_prompt_blob(app, f"{folder}/{name}" if folder else name)

    return resolve(layers, read_schema)


def _small_prompt_blob(app: App, path: str) -> bytes | None:
    info = app.files.info(Container.PROMPTS, path)
    if info is None:
        return None
    if info.size > SETTINGS_SIZE:
        raise JobFault(JobCode.INVALID_JOB_SETTINGS, f"{path} has {info.size} bytes; settings have 4 MiB at most.")
    try:
        return b"".join(app.files.read(Container.PROMPTS, path))
    except NotFound:
        return None


@dataclass(slots=True)
class _Shard:
    """A batch's input file and row list while they are being written."""

    model: str
    url: str
    lines: BlobWriter
    rows: BlobWriter
    requests: int = 0
    size: int = 0
    tokens: int = 0
    _written: int = 0
    _lines: list[bytes] = field(default_factory=list)
    _rows: list[bytes] = field(default_factory=list)

    def add(self, request: Request) -> None:
        """Write a request, and its line in the list of rows."""
        self._lines.append(request.line)
        self._rows.append(row_line(request))
        self.requests += 1
        self.size += len(request.line) + 1
        self.tokens += request.input_tokens
        if self.size - self._written >= PIECE:
            self._write()

    def commit(self) -> None:
        """Make both files visible."""
        self._write()
        self.lines.commit()
        self.rows.commit()

    def _write(self) -> None:
        self.lines.write(b"\n".join((*self._lines, b"")))
        self.rows.write(b"\n".join((*self._rows, b"")))
        self._lines.clear()
        self._rows.clear()
        self._written = self.size


@dataclass(slots=True)
class _Built:
    """What building found: everything that goes into the job's row."""

    batches: list[Batch] = field(default_factory=list)
    unsent: Counter[str] = field(default_factory=Counter)
    total: int = 0
    kept: int = 0
    input_tokens: int = 0
    warnings: list[str] = field(default_factory=list)


class _Builder:
    """One pass over the prompt file: the same copy and plan give the same blobs, so repeating it does no harm."""

    def __init__(self, app: App, claim: Claim[Job], plan: JobPlan) -> None:
        self._app = app
        self._claim = claim
        self._job = claim.record
        self._plan = plan
        self._shards = Shards(plan.max_requests, plan.max_bytes)
        self._open: dict[int, _Shard] = {}
        self._ids = CustomIds()
        self._built = _Built()
        self._plain = False
        self._first_fault = ""
        self._unsent = self._writer(names.unsent(self._job))
        self._kept_file = self._writer(names.kept(self._job))
        self._schemas_file = self._writer(names.schemas(self._job))

    def build(self) -> _Built:
        """Write the job's work files and say what they hold; raises JobFault."""
        form = form_of(self._job.prompt_file)
        assert form is not None  # prepare() has looked.
        file = open_prompt_file(form, self._app.files.read(Container.WORK, names.snapshot(self._job)))
        schemas = SchemaList(self._schemas_file.write)
        builder = RequestBuilder(
            self._plan.settings,
            prompt_file=self._job.prompt_file,
            headers=file.headers,
            default_model=self._plan.default_model or None,
            schemas=schemas,
            max_bytes=self._plan.max_bytes,
        )
        kept = _Kept(self._kept_rows())
        for record in self._claim.keeping(file.records, every=512):
            self._take(record, builder, kept)
        self._close_all()
        self._built.warnings += [*file.notes, *builder.warnings]
        self._write_columns(builder)
        self._check(builder)
        return self._built

    def _take(self, record: Record, builder: RequestBuilder, kept: "_Kept") -> None:
        self._built.total += 1
        custom_id = builder.identify(record)
        if builder.width > COLUMNS:
            raise JobFault(JobCode.INVALID_FILE, f"The records have more than {COLUMNS} different columns.")
        first_use = self._ids.first_use(custom_id)
        outcome = kept.take(record.row)
        if outcome is not None:
            self._kept_file.write(outcomes.to_line(outcome) + b"\n")
            self._built.kept += 1
            return
        limit = self._plan.settings.limit
        if limit is not None and record.row > limit:
            self._leave_out(record, custom_id, Fault(RowCode.NOT_SENT, f"The job's limit is {limit} rows."))
        elif not first_use:
            message = f"The custom id of row {record.row} was used by an earlier row of this file."
            self._leave_out(record, custom_id, Fault(RowCode.DUPLICATE_CUSTOM_ID, message))
        else:
            built = builder.build(record)
            if isinstance(built, Request):
                self._put(built)
            else:
                self._leave_out(record, custom_id, built)

    def _leave_out(self, record: Record, custom_id: str, fault: Fault) -> None:
        outcome = Outcome(row=record.row, custom_id=custom_id, code=fault.code, message=fault.message)
        self._unsent.write(outcomes.to_line(outcome) + b"\n")
        self._built.unsent[fault.code.value] += 1
        if fault.code is not RowCode.NOT_SENT and not self._first_fault:
            self._first_fault = f"row {record.row}: {fault.code.value}: {fault.message}"

    def _put(self, request: Request) -> None:
        placement = self._shards.place(request)
        for index in placement.closes:
            self._close(index)
        shard = self._open.get(placement.index)
        if shard is None:
            shard = self._open[placement.index] = self._new_shard(placement.index, request)
        shard.add(request)
        self._plain = self._plain or request.schema < 0

    def _new_shard(self, index: int, request: Request) -> _Shard:
        batch = self._batch(index, request.model, request.url)
        return _Shard(
            request.model, request.url, self._writer(names.batch_input(batch)), self._writer(names.batch_rows(batch))
        )

    def _close(self, index: int) -> None:
        shard = self._open.pop(index)
        shard.commit()
        self._built.batches.append(
            self._batch(
                index,
                shard.model,
                shard.url,
                requests=shard.requests,
                size=shard.size,
                input_tokens=shard.tokens,
            )
        )
        self._built.input_tokens += shard.tokens

    def _close_all(self) -> None:
        for index in list(self._open):
            self._close(index)
        self._unsent.commit()
        self._kept_file.commit()
        self._schemas_file.commit()
        self._built.batches.sort(key=lambda batch: batch.index)

    def _batch(
        self, index: int, model: str, url: str, *, requests: int = 0, size: int = 0, input_tokens: int = 0
    ) -> Batch:
        return Batch(
            job_id=self._job.job_id,
            index=index,
            attempt=1,
            state=BatchState.PREPARED,
            model=model,
            url=url,
            requests=requests,
            size=size,
            input_tokens=input_tokens,
        )

    def _check(self, builder: RequestBuilder) -> None:
        """Raise where the rows together are a fault of the job."""
        invalid = {code: count for code, count in self._built.unsent.items() if code != RowCode.NOT_SENT}
        sent = self._built.batches or self._built.kept
        if not sent and not builder.saw_schema and RowCode.INVALID_SCHEMA in invalid:
            raise self._fault(
                JobCode.MISSING_SCHEMA,
                "No row has a schema for its answer: add a Required or Schema column, or a schema to "
                f"{names.JOB_SETTINGS}; with require_schema false the answers come as plain text.",
            )
        if self._plan.rejects_invalid_rows and invalid:
            raise self._fault(
                JobCode.INVALID_ROW,
                f"Nothing was sent, as {sum(invalid.values())} rows are invalid: {self._first_fault}",
            )
        if sent:
            return
        counts = ", ".join(f"{count} {code}" for code, count in self._built.unsent.items())
        raise self._fault(JobCode.NO_VALID_ROWS, f"No row can be sent ({counts}); the first: {self._first_fault}")

    def _fault(self, code: JobCode, message: str) -> JobFault:
        """A fault after the rows were read: their own faults are known already, and stay known."""
        self._claim.change(
            rows_total=self._built.total,
            unsent=dict(self._built.unsent),
            warnings=tuple(warning[:WARNING_LENGTH] for warning in self._built.warnings[:WARNINGS]),
        )
        return JobFault(code, message)

    def _write_columns(self, builder: RequestBuilder) -> None:
        text = json.dumps({"own": builder.own_columns, "text": self._plain})
        self._app.files.write(Container.WORK, names.columns(self._job), text.encode())

    def _kept_rows(self) -> Iterator[Outcome]:
        if not self._job.previous:
            return iter(())
        previous = self._app.store.job(self._job.previous)
        if previous is None:
            raise JobFault(JobCode.INVALID_FILE, f"The job {self._job.previous}, which this one retries, is gone.")
        return (outcome for outcome in merged(self._app, previous) if outcome.code is None)

    def _writer(self, name: str) -> BlobWriter:
        return self._app.files.writer(Container.WORK, name)


class _Kept:
    """The results of an earlier job, taken row by row; both go through the file in its order."""

    def __init__(self, rows: Iterator[Outcome]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, row: int) -> Outcome | None:
        """The earlier result of this row, None where it has none."""
        found = self._next
        if found is None or found.row != row:
            return None
        self._next = next(self._rows, None)
        return found
