"""Doing what is due: one step, all steps of a job while time remains, or by a message to another worker.

What a step needs is imported when it is first done: half of the app's modules, which a worker that polls or answers
HTTP does without, so that it starts faster.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import Conflict
from shared.domain.lifecycle import Due, decide
from shared.domain.model import Batch
from shared.domain.ports import App, Message, Step
from shared.pipeline import job_control, notice
from shared.pipeline.records import JobRecords, load
from shared.pipeline.reporting import publish
from shared.pipeline.target_choice import closed_models, unsent_targets

log = logging.getLogger("structuredbatch.steps")

BUDGET: Final = timedelta(seconds=60)
"""How long a trigger keeps doing a job's steps itself before it leaves the rest to the queues."""

PATIENCE: Final = timedelta(seconds=15)
"""How long an API call, or a tick of the poll, may spend on single calls such as cancellations."""

SILENCE: Final = timedelta(seconds=2)
"""How long the status may be out of date while a job's steps are being done."""

ROUNDS: Final = 50

QUEUED: Final = frozenset({Step.PREPARE, Step.SUBMIT, Step.COLLECT, Step.JUDGE, Step.ASSEMBLE})
"""Steps that may take long: if there is no time for one, it travels as a message."""


def advance(records: JobRecords) -> None:
    """Do the job's due steps one after another, and send those to the queues that do not fit into the time budget."""
    app = records.app
    end = app.now() + BUDGET
    shown_at = app.now()
    done: set[tuple[Step, str]] = set()
    for _ in range(ROUNDS):
        left = [due for due in due_steps(records) if _name(due) not in done]
        if not left:
            break
        if app.now() - shown_at > SILENCE:
            publish(records)
            shown_at = app.now()
        for due in left:
            done.add(_name(due))
            _perform_or_queue(records, due, end)
    if not records.job.state.ended:  # Otherwise its end was published with its results.
        publish(records)


def _perform_or_queue(records: JobRecords, due: Due, end: datetime) -> None:
    """Do one step if `end` has not come, otherwise queue it, or leave it to the poll if it is a single call."""
    if records.app.now() < end:
        perform(records, due)
    elif due.step in QUEUED:
        records.app.queues.send(message_of(records.job_id, due))


def handle(app: App, message: Message) -> None:
    """Do the step that a message asks for, and the steps that follow from it."""
    if message.step is Step.NOTIFY:
        notice.notify(app, message.job_id, message.attempt)
        return
    records = load(app, message.job_id)
    if records is None:
        return
    batch = records.batch(message.index, message.attempt)
    if batch is not None or message.index < 0:
        perform(records, Due(message.step, batch))
    advance(records)


def queue_due(app: App, job_id: str) -> None:
    """Send the job's due steps to the queues; do those that are a single call at once, while time remains."""
    records = load(app, job_id)
    if records is None:
        return
    end = app.now() + PATIENCE
    for due in due_steps(records):
        if due.step in QUEUED:
            app.queues.send(message_of(job_id, due))
        elif app.now() < end:
            perform(records, due)


def perform(records: JobRecords, due: Due) -> None:
    """Do one step, unless another worker takes it over meanwhile: then that worker finishes it."""
    try:
        _perform(records, due)
    except Conflict as error:
        log.info("step left to another worker: %s", error, extra={"job_id": records.job_id, "step": due.step.value})
        records.reload()


def message_of(job_id: str, due: Due) -> Message:
    """Return the queue message for a step."""
    if due.batch is None:
        return Message(due.step, job_id)
    return Message(due.step, job_id, due.batch.index, due.batch.attempt)


def due_steps(records: JobRecords) -> list[Due]:
    """Return the steps that are due now, according to the records."""
    app = records.app
    batches, now = records.batches, app.now()
    backoffs = records.backoffs(unsent_targets(app.settings, batches))
    closed = closed_models(app.settings, batches, backoffs, now)
    return decide(records.job, batches, closed, now, app.settings.max_wait)


def _perform(records: JobRecords, due: Due) -> None:
    batch = due.batch
    if due.step is Step.PREPARE:
        from shared.pipeline.build import building

        building.prepare(records)
    elif due.step is Step.JUDGE:
        from shared.pipeline.assemble import judging

        judging.judge(records)
    elif due.step is Step.ASSEMBLE:
        from shared.pipeline.assemble import assembly

        assembly.assemble(records)
    elif due.step is Step.GIVE_UP:
        job_control.give_up(records)
    elif batch is not None:
        _perform_on_batch(records, due.step, batch)


def _perform_on_batch(records: JobRecords, step: Step, batch: Batch) -> None:
    if step is Step.SUBMIT:
        from shared.pipeline.submit import submission

        submission.submit(records, batch.index, batch.attempt)
    elif step is Step.CANCEL:
        job_control.cancel_batch(records, batch)
    elif step is Step.ABANDON:
        job_control.abandon_batch(records, batch)
    else:
        from shared.pipeline.collect import collection

        collection.collect(records, batch.index, batch.attempt)


def _name(due: Due) -> tuple[Step, str]:
    return due.step, due.batch.key if due.batch is not None else ""
