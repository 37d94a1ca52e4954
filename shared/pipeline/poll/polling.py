"""One tick of the timer: ask each resource for all its open batches at once, and start whatever is due.

Nothing here takes long: heavy steps are sent to the queues. Whatever was lost (an event, a message, a worker) is found
again from the states alone.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import AppError, Conflict, Misconfigured, NoAnswer
from shared.domain.lifecycle import Due, decide, is_stopping
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App, Step
from shared.pipeline import steps
from shared.pipeline.month_total import tidy
from shared.pipeline.poll.lost_events import sweep
from shared.pipeline.poll.open_jobs import OpenNow, open_jobs, passing_over
from shared.pipeline.poll.side_by_side import side_by_side
from shared.pipeline.poll.status_queries import StatusQueries
from shared.pipeline.poll.status_updates import apply, mark_unreachable
from shared.pipeline.poll.unknown_batches import Known, adopt_or_cancel
from shared.pipeline.reporting import publish
from shared.pipeline.spending import has_new_month, reserve_in_new_month
from shared.pipeline.submit.lost_creations import BOOKMARK as UNANSWERED
from shared.pipeline.submit.lost_creations import unanswered_since
from shared.pipeline.target_choice import (
    Backoffs,
    account_of,
    bookmark_of,
    choose,
    closed_models,
    is_refusing,
    resources,
    target_of,
    unsent_targets,
)
from shared.settings import Target

log = logging.getLogger("structuredbatch.polling")

TRUST_IN_MESSAGES: Final = timedelta(minutes=5)
"""How long a message in a queue is given to arrive before its step is queued again."""

REFRESH_MINUTES: Final = 10
"""How often the ledger is tidied, and a status.json without news is checked for warnings about age."""


def poll(app: App) -> None:
    """Do one tick."""
    began = app.now()
    bookmarks = app.store.bookmarks()
    sweep(app, bookmarks)
    jobs = list(open_jobs(app))
    silent = _ask(app, jobs, bookmarks)
    _try_held_jobs_in_new_month(jobs)
    _queue_due(app, jobs, silent)
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


def _try_held_jobs_in_new_month(jobs: Sequence[OpenNow]) -> None:
    """Let jobs go on that are held by the budget of a past month, if the new month has room for them."""
    for item in jobs:
        if has_new_month(item.records.app, item.job):
            with passing_over(item.job.job_id):
                reserve_in_new_month(item.records)
                item.changed = True


@dataclass(slots=True)
class _Resource:
    """What to ask one resource: about its open batches, and since when it may have unrecorded batches of ours."""

    target: Target
    wanted: dict[str, tuple[OpenNow, Batch]] = field(default_factory=dict)
    since: datetime | None = None


def _ask(app: App, jobs: Sequence[OpenNow], bookmarks: Mapping[str, str]) -> set[str]:
    """Bring all batches at the services up to date; return the accounts of the resources that did not answer."""
    found = _resources(app, jobs, bookmarks)
    known = Known(app.settings, jobs)
    questions = {
        account: StatusQueries(app, one.target, [batch for _, batch in one.wanted.values()]).answers(one.since)
        for account, one in found.items()
    }
    silent = set()
    alone = len({*found, *resources(app.settings)}) == 1
    for account, answer in side_by_side(app, questions, alone=alone):
        resource = found[account]
        if isinstance(answer, AppError):
            if isinstance(answer, NoAnswer):
                silent.add(account)
            log.warning("the batch service could not be asked: %s", answer)
            _mark_unreachable(resource.wanted.values(), str(answer))
        elif answer is not None and answer.batch_id in resource.wanted:
            item, batch = resource.wanted.pop(answer.batch_id)
            with passing_over(item.job.job_id):
                apply(item, batch, answer)
        elif answer is not None:
            with passing_over(answer.metadata.get("job", "")):
                adopt_or_cancel(app, resource.target, answer, known)
    return silent


def _resources(app: App, jobs: Sequence[OpenNow], bookmarks: Mapping[str, str]) -> dict[str, _Resource]:
    """Return what to ask each resource, by account, leaving out those with nothing to ask."""
    found = {account: _Resource(target) for account, target in resources(app.settings).items()}
    unanswered: dict[str, list[Batch]] = {}
    for item in jobs:
        for batch in item.records.batches:
            if batch.state is BatchState.SUBMITTED:
                _add(app, found, item, batch)
            elif batch.creating_since is not None:
                unanswered.setdefault(account_of(app.settings, batch), []).append(batch)
    for account, resource in found.items():
        noted = bookmarks.get(bookmark_of(app.settings, UNANSWERED, account), "")
        resource.since = unanswered_since(app.now(), noted, unanswered.get(account, ()))
    return {account: one for account, one in found.items() if one.wanted or one.since is not None}


def _add(app: App, found: dict[str, _Resource], item: OpenNow, batch: Batch) -> None:
    try:
        target = target_of(app.settings, batch)
    except Misconfigured as error:
        _mark_unreachable([(item, batch)], str(error))
    else:
        found.setdefault(target.account, _Resource(target)).wanted[batch.batch_id] = (item, batch)


def _mark_unreachable(batches: Iterable[tuple[OpenNow, Batch]], message: str) -> None:
    for item, batch in batches:
        with passing_over(item.job.job_id):
            mark_unreachable(item, batch, message)


def _queue_due(app: App, jobs: Sequence[OpenNow], silent: set[str]) -> None:
    """Start all due steps except those that would only wait for a silent resource."""
    batches = [batch for item in jobs for batch in item.records.batches]
    targets = frozenset(unsent_targets(app.settings, batches))
    known = app.store.deployment_backoffs() if targets else []
    backoffs = {backoff.target: backoff for backoff in known if backoff.target in targets}
    now = app.now()
    closed = closed_models(app.settings, batches, backoffs, now)
    found = [
        (item, due)
        for item in jobs
        for due in decide(item.job, item.records.batches, closed, now, app.settings.max_wait)
    ]
    for item, due in _taking_turns(app, found, backoffs, now):
        item.records.silent = silent
        has_time = due.step in steps.QUEUED or app.now() - now < steps.PATIENCE
        if has_time and not _would_only_wait(app, item, due, silent):
            with passing_over(item.job.job_id):
                _queue(app, item, due, now)


def _would_only_wait(app: App, item: OpenNow, due: Due, silent: Collection[str]) -> bool:
    """Return whether a step would only wait for a silent resource; a job that gave up ends without it."""
    batch = due.batch
    if batch is None or item.job.gave_up_at is not None or account_of(app.settings, batch) not in silent:
        return False
    in_doubt = due.step is Step.SUBMIT and batch.creating_since is not None
    return in_doubt or due.step is Step.COLLECT


def _level(jobs: Iterable[OpenNow]) -> int:
    """Return the log level of a tick: a line for each tick without news would bury the others."""
    return logging.INFO if any(item.changed for item in jobs) else logging.DEBUG


def _taking_turns(
    app: App, found: Sequence[tuple[OpenNow, Due]], backoffs: Backoffs, now: datetime
) -> Iterator[tuple[OpenNow, Due]]:
    """Yield all due steps, but for each target that refused last time only its longest waiting batch."""
    unsent = []
    for item, due in found:
        if due.batch is None or due.step is not Step.SUBMIT or is_stopping(item.job):
            yield item, due
        else:
            unsent.append((item, due.batch))
    tried_again: set[str] = set()
    if backoffs:
        unsent.sort(key=lambda one: _waiting_since(*one))
    for item, batch in unsent:
        target = choose(app.settings, batch, backoffs, now, tried_again)
        if target is None:
            continue
        if is_refusing(backoffs.get(target.name)):
            tried_again.add(target.name)
        yield item, Due(Step.SUBMIT, replace(batch, turn=target.name))


def _waiting_since(item: OpenNow, batch: Batch) -> tuple[datetime, str]:
    return (item.job.created_at if batch.wait is None else batch.wait.until), batch.full_name


def _queue(app: App, item: OpenNow, due: Due, now: datetime) -> None:
    """Send one step to the queues and record in its row that it is under way; do a single call at once."""
    if due.step not in steps.QUEUED:
        batch = None if due.batch is None else item.stored(due.batch)
        if batch is not None or due.batch is None:
            steps.perform(item.records, Due(due.step, batch))
        item.changed = True
        return
    until = now + TRUST_IN_MESSAGES
    if due.batch is not None and item.save(replace(due.batch, queued_until=until)) is None:
        return  # Another worker changed the batch: it will take care of it.
    if due.batch is None:
        try:
            item.records.save_job(replace(item.job, queued_until=until))
        except Conflict:
            item.records.reload()
            return
    app.queues.send(steps.message_of(item.job.job_id, due))
