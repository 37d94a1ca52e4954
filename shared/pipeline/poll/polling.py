"""One tick of the timer: ask the service for all open batches at once, and see that whatever is due goes on.

Nothing here is heavy: what takes long is sent to the queues. Whatever was lost (an event, a message, a worker) is found
again from the states alone.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import AppError, Conflict
from shared.domain.lifecycle import Due, decide
from shared.domain.model import Batch, BatchState, RemoteBatch
from shared.domain.ports import App, DeploymentBackoff, Step
from shared.pipeline import steps
from shared.pipeline.month import tidy
from shared.pipeline.poll.lost_events import sweep
from shared.pipeline.poll.open_jobs import OpenNow, open_jobs, passing_over
from shared.pipeline.poll.status_queries import Asking
from shared.pipeline.poll.status_updates import apply, mark_unreachable
from shared.pipeline.poll.unknown_batches import Known, take_in
from shared.pipeline.reporting import publish
from shared.pipeline.spending import has_new_month, try_again
from shared.pipeline.submit.lost_creations import unanswered_since

log = logging.getLogger("structuredbatch.polling")

TRUST_IN_MESSAGES: Final = timedelta(minutes=5)
"""How long a message in a queue is given to arrive before its step is queued again."""

REFRESH_MINUTES: Final = 10
"""How often the ledger is tidied, and status.json of a job without news looked after, for warnings of age."""


def poll(app: App) -> None:
    """Do one tick."""
    began = app.now()
    bookmarks = app.store.bookmarks()
    sweep(app, bookmarks)
    jobs = list(open_jobs(app))
    _ask(app, jobs, bookmarks)
    _look_at_new_month(jobs)
    _queue_due(app, jobs)
    refresh = app.now().minute % REFRESH_MINUTES == 0
    if refresh:
        with passing_over(""):
            tidy(app, [item.records for item in jobs])
    for item in jobs:
        with passing_over(item.job.job_id):
            item.save_rest()
            if item.changed or refresh:
                publish(item.records)
    open_batches = sum(batch.state is BatchState.SUBMITTED for item in jobs for batch in item.records.batches)
    seconds = round((app.now() - began).total_seconds(), 3)
    log.log(_level(jobs), "polled", extra={"jobs": len(jobs), "batches": open_batches, "seconds": seconds})


def _look_at_new_month(jobs: Sequence[OpenNow]) -> None:
    """Let jobs go on that are held by the budget of a month which is over, as far as the new month has room."""
    for item in jobs:
        if has_new_month(item.records.app, item.job):
            with passing_over(item.job.job_id):
                try_again(item.records)
                item.changed = True


def _ask(app: App, jobs: Sequence[OpenNow], bookmarks: Mapping[str, str]) -> None:
    """Bring all batches at the service up to date."""
    asked = {
        batch.batch_id: (item, batch)
        for item in jobs
        for batch in item.records.batches
        if batch.state is BatchState.SUBMITTED
    }
    since = unanswered_since(app.now(), bookmarks, (batch for item in jobs for batch in item.records.batches))
    if not asked and since is None:
        return
    known = Known(jobs)

    def take_unknown(remote: RemoteBatch) -> None:
        with passing_over(remote.metadata.get("job", "")):
            take_in(app, remote, known)

    wanted = [batch for _, batch in asked.values()]
    try:
        for remote in Asking(app, wanted, take_unknown).answers(since):
            item, batch = asked.pop(remote.batch_id)
            with passing_over(item.job.job_id):
                apply(item, batch, remote)
    except AppError as error:
        log.warning("the batch service could not be asked: %s", error)
        for item, batch in asked.values():
            with passing_over(item.job.job_id):
                mark_unreachable(item, batch, str(error))


def _queue_due(app: App, jobs: Sequence[OpenNow]) -> None:
    backoffs = _backoffs(app, jobs)
    now = app.now()
    found = [
        (item, due)
        for item in jobs
        for due in decide(item.job, item.records.batches, backoffs, now, app.settings.max_wait)
    ]
    for item, due in _taking_turns(found, backoffs):
        with passing_over(item.job.job_id):
            _queue(app, item, due, now)


def _backoffs(app: App, jobs: Sequence[OpenNow]) -> dict[str, DeploymentBackoff]:
    """Read the backoffs of the deployments that batches are still to be sent to, each once for all jobs."""
    batches = (batch for item in jobs for batch in item.records.batches)
    unsent = (batch.model for batch in batches if batch.state in (BatchState.PREPARED, BatchState.UPLOADED))
    found = {model: app.store.deployment_backoff(model) for model in dict.fromkeys(unsent)}
    return {model: backoff for model, backoff in found.items() if backoff is not None}


def _level(jobs: Iterable[OpenNow]) -> int:
    """Tell how loud a tick is: one without news would only bury the lines of those with some."""
    return logging.INFO if any(item.changed for item in jobs) else logging.DEBUG


def _taking_turns(
    found: Iterable[tuple[OpenNow, Due]], backoffs: dict[str, DeploymentBackoff]
) -> Iterator[tuple[OpenNow, Due]]:
    """Yield all steps that are due, but for a deployment that was refusing only its longest waiting batch."""
    first_in_line: dict[str, tuple[OpenNow, Due]] = {}
    for item, due in found:
        batch = due.batch
        backoff = backoffs.get(batch.model) if batch is not None and due.step is Step.SUBMIT else None
        if batch is None or backoff is None or not backoff.tries:
            yield item, due
        elif batch.model not in first_in_line or _waiting_since(item, batch) < _waiting_since(
            *_with_batch(first_in_line[batch.model])
        ):
            first_in_line[batch.model] = (item, due)
    yield from first_in_line.values()


def _with_batch(turn: tuple[OpenNow, Due]) -> tuple[OpenNow, Batch]:
    item, due = turn
    assert due.batch is not None  # Only submissions take turns.
    return item, due.batch


def _waiting_since(item: OpenNow, batch: Batch) -> tuple[datetime, str]:
    return (item.job.created_at if batch.wait is None else batch.wait.until), batch.full_name


def _queue(app: App, item: OpenNow, due: Due, now: datetime) -> None:
    """Send one step to the queues, and note in its row that it is under way."""
    if due.step not in steps.QUEUED:
        batch = None if due.batch is None else item.settled(due.batch)
        if batch is not None or due.batch is None:
            steps.perform(item.records, Due(due.step, batch))
        item.changed = True
        return
    until = now + TRUST_IN_MESSAGES
    if due.batch is not None and item.save(replace(due.batch, queued_until=until)) is None:
        return  # Another worker is at it already.
    if due.batch is None:
        try:
            item.records.save_job(replace(item.job, queued_until=until))
        except Conflict:
            item.records.reload()
            return
    app.queues.send(steps.message_of(item.job.job_id, due))
