"""An ended batch → the outcomes of its rows, and a follow-up batch of those worth trying again.

Downloads and outcomes are written create-only, and the first copy counts: if the step is repeated, or done twice at the
same time, it continues from the same bytes.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.answer_schema.schema_list import checked_digest
from shared.answers import outcomes
from shared.answers.batch_warnings import common_refusal, warning_of
from shared.answers.matching import Matching
from shared.answers.tally import Tally
from shared.answers.validation import Checks
from shared.domain import blob_names
from shared.domain.errors import Conflict, Transient, Unavailable
from shared.domain.ledger import OutputTokens, history_key
from shared.domain.lifecycle import cut, may_follow, next_backoff
from shared.domain.model import Batch, BatchState, Fault, Job, RowCode
from shared.domain.ports import App, Container
from shared.money.budget_and_caps import unsent_follow_up
from shared.pipeline.build.estimating import schema_key
from shared.pipeline.claims import Claim, claim_batch, finish
from shared.pipeline.collect.downloads import (
    FILES,
    READS,
    OvertakenError,
    are_cut_off,
    blobs_of,
    delete_input,
    download,
    refresh_file_ids,
)
from shared.pipeline.collect.follow_up import codes_of, estimate_of, follow_up_of
from shared.pipeline.outcome_files import outcomes_in, work_lines
from shared.pipeline.records import JobRecords
from shared.pipeline.spending import caps_of, charge, reserve_follow_up
from shared.requests.batch_file import read_rows

log = logging.getLogger("structuredbatch.collection")

WARNINGS: Final = 40
"""The most warnings of a job: its row has room for 32,768 characters, and building adds at most 20 warnings of 400."""

ABSENT: Final = {
    "completed": Fault(RowCode.MISSING, "The service gave no answer for this row."),
    "expired": Fault(RowCode.EXPIRED, "The batch expired before this row was answered."),
    "cancelled": Fault(RowCode.CANCELLED, "The batch was cancelled before this row was answered."),
}


def collect(records: JobRecords, index: int, attempt: int) -> None:
    """Fetch and check a batch's answers, and close the batch; an error that may pass leaves it ended, with a wait."""
    claim = claim_batch(records, index, attempt, BatchState.ENDED)
    if claim is None:
        return
    with claim:
        try:
            _collect(records, claim)
        except Transient as error:
            _wait_or_give_up(records, claim, error)
    _charge(records, claim.record)
    delete_input(records.app, claim.record)


def _charge(records: JobRecords, batch: Batch) -> None:
    """Record what the job has cost so far; after the last batch, settling the job does that."""
    if batch.state is BatchState.COLLECTED and any(one.state is not BatchState.COLLECTED for one in records.batches):
        try:
            charge(records)
        except Transient as error:  # The next collection, the poll or the job's end makes up for it.
            log.warning("charges not written yet: %s", error, extra={"job_id": records.job_id})


def _wait_or_give_up(records: JobRecords, claim: Claim[Batch], error: Transient) -> None:
    app = records.app
    if records.job.gave_up_at is not None:
        _give_up(records, claim, str(error))
        return
    batch = claim.record
    message = f"{str(error).rstrip('.')}. The batch's answers are safe at the service and are fetched again."
    first = app.settings.backoff
    claim.release(wait=next_backoff(batch.wait, message, app.now(), first, batch.full_name, error.retry_after))


def _give_up(records: JobRecords, claim: Claim[Batch], reason: str) -> None:
    message = cut(f"The job gave up while the batch's answers could not be fetched: {reason}")
    batch = claim.change(failure=RowCode.GAVE_UP, message=message)
    tally = _take_outcomes(records, claim)
    _finish(records, claim, tally, None)
    log.error("answers given up", extra={"job_id": batch.job_id, "batch_id": batch.batch_id})


def _collect(records: JobRecords, claim: Claim[Batch]) -> None:
    tally = _take_outcomes(records, claim)
    if tally is None:
        return
    follow_up = follow_up_of(records, claim, tally)
    warning = "" if follow_up is None else _reserve(records, claim.record, tally, follow_up)
    _finish(records, claim, tally, None if warning else follow_up, warning)


def _reserve(records: JobRecords, batch: Batch, tally: Tally, follow_up: Batch) -> str:
    """Reserve what a follow-up will cost; if it would pass a cap, return the warning that says so."""
    if caps_of(records.app, records.job).limits_cost or records.app.settings.monthly_budget_usd is not None:
        expected = estimate_of(records, follow_up, tally)
        held = reserve_follow_up(records, _collected(records, batch, tally, follow_up), expected)
        if held is not None:
            return unsent_follow_up(follow_up.requests, expected.usd, held.by, caps_of(records.app, records.job))
    return ""


def _take_outcomes(records: JobRecords, claim: Claim[Batch]) -> Tally | None:
    """Write the batch's outcomes unless another worker has; None if its files must be fetched again first."""
    app = records.app
    there = blobs_of(app, claim.record)
    name = blob_names.batch_outcomes(claim.record)
    if name not in there:
        written = _write_outcomes_anew(records, claim, there)
        if written is not None:
            return written
        if claim.record.lease is None:
            return None
    tally = _tally(app, claim.record)
    for some in claim.keeping(outcomes_in(app, name)):
        tally.add(some)
    return tally


def _tally(app: App, batch: Batch) -> Tally:
    _, _, deployment = batch.target.partition("/")
    return Tally(app.settings.deployment_models, deployment, batch.model)


def _write_outcomes_anew(records: JobRecords, claim: Claim[Batch], there: set[str]) -> Tally | None:
    """Write the outcomes; start over, at most once for each file, if another worker's copy of the file counts."""
    for _ in FILES:
        with suppress(OvertakenError):
            return _write_outcomes(records, claim, there)
    return _write_outcomes(records, claim, there)


