"""A job's money: reserved before anything is sent, charged as batches are collected, settled when the job ends."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.domain.errors import Conflict, Misconfigured, Unavailable
from shared.domain.estimate import Estimate, HeldBy
from shared.domain.ledger import Entry, month_of, outputs_by_key, standing
from shared.domain.lifecycle import is_held, is_stopping
from shared.domain.model import Batch, BatchState, Job, JobState
from shared.domain.ports import App
from shared.money.budget_and_caps import Caps, Hold, hold, lower_cap
from shared.pipeline.records import JobRecords, load
from shared.settings import settings_message

log = logging.getLogger("structuredbatch.spending")

CAP_SETTINGS: Final = ("MAX_JOB_INPUT_TOKENS", "MAX_JOB_COST_USD", "MONTHLY_BUDGET_USD")

TRIES: Final = 20
"""How often to try again when other jobs change the month meanwhile."""


def caps_of(app: App, job: Job) -> Caps:
    """Return the caps that apply to a job: none once it was released.

    Raises Misconfigured if the setting of a cap is malformed: that must not mean that there is none.
    """
    if job.released or job.caps_lifted:
        return Caps()
    settings = app.settings
    if faults := tuple(fault for fault in settings.faults if fault.startswith(CAP_SETTINGS)):
        raise Misconfigured(settings_message(faults))
    return Caps(settings.max_input_tokens, lower_cap(settings.max_cost_usd, job.cost_cap), settings.monthly_budget_usd)


def reserve(
    app: App,
    job: Job,
    estimate: Estimate,
    *,
    charged: float = 0.0,
    pilot: Estimate | None = None,
    found: Hold | None = None,
) -> Hold | None:
    """Reserve what a job will cost; if a cap forbids it, return why the job is held instead.

    `estimate` is for what is still to be sent, `pilot` for the pilot if it is still to come, and `charged` is what the
    job has cost so far. A job that was `found` to be held for another reason reserves nothing. Raises Unavailable if
    other jobs keep changing the month.
    """
    caps = caps_of(app, job)

    def held(committed: float) -> Hold | None:
        return found or hold(estimate, caps, charged=charged, committed=committed, pilot=pilot)

    first = pilot if pilot is not None else estimate
    return _reserve(app, job.job_id, held, first.usd or 0.0)


def reserve_follow_up(records: JobRecords, closed: Batch, follow_up: Estimate) -> Hold | None:
    """Reserve what a batch's follow-up will cost; if a cap forbids it, return which one.

    `closed` is the batch as it will be saved with the follow-up. The job's other batches stay reserved.
    """
    app, job = records.app, records.job
    batches = [closed if batch.key == closed.key else batch for batch in records.batches]
    charged, rest, caps = _charged(batches), left_usd(job, batches), caps_of(app, job)
    caps = replace(caps, input_tokens=None)  # A follow-up makes no job larger.
    usd = None if follow_up.usd is None else rest + follow_up.usd

    def held(committed: float) -> Hold | None:
        return hold(replace(follow_up, usd=usd), caps, charged=sum(charged.values()), committed=committed)

    return _reserve(app, job.job_id, held, rest if usd is None else usd, rest=rest, charged=charged)


def reserve_released(records: JobRecords) -> None:
    """Reserve what the rest of a released job will cost."""
    charged, left = _charged(records.batches), left_usd(records.job, records.batches)
    _reserve(records.app, records.job_id, lambda _committed: None, left, charged=charged)


def _reserve(
    app: App,
    job_id: str,
    held_at: Callable[[float], Hold | None],
    usd: float,
    *,
    rest: float = 0.0,
    charged: Mapping[str, float] | None = None,
) -> Hold | None:
    """Read the month and reserve in one transaction: of two jobs that do so at once, one has to start over.

    `held_at` decides by what the month has cost and will cost without this job's reservation. If it holds nothing,
    `usd` is reserved, otherwise `rest`, in addition to what the job was `charged`. What is reserved already needs no
    more room, so that a step that is repeated, or done twice at once, decides as before.
    """
    if app.settings.monthly_budget_usd is None:
        return held_at(0.0)
    for number in range(TRIES):
        month, entries = app.ledger.month(month_of(app.now()))
        own = next((entry for entry in entries if entry.job_id == job_id), Entry(job_id))
        if own.ended:
            return None  # The job has ended meanwhile: the caller will notice when it writes.
        paid = dict(own.charged if charged is None else charged)
        total = sum(paid.values())
        others = standing(month, entries, without=job_id).committed + paid.get(month.name, 0.0)
        held = held_at(0.0 if 0.0 < total + usd <= own.reserved else others)
        reserved = rest if held else usd
        wanted = total + reserved if reserved else 0.0
        if own.reserved == wanted and own.charged == paid:
            return held
        try:
            app.ledger.reserve(replace(own, charged=paid, reserved=wanted), month)
        except Conflict:
            app.sleep(0.01 * number)
        else:
            return held
    raise Unavailable("Other jobs keep changing the month's budget")


def left_usd(job: Job, batches: Sequence[Batch]) -> float:
    """Estimate what a job's batches that are not collected will cost: their share of the estimate, by rows."""
    usd, under_way = _under_way(job, batches)
    estimated = sum(one.requests for one in under_way if one.attempt == 1)
    left = sum(one.requests for one in under_way if one.state is not BatchState.COLLECTED)
    return usd * left / estimated if estimated else 0.0


