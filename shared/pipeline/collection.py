"""An ended batch → the outcomes of its rows, and a follow-up batch of those worth asking again.

What was downloaded, and the outcomes, are written create-only and then read back: whoever repeats the step, or does it
at the same time, goes on from the same bytes.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Final

from shared import names, outcomes
from shared.batch_file import follow_up, read_rows, row_line
from shared.checks import Checks
from shared.errors import AppError, Conflict, NotFound, Transient, Unavailable
from shared.lifecycle import INVALID_OUTPUT_RETRIES, is_schema_faulty, may_follow, next_wait, tries_again
from shared.matching import Matching
from shared.model import Batch, BatchState, Fault, Job, RowCode, Usage
from shared.outcomes import OutcomeLine
from shared.pipeline.building import read_plan
from shared.pipeline.claims import Claim, claim_batch
from shared.pipeline.parts import failures_in, outcomes_in, work_lines
from shared.ports import App, Container
from shared.prices import price_usd
from shared.schema_list import SchemaList

log = logging.getLogger("structuredbatch.collection")

READS: Final = 3
"""How often files in which rows are missing are fetched again before those rows are called missing."""

CONFLICTS: Final = 10
ROWS: Final = 512
"""How many rows pass between two looks at the clock."""

ABSENT: Final = {
    "completed": Fault(RowCode.MISSING, "The service gave no answer for this row."),
    "expired": Fault(RowCode.EXPIRED, "The batch expired before this row was answered."),
    "cancelled": Fault(RowCode.CANCELLED, "The batch was cancelled before this row was answered."),
}


def collect(app: App, job_id: str, index: int, attempt: int) -> None:
    """Fetch and check a batch's answers, and close the batch; what may pass leaves it ended, with a wait."""
    job = app.store.job(job_id)
    claim = claim_batch(app, job_id, index, attempt, BatchState.ENDED)
    if job is None or claim is None:
        return
    with claim:
        try:
            _collect(app, job, claim)
        except Transient as error:
            _cannot_fetch(app, job, claim, error)
    _delete_input(app, claim.record)


def _cannot_fetch(app: App, job: Job, claim: Claim[Batch], error: Transient) -> None:
    if job.gave_up_at is not None:
        _give_up(app, job, claim, str(error))
        return
    batch = claim.record
    message = f"{error}. The batch's answers are safe at the service and are fetched again."
    first = app.settings.backoff
    key = f"{batch.job_id}/{batch.key}"
    claim.release(wait=next_wait(batch.wait, message[:900], app.now(), first, key, error.retry_after))


def _delete_input(app: App, batch: Batch) -> None:
    """Delete a collected batch's input file at the service, where files without number are not allowed."""
    stored = app.store.batch(batch.job_id, batch.index, batch.attempt)
    if stored is None or stored.state is not BatchState.COLLECTED:
        return
    if not stored.file_id or app.settings.transfer != "upload":
        return
    try:
        app.service.delete_file(stored.file_id)
    except AppError as error:
        log.info("input file left to expire: %s", error, extra={"job_id": batch.job_id})


def _give_up(app: App, job: Job, claim: Claim[Batch], reason: str) -> None:
    message = f"The job gave up while the batch's answers could not be fetched: {reason}"[:900]
    batch = claim.change(failure=RowCode.GAVE_UP, message=message)
    tally = _take_outcomes(app, job, claim)
    _finish(app, claim, tally, None)
    log.error("answers given up", extra={"job_id": batch.job_id, "batch_id": batch.batch_id})


def _collect(app: App, job: Job, claim: Claim[Batch]) -> None:
    tally = _take_outcomes(app, job, claim)
    if tally is None:
        return
    follower = _follower(app, job, claim, tally)
    _finish(app, claim, tally, follower)


@dataclass(slots=True)
class _Tally:
    """What the outcomes of one batch add up to."""

    rows: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_rows: int = 0

    def add(self, some: Sequence[OutcomeLine]) -> None:
        """Count outcomes."""
        self.rows += len(some)
        self.codes.update([line.code for line in some if line.code is not None])
        for model in {line.model for line in some}:
            paid = [line.usage for line in some if line.usage is not None and line.model == model]
            self._add_paid(model, paid)

    def _add_paid(self, model: str, paid: Sequence[tuple[int, int]]) -> None:
        self.input_tokens += sum([read for read, _written in paid])
        self.output_tokens += sum([written for _read, written in paid])
        price = price_usd(model, paid)
        self.cost_usd += price or 0.0
        self.unpriced_rows += len(paid) if price is None else 0

    @property
    def succeeded(self) -> int:
        """Rows with a result."""
        return self.rows - self.codes.total()


