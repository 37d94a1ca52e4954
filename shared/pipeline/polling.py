"""One tick of the timer: ask the service for all open batches at once, and see that whatever is due goes on.

Nothing here is heavy: what takes long is sent to the queues. Whatever was lost (an event, a message, a worker) is found
again from the states alone.
"""

import logging
import traceback
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.errors import AppError, Conflict
from shared.lifecycle import Do, Due, Refusal, decide, next_wait, observed, put_back, refusal_of
from shared.model import TERMINAL_STATUSES, Batch, BatchState, Job, OpenJob, RemoteBatch, RowCode
from shared.pipeline import steps
from shared.pipeline.assembly import close
from shared.pipeline.claims import Claim, claim_batch
from shared.pipeline.doubts import doubt_since, name_of
from shared.pipeline.receiving import reserve
from shared.pipeline.refusals import deployment_fault, refuse_for_quota
from shared.pipeline.reporting import publish
from shared.pipeline.submission import record
from shared.pipeline.sweeping import sweep
from shared.ports import App, Gate

log = logging.getLogger("structuredbatch.polling")

TRUST_IN_MESSAGES: Final = timedelta(minutes=5)
"""How long a message in a queue is given to arrive before its step is queued again."""

ASKING: Final = timedelta(minutes=3)
"""How long a tick asks for batches one by one, where others' fill the service's list."""

PLACE: Final = "asked"
EXTRA_PAGES: Final = 10
PAGE: Final = 100
REFRESH_MINUTES: Final = 10
"""How often status.json of a job without news is looked after, for warnings that come with age."""


@dataclass(slots=True)
class _Open:
    """An open job during one tick."""

    job: Job
    batches: list[Batch]
    changed: bool = False


def poll(app: App) -> None:
    """Do one tick."""
    began = app.now()
    sweep(app)
    jobs = list(_open_jobs(app))
    _ask(app, jobs)
    _queue_due(app, jobs)
    refresh = app.now().minute % REFRESH_MINUTES == 0
    for item in jobs:
        if item.changed or refresh:
            with _passing_over(item.job.job_id):
                publish(app, item.job.job_id)
    open_batches = sum(batch.state is BatchState.SUBMITTED for item in jobs for batch in item.batches)
    seconds = round((app.now() - began).total_seconds(), 3)
    log.info("polled", extra={"jobs": len(jobs), "batches": open_batches, "seconds": seconds})


@contextmanager
def _passing_over(job_id: str) -> Iterator[None]:
    """Leave a job that cannot go on to the next tick, so that it holds up no other."""
    try:
        yield
    except AppError as error:
        log.warning("job passed over in this tick: %s", error, extra={"job_id": job_id})
    except Exception as error:  # noqa: BLE001  # A fault of our own, of which the other jobs know nothing.
        # Neither its text nor its trace is shown, as they might quote a row.
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__} in {where.name}, line {where.lineno}"
        log.error("job passed over in this tick: %s", fault, extra={"job_id": job_id})  # noqa: TRY400


def _open_jobs(app: App) -> Iterator[_Open]:
    """The open jobs with their batches; entries that a crash left behind are mended on the way."""
    for entry in app.store.open_jobs():
        found = None
        with _passing_over(entry.job_id):
            found = _open_job(app, entry)
        if found is not None:
            yield found


def _open_job(app: App, entry: OpenJob) -> _Open | None:
    job = app.store.job(entry.job_id)
    if job is not None and job.state.ended:
        close(app, job)
        return None
    job = job or reserve(app, entry)
    return None if job is None else _Open(job, app.store.batches(job.job_id))


def _ask(app: App, jobs: Sequence[_Open]) -> None:
    """Bring all batches at the service up to date."""
    asked = {
        batch.batch_id: (item, number)
        for item in jobs
        for number, batch in enumerate(item.batches)
        if batch.state is BatchState.SUBMITTED
    }
    since = doubt_since(app, (batch for item in jobs for batch in item.batches))
    if not asked and since is None:
        return
    try:
        for remote in _remote(app, set(asked), _Known(jobs), since):
            item, number = asked[remote.batch_id]
            with _passing_over(item.job.job_id):
                _see(app, item, number, remote)
    except AppError as error:
        log.warning("the batch service could not be asked: %s", error)
        for item, number in asked.values():
            with _passing_over(item.job.job_id):
                _note(app, item, number, str(error))