def left_of_estimate(job: Job, batches: Sequence[Batch]) -> float:
    """Return what is left of a job's estimate once what it has cost is taken from it; nothing if it is held."""
    usd, under_way = _under_way(job, batches)
    return 0.0 if is_held(job) else max(0.0, usd - sum(one.cost_usd for one in under_way))


def _under_way(job: Job, batches: Sequence[Batch]) -> tuple[float, list[Batch]]:
    """Return the batches that are under way or collected, and what these are estimated to cost, 0 if unknown.

    Until a pilot is judged, they are its batches, by its own estimate; after that, the estimate is for the others.
    """
    in_pilot = job.pilot is not None and not job.pilot.judged
    known = pilot_to_come(job) if in_pilot else job.estimate
    usd = 0.0 if known is None or known.usd is None else known.usd
    return usd, [one for one in batches if job.pilot is None or one.pilot == in_pilot]


def pilot_to_come(job: Job) -> Estimate | None:
    """Return the estimate of a job's pilot, None where it has none or it was judged."""
    return None if job.pilot is None or job.pilot.judged else job.pilot.estimate


def reserve_in_new_month(records: JobRecords) -> None:
    """Try to reserve again for a job that was held by the budget of a past month; if it fits now, it goes on."""
    app, job = records.app, records.job
    estimate = job.estimate or Estimate(job.input_tokens)
    held = reserve(app, job, estimate, charged=charged_so_far(records), pilot=pilot_to_come(job))
    month = month_of(app.now())
    if held is None:
        log.info("held job goes on in a new month", extra={"job_id": job.job_id})
        records.save_job(replace(job, state=JobState.PREPARING, held_by="", message="", progress_at=app.now()))
    else:
        records.save_job(replace(job, held_by=held.by, message=held.message, held_in=month))


def charged_so_far(records: JobRecords) -> float:
    """Return what the job has cost so far, in US dollars."""
    return sum(batch.cost_usd for batch in records.batches)


def charge(records: JobRecords) -> None:
    """Record what an unfinished job has cost so far, by the month in which it was collected."""
    app, wanted = records.app, _entry(records)
    if not wanted.charged and app.settings.monthly_budget_usd is None:
        return
    for _ in range(TRIES):
        known = app.ledger.entry(records.job_id) or Entry(records.job_id, reserved=_reserved_anew(records))
        if known.ended or (known.version and known.charged == wanted.charged):
            return
        try:
            app.ledger.save(replace(wanted, reserved=known.reserved, version=known.version))
        except Conflict:
            continue
        return
    raise Unavailable("Other workers keep changing the job's charges")