def _take_outcomes(app: App, job: Job, claim: Claim[Batch]) -> _Tally | None:
    """Write the batch's outcomes unless somebody has; None where its files have to be fetched again first."""
    tally = _Tally()
    name = names.batch_outcomes(claim.record)
    if app.files.info(Container.WORK, name) is None:
        written = _write_outcomes(app, job, claim, name)
        if written is not None:
            return written
        if claim.record.lease is None:
            return None
    for some in claim.keeping(outcomes_in(app, name)):
        tally.add(some)
    return tally


def _write_outcomes(app: App, job: Job, claim: Claim[Batch], name: str) -> _Tally | None:
    """Match answers to rows; None where the files came short (the claim is released) or another was quicker."""
    batch = claim.record
    sources = _download(app, claim) if batch.failure is None else []
    schemas = SchemaList.read(work_lines(app, names.schemas(job)))
    matching = Matching(
        read_rows(work_lines(app, names.batch_rows(batch))),
        sources,
        absent=_absence(job, batch),
        attempts=batch.attempt if batch.batch_id else batch.attempt - 1,
        checks=Checks(lambda number: schemas[number].checked),
    )
    tally = _Tally()
    part = app.files.writer(Container.WORK, name, create_only=True)
    for lines in claim.keeping(matching.lines()):
        tally.add([outcomes.read_line(line) for line in lines])
        part.write(b"\n".join((*lines, b"")))
    short = matching.cut or matching.broken_lines or (batch.status == "completed" and matching.missing)
    if short and batch.failure is None and batch.reads < READS:
        _read_again(app, claim, matching.missing)
        return None
    try:
        part.commit()
    except Conflict:
        return None  # Another worker's outcomes are there, and count.
    return tally


def _absence(job: Job, batch: Batch) -> Fault:
    if batch.failure is not None:
        return Fault(batch.failure, batch.message)
    if job.gave_up_at is not None and batch.status != "completed":
        return Fault(RowCode.GAVE_UP, "The job gave up before this row was answered.")
    return ABSENT.get(batch.status, ABSENT["completed"])


def _read_again(app: App, claim: Claim[Batch], missing: int) -> None:
    message = f"The batch's files are incomplete ({missing} rows without an answer): they are fetched again."
    pause = next_wait(claim.record.wait, message, app.now(), app.settings.backoff / 4, claim.record.key)
    claim.release(reads=claim.record.reads + 1, wait=pause)


def _download(app: App, claim: Claim[Batch]) -> list[Callable[[], Iterator[bytes]]]:
    """Copy the output and the error file into the work container, once for each reading; where they can be read."""
    sources: list[Callable[[], Iterator[bytes]]] = []
    for kind, file_id in (("output", claim.record.output_file_id), ("error", claim.record.error_file_id)):
        if not file_id:
            continue
        name = names.batch_answers(claim.record, kind)
        if app.files.info(Container.WORK, name) is None and not _fetch(app, claim, file_id, name):
            continue
        sources.append(partial(_kept_chunks, app, claim, name))
    return sources


def _kept_chunks(app: App, claim: Claim[Batch], name: str) -> Iterator[bytes]:
    """Read a work blob and keep the claim meanwhile: all files are read before the first row has its outcome."""
    return claim.keeping(app.files.read(Container.WORK, name))


def _fetch(app: App, claim: Claim[Batch], file_id: str, name: str) -> bool:
    """Download one file whole; False where the service has none by that id."""
    copy = app.files.writer(Container.WORK, name, create_only=True)
    size = 0
    try:
        for chunk in claim.keeping(_remote_chunks(app, file_id)):
            copy.write(chunk)
            size += len(chunk)
    except NotFound:
        return False
    file = app.service.file(file_id) if app.settings.transfer == "upload" else None
    if file is not None and file.size > size:
        raise Unavailable(f"File {file_id} broke off after {size} of {file.size} bytes")
    try:
        copy.commit()
    except Conflict:
        pass  # Another worker's copy of the same file is there.
    return True


def _remote_chunks(app: App, file_id: str) -> Iterable[bytes]:
    if app.settings.transfer == "storage":
        return app.files.read(Container.WORK, app.files.name_of(Container.WORK, file_id))
    return app.service.read_file(file_id)


