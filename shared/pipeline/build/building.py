"""The prompt file → batches, prepared: copied once, then read as a stream and cut into input files."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shared import json_codec
from shared.domain import blob_names
from shared.domain.errors import Conflict, JobFault, NotFound, Transient
from shared.domain.ledger import month_of
from shared.domain.lifecycle import cut, is_stopping, next_backoff
from shared.domain.model import Job, JobCode, JobState, PilotPlan
from shared.domain.ports import App, Container
from shared.job_settings.plan import JobPlan
from shared.money.pilot import pilot_positions, pilot_size
from shared.pipeline.build import snapshot
from shared.pipeline.build.build_pass import COLUMNS, BuildPass
from shared.pipeline.build.built import Built
from shared.pipeline.build.file_rows import list_warnings
from shared.pipeline.build.pilot_rows import RequestKinds
from shared.pipeline.build.planning import fix_plan, read_plan
from shared.pipeline.build.request_files import OutdatedError, RequestFiles
from shared.pipeline.build.run_ends import UnfinishedError
from shared.pipeline.claims import Claim, claim_job
from shared.pipeline.records import JobRecords
from shared.pipeline.spending import reserve
from shared.prompt_file import form_of, why_unsupported

__all__ = ["COLUMNS", "prepare", "read_plan"]

log = logging.getLogger("structuredbatch.building")


def prepare(records: JobRecords) -> None:
    """Copy the prompt file, fix the job's plan and cut its rows into prepared batches.

    A fault of the file or its settings is written into the job, and ends it when it is assembled. What may pass is
    written down as the job's wait.
    """
    app = records.app
    claim = claim_job(records)
    if claim is None:
        return
    with claim:
        if claim.record.built:
            claim.release()
            return
        try:
            _prepare(records, claim)
        except JobFault as fault:
            _end_with(claim, fault)
        except Transient as error:
            before, first = claim.record.wait, app.settings.backoff
            claim.release(wait=next_backoff(before, str(error), app.now(), first, records.job_id, error.retry_after))


def _prepare(records: JobRecords, claim: Claim[Job]) -> None:
    app, job = records.app, claim.record
    if is_stopping(job):
        snapshot.take_for_the_record(records, claim)
        claim.release(built=True, wait=None)
        return
    if form_of(job.prompt_file) is None:
        raise JobFault(
            JobCode.UNSUPPORTED_FORMAT,
            f"{why_unsupported(job.prompt_file)} To keep other files here, start their names with _ or a dot.",
        )
    copied = snapshot.take(records, claim)
    plan, is_first = fix_plan(app, job, may_be_there=not copied.is_first)
    try:
        built = _build(app, claim, plan, copied.chunks, anew=is_first)
    except UnfinishedError:
        claim.release()  # The next poll lets it go on.
        return
    except JobFault as fault:
        _end_with(claim, fault, settings=plan.settings.sources)
        return
    if built.has_pilot and plan.settings.pilot and not pilot_size(plan.settings.pilot.rows, built.requests):
        built.drop_pilot()  # Documents of rows that were counted as sendable were missing or damaged.
    built.warnings[:0] = list_warnings(app, job)
    if blob_names.results_name(job.prompt_file) != job.prompt_file:
        built.warnings.insert(
            0, f"The prompt file's name is too long: its results lie in {blob_names.results_folder(job)}"
        )
    _finish(records, claim, plan, built)


def _finish(records: JobRecords, claim: Claim[Job], plan: JobPlan, built: Built) -> None:
    app = records.app
    job = replace(claim.record, cost_cap=plan.settings.max_cost_usd)
    held = reserve(app, job, built.estimate, pilot=built.pilot_estimate)
    job = replace(
        job,
        built=True,
        state=JobState.HELD if held else job.state,
        message=held.message if held else "",
        wait=None,
        lease=None,
        first_batches=len(built.batches),
        rows_total=built.total,
        rows_carried_over=built.carried_over,
        rows_reused=built.reused,
        unsent=dict(built.unsent),
        input_tokens=built.estimate.input_tokens,
        estimate=built.estimate,
        pilot=_pilot_plan(plan, built),
        settings=plan.settings.sources,
        held_by=held.by if held else "",
        held_in=month_of(app.now()) if held else "",
        warnings=built.first_warnings,
        progress_at=app.now(),
    )
    records.finish_building(job, built.batches)
    claim.record = records.job
    log.info(
        "job built",
        extra={"job_id": job.job_id, "rows": built.total, "batches": len(built.batches), "held_by": job.held_by},
    )


def _pilot_plan(plan: JobPlan, built: Built) -> PilotPlan | None:
    given = plan.settings.pilot
    rows = sum(batch.requests for batch in built.batches if batch.pilot)
    if given is None or not rows:
        return None
    holds = given.then == "hold"
    return PilotPlan(rows=rows, min_ok=given.min_ok, holds=holds, rest=built.rest, estimate=built.pilot_estimate)


def _build(app: App, claim: Claim[Job], plan: JobPlan, chunks: Iterable[bytes] | None, *, anew: bool) -> Built:
    there = {} if anew else _there(app, claim.record)
    try:
        return _build_once(app, claim, plan, chunks, there)
    except OutdatedError:
        run_ends = {name: size for name, size in there.items() if blob_names.row_of_run_end(name) is not None}
        return _build_once(app, claim, plan, None, run_ends, again=True)
    finally:
        app.renderer.close()


def _build_once(
    app: App,
    claim: Claim[Job],
    plan: JobPlan,
    chunks: Iterable[bytes] | None,
    there: Mapping[str, int],
    *,
    again: bool = False,
) -> Built:
    """Build a job; `again` where what was found before is outdated."""
    pilot: Sequence[int] = ()
    if plan.settings.pilot is not None and not claim.record.retry_of:
        pilot, chunks = _pilot(app, claim, plan, plan.settings.pilot.rows, chunks, again=again), None
    return BuildPass(app, claim, plan, RequestFiles(app, claim.record, plan, there), pilot=pilot).run(chunks)


def _pilot(
    app: App, claim: Claim[Job], plan: JobPlan, rows: int, chunks: Iterable[bytes] | None, *, again: bool
) -> Sequence[int]:
    """Choose the pilot's requests, by their positions, once; it takes another pass to know how many there are."""
    name = blob_names.pilot_positions(claim.record)
    if not again:
        with suppress(NotFound):
            return _positions(app, name)
    found = RequestKinds()
    BuildPass(app, claim, plan, found).read(chunks)
    positions = pilot_positions(found.kinds, pilot_size(rows, len(found.kinds)))
    try:
        app.files.write(Container.WORK, name, json_codec.encode(positions), create_only=not again)
    except Conflict:
        return _positions(app, name)  # Another worker's count.
    return positions


def _positions(app: App, name: str) -> Sequence[int]:
    found: list[int] = json_codec.items(json_codec.loads(b"".join(app.files.read(Container.WORK, name))))
    return found


def _there(app: App, job: Job) -> dict[str, int]:
    """Return the sizes of the files of the job's batches, by their names; those that are whole stay."""
    return {blob.name: blob.size for blob in app.files.blobs(Container.WORK, prefix=blob_names.batch_folders(job))}


def _end_with(claim: Claim[Job], fault: JobFault, **changes: Any) -> None:
    """Write down the fault that ends the job once it is assembled."""
    log.info("prompt file has a fault", extra={"job_id": claim.record.job_id, "code": fault.code.value})
    claim.release(built=True, code=fault.code, message=cut(str(fault)), wait=None, **changes)
