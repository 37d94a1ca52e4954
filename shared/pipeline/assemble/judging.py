"""A collected pilot → pilot.csv, and the decision whether the rest of the job is sent or held."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from shared.domain import blob_names
from shared.domain.errors import Transient
from shared.domain.ledger import month_of
from shared.domain.lifecycle import next_backoff, pilot_is_due
from shared.domain.model import Batch, Job, JobState, RowBlock, RowCode, block_of_one
from shared.domain.ports import App, BlobWriter, Container
from shared.money.estimate import estimate_rest
from shared.money.pilot import verdict
from shared.pipeline.assemble.result_columns import result_columns
from shared.pipeline.assemble.row_writer import RowWriter
from shared.pipeline.assemble.source_rows import Rows
from shared.pipeline.build.building import read_plan
from shared.pipeline.claims import Claim, claim_job
from shared.pipeline.deployment_models import DeploymentModels
from shared.pipeline.outcome_files import merged_batches, work_lines
from shared.pipeline.pilot_answers import PilotAnswers
from shared.pipeline.records import JobRecords
from shared.pipeline.spending import charge, charged_so_far, reserve
from shared.requests.batch_file import read_rows
from shared.results.files import ERRORS_JSONL, RESULTS_CSV, RESULTS_JSONL, ResultFiles

log = logging.getLogger("structuredbatch.pilot")

PILOT_CSV: Final = "pilot.csv"


def judge(records: JobRecords) -> None:
    """Write the rows of a job's collected pilot, and send or hold the rest; a passing error makes the job wait."""
    claim = claim_job(records)
    if claim is None:
        return
    with claim:
        if not pilot_is_due(claim.record, records.batches):
            claim.release()
            return
        try:
            _write_rows(records, claim)
            changes = _judged(records, claim.record)
        except Transient as error:
            app = records.app
            wait = next_backoff(
                claim.record.wait, str(error), app.now(), app.settings.backoff, records.job_id, error.retry_after
            )
            claim.release(wait=wait)
            return
        claim.release(wait=None, progress_at=records.app.now(), **changes)
    log.info("pilot judged", extra={"job_id": records.job_id, "held_by": records.job.held_by})


def _judged(records: JobRecords, job: Job) -> dict[str, Any]:
    """Decide what becomes of the rest, and reserve what it will cost; return what changes in the job."""
    app, pilot = records.app, job.pilot
    assert pilot is not None  # It is due.
    done = _pilot_batches(records)
    errors: Counter[str] = Counter()
    for batch in done:
        errors.update(batch.errors)
    answers = PilotAnswers(done)
    models = DeploymentModels(app.settings, app.ledger)
    models.learn(answers.by_deployment)
    rest = estimate_rest(pilot.rest, models.behind, answers.mean)
    judged = verdict(
        sum(batch.succeeded for batch in done),
        errors,
        min_ok=pilot.min_ok,
        holds=pilot.holds,
        rest=rest,
        rows_left=sum(left.requests for left in pilot.rest.values()),
    )
    lifted = job.caps_lifted or job.released
    job = replace(job, released=False, caps_lifted=lifted)
    charge(records)  # Else a charge that failed earlier would be missing where the budget is looked at.
    held = reserve(app, job, rest, charged=charged_so_far(records), found=judged.hold)
    return {
        "estimate": rest,
        "pilot": replace(pilot, judged=True),
        "released": False,
        "caps_lifted": lifted,
        "state": JobState.HELD if held else JobState.RUNNING,
        "message": held.message if held else "",
        "held_by": held.by if held else "",
        "held_in": month_of(app.now()) if held else "",
    }


def _pilot_batches(records: JobRecords) -> list[Batch]:
    return [batch for batch in records.batches if batch.pilot]


def _write_rows(records: JobRecords, claim: Claim[Job]) -> None:
    """Write pilot.csv, and the same rows as JSON lines for the API."""
    app, job = records.app, claim.record
    plan = read_plan(app, job)
    columns = result_columns(records, claim, plan)
    rows = Rows(app, job, plan)
    done = _pilot_batches(records)
    rows.row_blocks = _only(rows.row_blocks, _rows_of(app, done))
    writers = _writers(app, job)
    files = ResultFiles(columns.layout(plan, rows.separator), {name: writer.write for name, writer in writers.items()})
    RowWriter(rows, merged_batches(app, done), files, (RowCode.MISSING, "This row has no answer.")).write_all(claim)
    files.close()
    for writer in writers.values():
        writer.commit()


def _writers(app: App, job: Job) -> dict[str, BlobWriter]:
    found = {
        name: app.files.writer(Container.WORK, blob_names.pilot_rows(job, name))
        for name in (RESULTS_JSONL, ERRORS_JSONL)
    }
    return {**found, RESULTS_CSV: app.files.writer(Container.RESULTS, blob_names.results_folder(job) + PILOT_CSV)}


def _rows_of(app: App, batches: Sequence[Batch]) -> Set[int]:
    return {row.row for batch in batches for row in read_rows(work_lines(app, blob_names.batch_rows(batch)))}


def _only(blocks: Iterator[RowBlock], wanted: Set[int]) -> Iterator[RowBlock]:
    """Pass on the rows with these numbers, each as a block of one."""
    for block in blocks:
        for place in range(len(block.rows)):
            if block.row + place in wanted:
                yield block_of_one(block.record(place))