def _follower(app: App, job: Job, claim: Claim[Batch], tally: _Tally) -> Batch | None:
    """Write the input of the follow-up batch; None where no row is worth asking again."""
    batch = claim.record
    if not may_follow(job, batch) or not tally.codes:
        return None
    plan = read_plan(app, job)
    faulty = is_schema_faulty(tally.codes[RowCode.INVALID_OUTPUT], tally.rows)
    # Earlier than that, no row can have used its tries; nor does it matter after the last attempt.
    counts = tally.codes[RowCode.INVALID_OUTPUT] and INVALID_OUTPUT_RETRIES < batch.attempt < plan.max_attempts
    ill_fitting = _ill_fitting_before(app, batch) if counts else Counter()
    keep: set[int] = set()
    raised: set[int] = set()
    for outcome in failures_in(app, names.batch_outcomes(batch)):
        others = batch.attempt - 1 - ill_fitting[outcome.row]
        if tries_again(outcome, batch.attempt, plan.max_attempts, faulty, others):
            (raised if outcome.code is RowCode.TRUNCATED else keep).add(outcome.row)
    if not keep and not raised:
        return None
    return _write_follower(app, claim, keep | raised, raised)


def _ill_fitting_before(app: App, batch: Batch) -> Counter[int]:
    """How often the answers of rows, by row, did not fit their schema in earlier attempts."""
    earlier = [one for one in app.store.batches(batch.job_id) if one.attempt < batch.attempt]
    return Counter(
        outcome.row
        for one in earlier
        if one.errors or one.followed
        for outcome in failures_in(app, names.batch_outcomes(one))
        if outcome.code is RowCode.INVALID_OUTPUT
    )


def _write_follower(app: App, claim: Claim[Batch], keep: set[int], raised: set[int]) -> Batch | None:
    batch = claim.record
    after = Batch(
        job_id=batch.job_id,
        index=batch.index,
        attempt=batch.attempt + 1,
        state=BatchState.PREPARED,
        model=batch.model,
        url=batch.url,
        requests=0,
    )
    lines = app.files.writer(Container.WORK, names.batch_input(after))
    rows = app.files.writer(Container.WORK, names.batch_rows(after))
    requests = size = 0
    again = follow_up(
        work_lines(app, names.batch_input(batch)),
        read_rows(work_lines(app, names.batch_rows(batch))),
        keep,
        raised=raised,
    )
    for line, row in claim.keeping(again, every=ROWS):
        lines.write(line + b"\n")
        rows.write(row_line(row) + b"\n")
        requests += 1
        size += len(line) + 1
    if not requests:
        return None
    lines.commit()
    rows.commit()
    tokens = batch.input_tokens * requests // max(batch.requests, 1)
    return replace(after, requests=requests, size=size, input_tokens=tokens)


def _finish(app: App, claim: Claim[Batch], tally: _Tally | None, follower: Batch | None) -> None:
    """Close the batch, and open its follower in the same transaction, unless the job is stopped meanwhile."""
    assert tally is not None  # Outcomes without answers always come whole.
    for _ in range(CONFLICTS):
        job = app.store.job(claim.record.job_id)
        if job is None or job.state.ended:
            return
        goes_on = follower if follower is not None and may_follow(job, claim.record) else None
        try:
            app.store.finish_batch(
                _warned(job, claim.record, tally),
                _collected(app, claim.record, tally, goes_on),
                [goes_on] if goes_on else [],
            )
        except Conflict:
            claim.refresh(app.store.batch(claim.record.job_id, claim.record.index, claim.record.attempt))
            continue
        log.info(
            "batch collected",
            extra={"job_id": job.job_id, "batch_id": claim.record.batch_id, "succeeded": tally.succeeded},
        )
        return
    claim.release(queued_until=app.now() + timedelta(seconds=5))


def _collected(app: App, batch: Batch, tally: _Tally, follower: Batch | None) -> Batch:
    errors = Counter(tally.codes)
    if follower is not None:
        errors -= Counter(_codes_of(app, batch, follower))
    return replace(
        batch,
        state=BatchState.COLLECTED,
        lease=None,
        wait=None,
        succeeded=tally.succeeded,
        followed=follower.requests if follower else 0,
        errors=dict(errors),
        usage=Usage(tally.input_tokens, tally.output_tokens),
        cost_usd=round(tally.cost_usd, 9),
        unpriced_rows=tally.unpriced_rows,
    )


def _codes_of(app: App, batch: Batch, follower: Batch) -> Iterator[str]:
    """The codes that the follower's rows had in this batch."""
    rows = {row.row for row in read_rows(work_lines(app, names.batch_rows(follower)))}
    for outcome in failures_in(app, names.batch_outcomes(batch)):
        if outcome.row in rows and outcome.code is not None:
            yield outcome.code.value


def _warned(job: Job, batch: Batch, tally: _Tally) -> Job:
    invalid = tally.codes[RowCode.INVALID_OUTPUT]
    if not is_schema_faulty(invalid, tally.rows):
        return job
    warning = (
        f"{invalid} of the {tally.rows} answers of batch {batch.batch_id} do not fit their schema: that is the "
        "schema's or the prompt's fault, so those rows were not asked again."
    )
    return job if warning in job.warnings else replace(job, warnings=(*job.warnings, warning))
