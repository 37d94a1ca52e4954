"""Money as a job spends it: reserved before anything is sent, charged as it is collected, settled when the job ends."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from shared.domain.errors import Conflict, Unavailable
from shared.domain.estimate import Estimate, HeldBy
from shared.domain.ledger import FOLDED, Entry, Standing, month_of, outputs_by_key, standing
from shared.domain.model import Batch, BatchState, Job, JobState
from shared.domain.ports import App
from shared.money.caps import Caps, Hold, hold, lower_cap
from shared.pipeline.records import JobRecords, load

log = logging.getLogger("structuredbatch.spending")

TRIES: Final = 20
"""How often a month is looked at again that other jobs change meanwhile."""

FOLDS: Final = 25
"""Transactions of one tick that fold ended jobs' entries into their months."""


def caps_of(app: App, job: Job) -> Caps:
    """Return the caps that hold for a job: none once it was released."""
    if job.released:
        return Caps()
    settings = app.settings
    return Caps(settings.max_input_tokens, lower_cap(settings.max_cost_usd, job.cost_cap), settings.monthly_budget_usd)


def reserve(
    app: App, job: Job, estimate: Estimate, *, charged: float = 0.0, pilot: Estimate | None = None
) -> Hold | None:
    """Reserve what a job will cost, unless a cap stands against it: then return why it is held.

    `estimate` is of what is still to be sent, `charged` what the job has cost so far, `pilot` of a pilot still to come.
    Where there is a monthly budget, looking at it and reserving are one: of two jobs that look at the same time, one
    looks again. Raises Unavailable where others are always quicker.
    """
    caps = caps_of(app, job)
    if app.settings.monthly_budget_usd is None:
        return hold(estimate, caps, charged=charged, pilot=pilot)
    for number in range(TRIES):
        month, entries = app.ledger.month(month_of(app.now()))
        own = next((entry for entry in entries if entry.job_id == job.job_id), Entry(job.job_id))
        committed = standing(month, entries, without=job.job_id).committed + own.charged.get(month.name, 0.0)
        held = hold(estimate, caps, charged=charged, committed=committed, pilot=pilot)
        first = pilot if pilot is not None else estimate
        wanted = 0.0 if held else sum(own.charged.values()) + (first.usd or 0.0)
        if own.version and own.reserved == wanted:
            return held
        try:
            app.ledger.reserve(replace(own, reserved=wanted), month)
        except Conflict:
            app.sleep(0.01 * number)
        else:
            return held
    raise Unavailable("Other jobs keep changing the month's budget")


def try_again(records: JobRecords) -> None:
    """Reserve anew for a job that was held by the budget of a month which is over; where it fits, it goes on."""
    app, job = records.app, records.job
    charged = sum(batch.cost_usd for batch in records.batches)
    held = reserve(app, job, job.estimate or Estimate(job.input_tokens), charged=charged)
    month = month_of(app.now())
    if held is None:
        log.info("held job goes on in a new month", extra={"job_id": job.job_id})
        records.save_job(replace(job, state=JobState.PREPARING, held_by="", message="", progress_at=app.now()))
    else:
        records.save_job(replace(job, held_by=held.by, message=held.message, held_in=month))


def charge(records: JobRecords) -> None:
    """Write down what a job that is under way has cost so far, where its costs are reserved in a budget."""
    app = records.app
    if app.settings.monthly_budget_usd is None:
        return
    wanted = _entry(records)
    for _ in range(TRIES):
        known = app.ledger.entry(records.job_id)
        if known is None or known.ended:
            return
        try:
            app.ledger.save(replace(wanted, reserved=known.reserved, version=known.version))
        except Conflict:
            continue
        return
    raise Unavailable("Other workers keep changing the job's charges")


def settle(records: JobRecords) -> None:
    """Write down what an ended job has cost, once, whoever repeats it; nothing stays reserved."""
    app = records.app
    wanted = replace(_entry(records), ended=True)
    if not wanted.charged and not wanted.outputs and app.settings.monthly_budget_usd is None:
        return
    known: Entry | None = None  # Without a budget the job has no entry before its end.
    for _ in range(TRIES):
        try:
            app.ledger.settle(replace(wanted, version=known.version if known else ""))
        except Conflict:
            known = app.ledger.entry(records.job_id)
            if known is None or known.ended:
                return
        else:
            return
    if known is not None:
        app.ledger.drop(known)  # It was reserved by a worker that came too late.


def fold(app: App, open_jobs: Collection[str]) -> None:
    """Fold the entries of ended jobs into their months, and settle those that a crash left behind."""
    _, entries = app.ledger.month(month_of(app.now()))
    for entry in entries:
        if not entry.ended and entry.job_id not in open_jobs:
            _settle_left_behind(app, entry)
    ended = [entry for entry in entries if entry.ended]
    for start in range(0, min(len(ended), FOLDS * FOLDED), FOLDED):
        try:
            app.ledger.fold(ended[start : start + FOLDED])
        except Conflict as error:
            log.info("charges folded by another worker: %s", error)


def _settle_left_behind(app: App, entry: Entry) -> None:
    records = load(app, entry.job_id)
    if records is None:
        app.ledger.drop(entry)
    elif records.job.state.ended:
        settle(records)


def this_month(app: App) -> Standing:
    """Add up the present month: what was spent, and what the jobs under way are estimated to cost besides."""
    month, entries = app.ledger.month(month_of(app.now()))
    known = standing(month, entries)
    if app.settings.monthly_budget_usd is not None:
        return known
    under_way = [listed.status for listed in app.store.all_listed() if listed.status is not None]
    spent = sum(status["cost"]["usd"] for status in under_way)
    reserved = sum(_left(status) for status in under_way)
    return Standing(known.spent + spent, reserved)


def _left(status: Mapping[str, Any]) -> float:
    """Return what a job under way is estimated to cost besides what it has cost, by its status."""
    usd = (status.get("estimate") or {}).get("usd") or 0.0
    return 0.0 if status["state"] == JobState.HELD else max(0.0, usd - status["cost"]["usd"])


def has_new_month(app: App, job: Job) -> bool:
    """Say whether a job that is held by the budget may look again, as another month has begun."""
    return job.held_by == HeldBy.BUDGET and not job.released and job.held_in < month_of(app.now())


def _entry(records: JobRecords) -> Entry:
    collected = [batch for batch in records.batches if batch.state is BatchState.COLLECTED]
    outputs = outputs_by_key(Entry("", outputs=batch.outputs) for batch in collected)
    return Entry(records.job_id, _charged(collected), outputs=outputs)


def _charged(collected: Sequence[Batch]) -> dict[str, float]:
    """Add up what batches cost, by the month in which they were collected."""
    months: dict[str, float] = {}
    for batch in collected:
        if batch.cost_usd and batch.collected_at is not None:
            month = month_of(batch.collected_at)
            months[month] = round(months.get(month, 0.0) + batch.cost_usd, 9)
    return months
