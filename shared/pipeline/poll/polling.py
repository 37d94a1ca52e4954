"""One tick of the timer: ask the service for all open batches at once, and see that whatever is due goes on.

Nothing here is heavy: what takes long is sent to the queues. Whatever was lost (an event, a message, a worker) is found
again from the states alone.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import AppError, Conflict
from shared.domain.lifecycle import Do, Due, decide
from shared.domain.model import Batch, BatchState, RemoteBatch
from shared.domain.ports import App, DeploymentBackoff
from shared.pipeline import steps
from shared.pipeline.poll.lost_events import sweep
from shared.pipeline.poll.open_jobs import OpenNow, open_jobs, passing_over
from shared.pipeline.poll.status_queries import Asking
from shared.pipeline.poll.status_updates import note, see
from shared.pipeline.poll.unknown_batches import Known, take_in
from shared.pipeline.reporting import publish
from shared.pipeline.submit.lost_creations import doubt_since
from shared.pipeline.submit.refusals import backoffs_before

log = logging.getLogger("structuredbatch.polling")

TRUST_IN_MESSAGES: Final = timedelta(minutes=5)
"""How long a message in a queue is given to arrive before its step is queued again."""

REFRESH_MINUTES: Final = 10
"""How often status.json of a job without news is looked after, for warnings that come with age."""


def poll(app: App) -> None:
    """Do one tick."""
    began = app.now()
    sweep(app)
    jobs = list(open_jobs(app))
    _ask(app, jobs)
    _queue_due(app, jobs)
    refresh = app.now().minute % REFRESH_MINUTES == 0
    for item in jobs:
        if item.changed or refresh:
            with passing_over(item.job.job_id):
                publish(app, item.job.job_id)
    open_batches = sum(batch.state is BatchState.SUBMITTED for item in jobs for batch in item.batches)
    seconds = round((app.now() - began).total_seconds(), 3)
    log.info("polled", extra={"jobs": len(jobs), "batches": open_batches, "seconds": seconds})


def _ask(app: App, jobs: Sequence[OpenNow]) -> None:
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
    known = Known(jobs)

    def stranger(remote: RemoteBatch) -> None:
        with passing_over(remote.metadata.get("job", "")):
            take_in(app, remote, known)

    wanted = [item.batches[number] for item, number in asked.values()]
    try:
        for remote in Asking(app, wanted, stranger).answers(since):
            item, number = asked.pop(remote.batch_id)
            with passing_over(item.job.job_id):
                see(app, item, number, remote)
    except AppError as error:
        log.warning("the batch service could not be asked: %s", error)
        for item, number in asked.values():
            with passing_over(item.job.job_id):
                note(app, item, number, str(error))


def _queue_due(app: App, jobs: Sequence[OpenNow]) -> None:
    backoffs = backoffs_before(app, (batch for item in jobs for batch in item.batches))
    now = app.now()
    due = [
        (item, step) for item in jobs for step in decide(item.job, item.batches, backoffs, now, app.settings.max_wait)
    ]
    for item, step in _taking_turns(due, backoffs):
        with passing_over(item.job.job_id):
            _queue(app, item, step, now)


def _taking_turns(
    due: Iterable[tuple[OpenNow, Due]], backoffs: dict[str, DeploymentBackoff]
) -> Iterator[tuple[OpenNow, Due]]:
    """All steps that are due, but for a deployment that was refusing only its longest waiting batch."""
    probes: dict[str, tuple[OpenNow, Due]] = {}
    for item, step in due:
        batch = step.batch
        gate = backoffs.get(batch.model) if batch is not None and step.do is Do.SUBMIT else None
        if batch is None or gate is None or not gate.tries:
            yield item, step
        elif batch.model not in probes or _waiting_since(item, batch) < _waiting_since(
            *_with_batch(probes[batch.model])
        ):
            probes[batch.model] = (item, step)
    yield from probes.values()


def _with_batch(probe: tuple[OpenNow, Due]) -> tuple[OpenNow, Batch]:
    item, step = probe
    assert step.batch is not None  # Only submissions are probed.
    return item, step.batch


def _waiting_since(item: OpenNow, batch: Batch) -> tuple[datetime, str]:
    return (item.job.created_at if batch.wait is None else batch.wait.until), f"{batch.job_id}/{batch.key}"


def _queue(app: App, item: OpenNow, step: Due, now: datetime) -> None:
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