def settle(records: JobRecords) -> None:
    """Record what an ended job has cost, and release its reservation; repeating it changes nothing."""
    wanted = replace(_entry(records), ended=True)
    if wanted.charged or wanted.outputs or records.app.settings.monthly_budget_usd is not None:
        _settle(records.app, wanted)


def _settle(app: App, wanted: Entry) -> None:
    known: Entry | None = None  # A job of one batch has no entry before its end, unless it reserved something.
    for _ in range(TRIES):
        try:
            app.ledger.settle(replace(wanted, version=known.version if known else ""))
        except Conflict:
            known = app.ledger.entry(wanted.job_id)
            if known is None or known.ended:
                return
        else:
            return
    if known is not None:
        app.ledger.drop(known)  # A late worker reserved it after the job was settled.


def repair(records: JobRecords, known: Entry | None) -> None:
    """Update an open job's entry to its records if a crash, or a budget that was set later, left it behind."""
    if _repaired(records, known) == known:
        return
    fresh = load(records.app, records.job_id)  # It may have been released since it was read.
    wanted = None if fresh is None else _repaired(fresh, known)
    if wanted is None or wanted == known:
        return
    try:
        records.app.ledger.save(wanted)
    except Conflict as error:
        log.info("another worker changes the job's charges: %s", error)


def _repaired(records: JobRecords, known: Entry | None) -> Entry | None:
    """Return the entry that an open job should have; `known` if that is right, or cannot be told."""
    job = records.job
    if not job.built or job.state.ended or (known is not None and known.ended):
        return known
    there = known or Entry(job.job_id)
    wanted = replace(_entry(records), version=there.version, reserved=there.reserved)
    if sum(wanted.charged.values()) <= sum(there.charged.values()):
        wanted = replace(wanted, charged=there.charged, outputs=there.outputs)
    if is_held(job):
        wanted = replace(wanted, reserved=0.0)
    elif not there.reserved:
        wanted = replace(wanted, reserved=_reserved_anew(records))
    return known if wanted == there else wanted


def _reserved_anew(records: JobRecords) -> float:
    """Return what an unfinished job without a reservation must reserve; 0 without a budget."""
    left = 0.0 if is_stopping(records.job) else left_usd(records.job, records.batches)
    if records.app.settings.monthly_budget_usd is None or not left:
        return 0.0
    return left + sum(_charged(records.batches).values())


def settle_left_behind(app: App, entry: Entry) -> None:
    """Settle an entry that a crash left behind although its job is no longer open."""
    records = load(app, entry.job_id)
    if records is None:
        app.ledger.drop(entry)
    elif records.job.state.ended:
        _settle(app, replace(_entry(records), ended=True))


def has_new_month(app: App, job: Job) -> bool:
    """Return whether a job held by the budget may be tried again because another month has begun."""
    return job.held_by == HeldBy.BUDGET and not job.released and job.held_in < month_of(app.now())


def _entry(records: JobRecords) -> Entry:
    collected = [batch for batch in records.batches if batch.state is BatchState.COLLECTED]
    outputs = outputs_by_key(Entry("", outputs=batch.outputs) for batch in collected)
    return Entry(records.job_id, _charged(collected), outputs=outputs)


def _charged(batches: Sequence[Batch]) -> dict[str, float]:
    """Add up what batches cost, by the month in which they were collected."""
    months: dict[str, float] = {}
    for batch in batches:
        if batch.cost_usd and batch.collected_at is not None:
            month = month_of(batch.collected_at)
            months[month] = round(months.get(month, 0.0) + batch.cost_usd, 9)
    return months