class _Known:
    """The open jobs, and their batches by what the service may call them: each listed batch is looked up here."""

    def __init__(self, jobs: Sequence[_Open]) -> None:
        self.jobs = jobs
        self._by_file: dict[str, Batch] = {}
        self._by_name: dict[tuple[str, str, str], Batch] = {}
        for item in jobs:
            for batch in item.batches:
                self._by_file[batch.file_id] = batch
                self._by_name[batch.job_id, str(batch.index), str(batch.attempt)] = batch

    def find(self, remote: RemoteBatch) -> Batch | None:
        """The batch that reads the same input file, or bears the same name."""
        for file in (remote.input_file_id, remote.input_blob):
            if file and (found := self._by_file.get(file)) is not None:
                return found
        name = remote.metadata
        return self._by_name.get((name.get("job", ""), name.get("index", ""), name.get("attempt", "")))


def _remote(app: App, wanted: set[str], known: _Known, since: datetime | None) -> Iterator[RemoteBatch]:
    """The service's word on the batches wanted: by pages first, those not found there by their ids.

    The pages go back to the time `since` at least, where there is one, so that no batch of a doubtful creation is
    passed over.
    """
    after = ""
    left = set(wanted)
    for _ in range(len(wanted) // PAGE + EXTRA_PAGES):
        page, after = app.service.page(after)
        for remote in page:
            if remote.batch_id in left:
                left.discard(remote.batch_id)
                yield remote
            elif remote.batch_id not in wanted:
                with _passing_over(remote.metadata.get("job", "")):
                    _stranger(app, remote, known)
        if not after or (not left and (since is None or page[-1].created_at < since)):
            break
    if left:
        yield from _one_by_one(app, sorted(left))


def _one_by_one(app: App, batch_ids: Sequence[str]) -> Iterator[RemoteBatch]:
    """Ask for batches by their ids, for a limited time: the next tick goes on where this one stopped."""
    end = app.now() + ASKING
    stopped_at = app.store.place(PLACE)
    first = bisect_right(batch_ids, stopped_at)
    last = ""
    for batch_id in (*batch_ids[first:], *batch_ids[:first]):
        if last and app.now() >= end:
            break
        found = app.service.batch(batch_id)
        last = batch_id
        if found is not None:
            yield found
        else:
            log.error("the service knows a batch no more", extra={"batch_id": batch_id})
    else:
        last = ""
    if last != stopped_at:
        app.store.save_place(PLACE, last)


def _stranger(app: App, remote: RemoteBatch, known: _Known) -> None:
    """A listed batch that no open row knows: adopt it if it is one of ours whose answer was lost, cancel a twin.

    The row is read again first: it may have been written since this tick began.
    """
    row = _row_of(app, remote, known)
    if row is None or row.batch_id == remote.batch_id or remote.status == "failed":
        return  # Somebody else's, known, or refused, and its rows wait to be sent again.
    if row.batch_id or row.state in (BatchState.ENDED, BatchState.COLLECTED):
        _cancel_twin(app, remote, row.job_id)
    elif row.creating_since is not None or remote.status not in ("cancelling", "cancelled"):
        _adopt(app, row, remote, known.jobs)


def _row_of(app: App, remote: RemoteBatch, known: _Known) -> Batch | None:
    """Our row of a batch: an open one by its input file or its name, one of an ended job by its name."""
    batch = known.find(remote)
    if batch is not None:
        return app.store.batch(batch.job_id, batch.index, batch.attempt)
    if remote.status in TERMINAL_STATUSES:
        return None
    name = name_of(app, remote)
    return None if name is None else app.store.batch(*name)


def _adopt(app: App, row: Batch, remote: RemoteBatch, jobs: Sequence[_Open]) -> None:
    claim = claim_batch(app, row.job_id, row.index, row.attempt, BatchState.PREPARED, BatchState.UPLOADED)
    if claim is None:
        return
    record(app, claim, remote)
    for item in jobs:
        item.changed |= item.job.job_id == row.job_id
    log.warning("batch adopted", extra={"job_id": row.job_id, "batch_id": remote.batch_id})


def _cancel_twin(app: App, remote: RemoteBatch, job_id: str) -> None:
    if remote.status in TERMINAL_STATUSES or remote.status == "cancelling":
        return
    log.error("a second batch for the same rows is cancelled", extra={"job_id": job_id, "batch_id": remote.batch_id})
    app.service.cancel(remote.batch_id)


def _see(app: App, item: _Open, number: int, remote: RemoteBatch) -> None:
    """Write down what the service says of one batch, where it is news."""
    batch = item.batches[number]
    seen = observed(batch, remote, app.now())
    if seen == batch:
        return
    try:
        if seen.failure is RowCode.BATCH_FAILED and _may_be_accepted_later(app, batch, remote):
            item.batches[number] = app.store.batch(batch.job_id, batch.index, batch.attempt) or batch
        else:
            item.batches[number] = app.store.save_batch(seen)
        item.changed = True
    except Conflict:
        pass  # Another poll, or a step, was quicker: the next tick sees what it did.


def _may_be_accepted_later(app: App, batch: Batch, remote: RemoteBatch) -> bool:
    """Put a batch that failed its validation back to wait, where waiting or mending can help."""
    refusal = refusal_of(remote.errors)
    if refusal is Refusal.FINAL:
        return False
    claim = claim_batch(app, batch.job_id, batch.index, batch.attempt, BatchState.SUBMITTED)
    if claim is None:
        raise Conflict("somebody else works on this batch")
    reason = "; ".join(f"{code} {text}" for code, text, _ in remote.errors[:3])
    if refusal is Refusal.QUOTA:
        refuse_for_quota(app, claim, reason)
        return True
    message = str(deployment_fault(batch, reason))
    if refusal is Refusal.PERMISSION:
        message = f"The batch service may not read the input blob: give its identity access to WORK_CONTAINER. {reason}"
    _wait_again(app, claim, message)
    return True


def _wait_again(app: App, claim: Claim[Batch], message: str) -> None:
    batch = claim.record
    wait = next_wait(batch.wait, message[:900], app.now(), app.settings.backoff, f"{batch.job_id}/{batch.key}")
    claim.replace(put_back(batch, wait))


def _note(app: App, item: _Open, number: int, message: str) -> None:
    """Show that a batch could not be asked about, once; the next answer takes it back."""
    batch = item.batches[number]
    if batch.wait is not None:
        return
    wait = next_wait(None, message[:900], app.now(), app.settings.backoff, batch.key)
    try:
        item.batches[number] = app.store.save_batch(replace(batch, wait=wait))
        item.changed = True
    except Conflict:
        pass


def _queue_due(app: App, jobs: Sequence[_Open]) -> None:
    gates: dict[str, Gate] = {}
    for model in {batch.model for item in jobs for batch in item.batches}:
        gate = app.store.gate(model)
        if gate is not None:
            gates[model] = gate
    now = app.now()
    due = [(item, step) for item in jobs for step in decide(item.job, item.batches, gates, now, app.settings.max_wait)]
    for item, step in _taking_turns(due, gates):
        with _passing_over(item.job.job_id):
            _queue(app, item, step, now)


def _taking_turns(due: Iterable[tuple[_Open, Due]], gates: dict[str, Gate]) -> Iterator[tuple[_Open, Due]]:
    """All steps that are due, but for a deployment that was refusing only its longest waiting batch."""
    probes: dict[str, tuple[_Open, Due]] = {}
    for item, step in due:
        batch = step.batch
        gate = gates.get(batch.model) if batch is not None and step.do is Do.SUBMIT else None
        if batch is None or gate is None or not gate.tries:
            yield item, step
        elif batch.model not in probes or _waiting_since(item, batch) < _waiting_since(
            *_with_batch(probes[batch.model])
        ):
            probes[batch.model] = (item, step)
    yield from probes.values()


def _with_batch(probe: tuple[_Open, Due]) -> tuple[_Open, Batch]:
    item, step = probe
    assert step.batch is not None  # Only submissions are probed.
    return item, step.batch


def _waiting_since(item: _Open, batch: Batch) -> tuple[datetime, str]:
    return (item.job.created_at if batch.wait is None else batch.wait.until), f"{batch.job_id}/{batch.key}"


def _queue(app: App, item: _Open, step: Due, now: datetime) -> None:
    """Send one step to the queues, and note in its row that it is under way."""
    if step.do not in steps.QUEUED:
        steps.perform(app, item.job.job_id, step)
        item.changed = True
        return
    until = now + TRUST_IN_MESSAGES
    try:
        if step.batch is None:
            item.job = app.store.save_job(replace(item.job, queued_until=until))
        else:
            app.store.save_batch(replace(step.batch, queued_until=until))
    except Conflict:
        return  # Somebody is at it already.
    app.queues.send(steps.message_of(item.job.job_id, step))