def _write_outcomes(records: JobRecords, claim: Claim[Batch], there: set[str]) -> Tally | None:
    """Match answers to rows; None if files are incomplete (then the claim is released) or another worker was faster."""
    app, job = records.app, records.job
    sources = _sources(app, claim, there)
    batch = claim.record
    schemas = records.schemas()
    matching = Matching(
        read_rows(work_lines(app, blob_names.batch_rows(batch))),
        sources,
        absent=_absence(job, batch),
        attempts=batch.attempt if batch.batch_id else batch.attempt - 1,
        checks=Checks(lambda number: schemas[number].checked),
    )
    tally = _tally(app, batch)
    part = app.files.writer(Container.WORK, blob_names.batch_outcomes(batch), create_only=True)
    for lines in claim.keeping(matching.lines()):
        tally.add(outcomes.read_lines(lines))
        part.write(b"\n".join((*lines, b"")))
    answered = batch.requests - matching.missing
    short = matching.cut or matching.broken_lines or answered < _promised(batch)
    if short and batch.failure is None:
        if batch.reads < READS:
            _read_again(app, claim, matching.missing)
            return None
        if are_cut_off(app, batch):
            claim.change(reads=batch.reads + 1)
            raise Unavailable(f"The batch's files break off ({matching.missing} rows without an answer)")
    try:
        part.commit()
    except Conflict:
        return None  # Another worker has written the outcomes, which count.
    if matching.unknown or matching.repeated or matching.broken_lines:
        counts = {"unknown": matching.unknown, "repeated": matching.repeated, "broken": matching.broken_lines}
        log.warning("ignored unusable answer lines", extra={"job_id": job.job_id, "batch_id": batch.batch_id, **counts})
    return tally


def _sources(app: App, claim: Claim[Batch], there: set[str]) -> list[Callable[[], Iterator[bytes]]]:
    """Return the files with the batch's answers; for a batch that failed or was given up, those that can be read."""
    if claim.record.failure is not None:
        return download(app, claim, there, only_readable=True)
    if claim.record.reads:
        refresh_file_ids(app, claim)
    return download(app, claim, there)


def _promised(batch: Batch) -> int:
    """Return how many rows must have an answer, according to the batch's status and counts."""
    return batch.requests if batch.status == "completed" else min(sum(batch.counts[1:]), batch.requests)


def _absence(job: Job, batch: Batch) -> Fault:
    if batch.failure is not None:
        return Fault(batch.failure, batch.message)
    if job.gave_up_at is not None and batch.status != "completed":
        return Fault(RowCode.GAVE_UP, "The job gave up before this row was answered.")
    return ABSENT.get(batch.status, ABSENT["completed"])


def _read_again(app: App, claim: Claim[Batch], missing: int) -> None:
    message = f"The batch's files are incomplete ({missing} rows without an answer): they are fetched again."
    pause = next_backoff(claim.record.wait, message, app.now(), app.settings.backoff / 4, claim.record.full_name)
    claim.release(reads=claim.record.reads + 1, wait=pause)


def _finish(
    records: JobRecords, claim: Claim[Batch], tally: Tally | None, follow_up: Batch | None, warning: str = ""
) -> None:
    """Close the batch and add its follow-up in the same transaction; no follow-up if the job was stopped meanwhile."""
    assert tally is not None  # It is None only if files must be fetched again, which a failed batch's are not.
    app = records.app

    def closed(job: Job, batch: Batch) -> tuple[Job, Batch, list[Batch]] | None:
        if job.state.ended:
            return None
        goes_on = follow_up if follow_up is not None and may_follow(job, batch) else None
        done = _collected(records, batch, tally, goes_on)
        warned = _with_warning(_with_warning(job, warning_of(batch, tally)), warning)
        return warned, done, [goes_on] if goes_on else []

    if not finish(records, claim, closed):
        claim.release(queued_until=app.now() + timedelta(seconds=5))
        return
    log.info(
        "batch collected",
        extra={"job_id": records.job_id, "batch_id": claim.record.batch_id, "succeeded": tally.succeeded},
    )


def _collected(records: JobRecords, batch: Batch, tally: Tally, follow_up: Batch | None) -> Batch:
    errors = Counter(tally.codes)
    if follow_up is not None:
        errors -= Counter(codes_of(records.app, batch, follow_up))
    return replace(
        batch,
        state=BatchState.COLLECTED,
        lease=None,
        wait=None,
        succeeded=tally.succeeded,
        followed=follow_up.requests if follow_up else 0,
        errors=dict(errors),
        usage=tally.usage,
        message=common_refusal(tally) or batch.message,
        cost_usd=round(tally.cost_usd, 9),
        unpriced_rows=tally.unpriced_rows,
        outputs=_outputs(records, batch, tally),
        collected_at=records.app.now(),
    )


def _outputs(records: JobRecords, batch: Batch, tally: Tally) -> dict[str, OutputTokens]:
    """Return the output tokens of a batch's answers by the keys under which later estimates look them up."""
    found: dict[str, OutputTokens] = {}
    for number, outputs in tally.outputs.items():
        digest = checked_digest(records.schemas()[number].checked) if number >= 0 else b""
        for key in (history_key(batch.model), schema_key(batch.model, digest)):
            found[key] = found.get(key, OutputTokens()) + outputs
    return found


def _with_warning(job: Job, warning: str) -> Job:
    if not warning or warning in job.warnings or len(job.warnings) >= WARNINGS:
        return job
    if len(job.warnings) == WARNINGS - 1:
        warning = "There are more warnings about batches: answers that do not fit, refusals, rows not tried again."
    return replace(job, warnings=(*job.warnings, warning))
