"""Doing what is due: one step, all steps of a job while time lasts, or by a message for somebody else."""

import logging
from datetime import timedelta
from typing import Final

from shared.domain.errors import Conflict
from shared.domain.lifecycle import Do, Due, decide
from shared.domain.model import Batch
from shared.domain.ports import App, Message, Step
from shared.pipeline import job_control, notice
from shared.pipeline.assemble import assembly
from shared.pipeline.build import building
from shared.pipeline.collect import collection
from shared.pipeline.records import JobRecords, load
from shared.pipeline.reporting import publish
from shared.pipeline.submit import submission

log = logging.getLogger("structuredbatch.steps")

BUDGET: Final = timedelta(seconds=60)
"""How long a trigger goes on with a job's steps itself before it leaves the rest to the queues."""

SILENCE: Final = timedelta(seconds=2)
"""After so long the reader is shown how far the job is, even while its steps go on."""

ROUNDS: Final = 50

QUEUED: Final = {
    Do.PREPARE: Step.PREPARE,
    Do.SUBMIT: Step.SUBMIT,
    Do.COLLECT: Step.COLLECT,
    Do.ASSEMBLE: Step.ASSEMBLE,
}


def advance(records: JobRecords) -> None:
    """Do the job's due steps one after the other; what does not fit into the budget goes to the queues."""
    app = records.app
    end = app.now() + BUDGET
    shown_at = app.now()
    done: set[tuple[Do, str]] = set()
    for _ in range(ROUNDS):
        due = [step for step in due_steps(records) if _name(step) not in done]
        if not due:
            break
        if app.now() - shown_at > SILENCE:
            publish(records)
            shown_at = app.now()
        for step in due:
            done.add(_name(step))
            if app.now() < end or step.do not in QUEUED:
                perform(records, step)
            else:
                app.queues.send(message_of(records.job_id, step))
    if not records.job.state.ended:  # Else its end was shown with its results.
        publish(records)


def handle(app: App, message: Message) -> None:
    """Do what a message asks for, and what follows from it."""
    if message.step is Step.NOTIFY:
        notice.notify(app, message.job_id, message.attempt)
        return
    records = load(app, message.job_id)
    if records is None:
        return
    batch = records.batch(message.index, message.attempt)
    do = next(do for do, step in QUEUED.items() if step is message.step)
    if batch is not None or message.index < 0:
        perform(records, Due(do, batch))
    advance(records)


def queue_due(app: App, job_id: str) -> None:
    """Send the job's due steps to the queues; what takes one call only is done at once."""
    records = load(app, job_id)
    for step in () if records is None else due_steps(records):
        if step.do in QUEUED:
            app.queues.send(message_of(job_id, step))
        elif records is not None:
            perform(records, step)


def perform(records: JobRecords, step: Due) -> None:
    """Do one step; one that another worker has taken over meanwhile is theirs to finish."""
    try:
        _perform(records, step)
    except Conflict as error:
        log.info("step left to another worker: %s", error, extra={"job_id": records.job_id, "step": step.do.value})
        records.reload()


def message_of(job_id: str, step: Due) -> Message:
    """Return the queue message for a step."""
    if step.batch is None:
        return Message(QUEUED[step.do], job_id)
    return Message(QUEUED[step.do], job_id, step.batch.index, step.batch.attempt)


def due_steps(records: JobRecords) -> list[Due]:
    """Return the steps that are due by the records in hand."""
    app = records.app
    return decide(records.job, records.batches, records.backoffs(), app.now(), app.settings.max_wait)


def _perform(records: JobRecords, step: Due) -> None:
    batch = step.batch
    if step.do is Do.PREPARE:
        building.prepare(records)
    elif step.do is Do.ASSEMBLE:
        assembly.assemble(records)
    elif step.do is Do.GIVE_UP:
        job_control.give_up(records)
    elif batch is not None:
        _perform_on_batch(records, step.do, batch)


def _perform_on_batch(records: JobRecords, do: Do, batch: Batch) -> None:
    if do is Do.SUBMIT:
        submission.submit(records, batch.index, batch.attempt)
    elif do is Do.CANCEL:
        job_control.cancel_batch(records, batch)
    elif do is Do.ABANDON:
        job_control.abandon_batch(records, batch)
    else:
        collection.collect(records, batch.index, batch.attempt)


def _name(step: Due) -> tuple[Do, str]:
    return step.do, step.batch.key if step.batch is not None else ""
