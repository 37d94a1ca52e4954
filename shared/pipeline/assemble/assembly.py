"""All outcomes of a job → its result files, in input order; and the end of the job."""

import logging
from collections.abc import Callable, Set

from shared.domain import blob_names
from shared.domain.errors import JobFault, NotFound, Transient
from shared.domain.lifecycle import end_of, next_backoff
from shared.domain.model import BatchState, Job, JobCode, RowCode
from shared.domain.ports import App, BlobWriter, Container
from shared.job_settings.plan import JobPlan, plan_without_settings
from shared.pipeline.assemble.result_columns import result_columns
from shared.pipeline.assemble.row_writer import Counts, RowWriter
from shared.pipeline.assemble.source_rows import Rows
from shared.pipeline.assemble.typed_table import parquet_table
from shared.pipeline.build.building import read_plan
from shared.pipeline.claims import Claim, claim_job
from shared.pipeline.outcome_files import merged_blocks
from shared.pipeline.records import JobRecords
from shared.pipeline.reporting import close
from shared.prompt_file import form_of
from shared.results.files import (
    ERRORS_JSONL,
    RESULTS_CSV,
    RESULTS_JSONL,
    RESULTS_PARQUET,
    RESULTS_XLSX,
    Layout,
    ResultFiles,
)

log = logging.getLogger("structuredbatch.assembly")

UNREADABLE = frozenset({JobCode.UNSUPPORTED_FORMAT, JobCode.NOT_UTF8, JobCode.SOURCE_CHANGED})
"""Faults after which not even the number of rows is known; an invalid file can still have readable rows."""


def assemble(records: JobRecords) -> None:
    """Write the result files of a job whose batches are all collected, and end it; a passing error makes it wait."""
    claim = claim_job(records)
    if claim is None:
        return
    with claim:
        is_ended = _assemble(records, claim)
    if is_ended:
        close(records)


def _assemble(records: JobRecords, claim: Claim[Job]) -> bool:
    """Write the files and end the job; return False if it cannot be ended now."""
    app, job_id, batches = records.app, records.job_id, records.batches
    if not claim.record.built or any(batch.state is not BatchState.COLLECTED for batch in batches):
        claim.release()
        return False
    try:
        counts = _write_results(records, claim)
    except Transient as error:
        message = f"{error}. The results are written as soon as it passes."
        first = app.settings.backoff
        claim.release(wait=next_backoff(claim.record.wait, message, app.now(), first, job_id, error.retry_after))
        return False
    state, code, message = end_of(claim.record, batches)
    claim.release(
        state=state,
        code=code,
        message=message,
        wait=None,
        completed_at=app.now(),
        updated_at=app.now(),
        rows_total=counts.total,
        rows_succeeded=counts.succeeded,
        errors=dict(counts.errors),
        warnings=tuple(dict.fromkeys([*claim.record.warnings, *counts.warnings])),
    )
    log.info("job ended", extra={"job_id": job_id, "state": state.value, "rows": counts.total})
    return True


def _write_results(records: JobRecords, claim: Claim[Job]) -> Counts:
    app, job = records.app, claim.record
    try:
        if job.code in UNREADABLE:
            raise JobFault(job.code, job.message)
        return _write_rows(records, claim, _plan(app, job))
    except JobFault as fault:
        return _write_nothing(app, job, total=0 if fault.code is JobCode.EMPTY_FILE else None)
    except NotFound:  # There is no copy, but a list that matches nothing is known to have no row.
        return _write_nothing(app, job, total=0 if job.code is JobCode.EMPTY_FILE else None)


def _plan(app: App, job: Job) -> JobPlan:
    try:
        return read_plan(app, job)
    except NotFound:
        # No row became a request: the columns' own names are enough to write errors.jsonl.
        return plan_without_settings(app.settings)


def _write_rows(records: JobRecords, claim: Claim[Job], plan: JobPlan) -> Counts:
    app, job = records.app, claim.record
    columns = result_columns(records, claim, plan)
    rows = Rows(app, job, plan)
    form = form_of(job.prompt_file)
    writers = _writers(app, job, {*plan.formats, form.kind.value if form else ""})
    sinks: dict[str, Callable[[bytes], object]] = {name: writer.write for name, writer in writers.items()}
    parquet = None
    if RESULTS_PARQUET in sinks:
        write = sinks[RESULTS_PARQUET]
        parquet = parquet_table(app, claim, lambda: Rows(app, job, plan), columns, write)
    files = ResultFiles(columns.layout(plan, rows.separator), sinks, parquet)
    outcomes = merged_blocks(app, job, records.batches)
    counts = RowWriter(rows, outcomes, files, _outcome_if_missing(job)).write_all(claim)
    closed = files.close()
    counts.warnings += closed.warnings
    for name, blob in writers.items():
        if name not in closed.left_out:
            blob.commit()
    return counts


def _write_nothing(app: App, job: Job, total: int | None) -> Counts:
    """Write empty result files for a job whose prompt file has no rows, or could not be read."""
    writers = _writers(app, job, set())
    sinks: dict[str, Callable[[bytes], object]] = {name: writer.write for name, writer in writers.items()}
    ResultFiles(Layout(own=(), fields=()), sinks).close()
    for writer in writers.values():
        writer.commit()
    return Counts(total=total)


def _writers(app: App, job: Job, formats: Set[str]) -> dict[str, BlobWriter]:
    wanted = [RESULTS_JSONL, ERRORS_JSONL, RESULTS_CSV]
    if "xlsx" in formats:
        wanted.append(RESULTS_XLSX)
    if "parquet" in formats:
        wanted.append(RESULTS_PARQUET)
    return {name: app.files.writer(Container.RESULTS, blob_names.results_folder(job) + name) for name in wanted}


def _outcome_if_missing(job: Job) -> tuple[RowCode, str]:
    """Return the code and message for rows without an outcome."""
    if job.gave_up_at is not None:
        return RowCode.GAVE_UP, "The job gave up before this row could be sent."
    if job.cancelled:
        return RowCode.NOT_SENT, "The job was cancelled before this row was sent."
    return RowCode.NOT_SENT, f"Nothing was sent: {job.message}" if job.message else "This row was not sent."
