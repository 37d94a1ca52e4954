"""A collected batch's failed rows → the follow-up batch of those worth trying again."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from shared.answer_schema.schema_list import checked_digest
from shared.answers.tally import Tally
from shared.domain import blob_names
from shared.domain.estimate import Estimate
from shared.domain.lifecycle import INVALID_OUTPUT_RETRIES, is_schema_faulty, may_follow, tries_again
from shared.domain.model import Batch, BatchState, RowCode
from shared.domain.ports import App
from shared.pipeline.build.building import read_plan
from shared.pipeline.build.estimating import RequestSamples, estimate_follow_up
from shared.pipeline.claims import Claim
from shared.pipeline.deployment_models import DeploymentModels
from shared.pipeline.outcome_files import failures_in, work_lines
from shared.pipeline.pilot_answers import PilotAnswers
from shared.pipeline.records import JobRecords
from shared.requests.batch_file import BatchFileWriter, read_requests, read_rows
from shared.requests.follow_up import follow_up


def follow_up_of(records: JobRecords, claim: Claim[Batch], tally: Tally) -> Batch | None:
    """Write the input of the follow-up batch and return the batch; None if no row is worth trying again."""
    app, job, batch = records.app, records.job, claim.record
    if not may_follow(job, batch) or not tally.codes:
        return None
    plan = read_plan(app, job)
    faulty = is_schema_faulty(tally.codes[RowCode.INVALID_OUTPUT], tally.rows)
    # Earlier no row can have used up its tries, and after the last attempt it does not matter.
    counts = tally.codes[RowCode.INVALID_OUTPUT] and INVALID_OUTPUT_RETRIES < batch.attempt < plan.max_attempts
    misfits = _misfits_before(records, batch) if counts else Counter()
    keep: set[int] = set()
    raised: set[int] = set()
    for outcome in failures_in(app, blob_names.batch_outcomes(batch)):
        others = batch.attempt - 1 - misfits[outcome.row]
        if tries_again(outcome, batch.attempt, plan.max_attempts, faulty, others):
            (raised if outcome.code is RowCode.TRUNCATED else keep).add(outcome.row)
    if not keep and not raised:
        return None
    return _write_follow_up(app, claim, keep | raised, raised)


def _misfits_before(records: JobRecords, batch: Batch) -> Counter[int]:
    """Count by row how often an answer did not fit its schema in earlier attempts."""
    earlier = [one for one in records.batches if one.attempt < batch.attempt]
    return Counter(
        outcome.row
        for one in earlier
        if one.errors or one.followed
        for outcome in failures_in(records.app, blob_names.batch_outcomes(one))
        if outcome.code is RowCode.INVALID_OUTPUT
    )


def _write_follow_up(app: App, claim: Claim[Batch], keep: set[int], raised: set[int]) -> Batch | None:
    batch = claim.record
    after = Batch(
        job_id=batch.job_id,
        index=batch.index,
        attempt=batch.attempt + 1,
        state=BatchState.PREPARED,
        model=batch.model,
        url=batch.url,
        pilot=batch.pilot,
        requests=0,
    )
    blocks = read_requests(
        batch,
        work_lines(app, blob_names.batch_input(batch)),
        work_lines(app, blob_names.batch_rows(batch)),
    )
    again = BatchFileWriter.begin(app.files, after)
    for block in claim.keeping(follow_up(blocks, keep, raised=raised)):
        again.add(block)
    if again.is_empty:
        return None
    claim.keep()
    return again.commit()


def estimate_of(records: JobRecords, after: Batch, tally: Tally) -> Estimate:
    """Estimate a follow-up batch by the job's pilot, or as a job is estimated, or by what the batch before it cost."""
    app, schemas = records.app, records.schemas()
    models = DeploymentModels(app.settings, app.ledger)
    samples = RequestSamples(models)
    lines, rows = (work_lines(app, name(after)) for name in (blob_names.batch_input, blob_names.batch_rows))
    used: set[int] = set()
    for block in read_requests(after, lines, rows):
        samples.add(block)
        used.update(block.schemas)
    digests = {number: checked_digest(schemas[number].checked) for number in used if number >= 0}
    judged = records.job.pilot is not None and records.job.pilot.judged
    pilot = PilotAnswers(batch for batch in records.batches if batch.pilot) if judged else None
    found = estimate_follow_up(samples, models, app.ledger, digests, pilot)
    paid = sum(outputs.answers for outputs in tally.outputs.values())
    if found.usd is not None or not tally.cost_usd or not paid:
        return found
    return replace(found, usd=tally.cost_usd / paid * after.requests)


def codes_of(app: App, batch: Batch, after: Batch) -> Iterator[str]:
    """Return the codes that the follow-up's rows had in this batch."""
    rows = {row.row for row in read_rows(work_lines(app, blob_names.batch_rows(after)))}
    for outcome in failures_in(app, blob_names.batch_outcomes(batch)):
        if outcome.row in rows and outcome.code is not None:
            yield outcome.code.value
