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
from shared.pipeline.reporting import publish
from shared.pipeline.submit import submission
from shared.pipeline.submit.refusals import backoffs_before

log = logging.getLogger("structuredbatch.steps")

BUDGET: Final = timedelta(seconds=60)
"""How long a trigger goes on with a job's steps itself before it leaves the rest to the queues."""

ROUNDS: Final = 50

QUEUED: Final = {
    Do.PREPARE: Step.PREPARE,
    Do.SUBMIT: Step.SUBMIT,
    Do.COLLECT: Step.COLLECT,
    Do.ASSEMBLE: Step.ASSEMBLE,
}


def advance(app: App, job_id: str) -> None:
    """Do the job's due steps one after the other; what does not fit into the budget goes to the queues."""
    end = app.now() + BUDGET
    done: set[tuple[Do, str]] = set()
    for _ in range(ROUNDS):
        due = [step for step in _due(app, job_id) if _name(step) not in done]
        if not due:
            break
        for step in due:
            done.add(_name(step))
            if app.now() < end or step.do not in QUEUED:
                perform(app, job_id, step)
            else:
                app.queues.send(message_of(job_id, step))
        publish(app, job_id)


def handle(app: App, message: Message) -> None:
    """Do what a message asks for, and what follows from it."""
    if message.step is Step.NOTIFY:
        notice.notify(app, message.job_id, message.attempt)
        return
    batch = app.store.batch(message.job_id, message.index, message.attempt) if message.index >= 0 else None
    do = next(do for do, step in QUEUED.items() if step is message.step)
    if batch is not None or message.index < 0:
        perform(app, message.job_id, Due(do, batch))
        publish(app, message.job_id)
    advance(app, message.job_id)


def queue_due(app: App, job_id: str) -> None:
    """Send the job's due steps to the queues; what takes one call only is done at once."""
    for step in _due(app, job_id):
        if step.do in QUEUED:
            app.queues.send(message_of(job_id, step))
        else:
            perform(app, job_id, step)


def perform(app: App, job_id: str, step: Due) -> None:
    """Do one step; where somebody else took it over meanwhile, that is theirs to finish."""
    try:
        _perform(app, job_id, step)
    except Conflict as error:
        log.info("step left to another worker: %s", error, extra={"job_id": job_id, "step": step.do.value})


def message_of(job_id: str, step: Due) -> Message:
    """The queue message for a step."""
    if step.batch is None:
        return Message(QUEUED[step.do], job_id)
    return Message(QUEUED[step.do], job_id, step.batch.index, step.batch.attempt)


def _perform(app: App, job_id: str, step: Due) -> None:
    batch = step.batch
    if step.do is Do.PREPARE:
        building.prepare(app, job_id)
    elif step.do is Do.ASSEMBLE:
        assembly.assemble(app, job_id)
    elif step.do is Do.GIVE_UP:
        job_control.give_up(app, job_id)
    elif batch is not None:
        _perform_on_batch(app, step.do, batch)


def _perform_on_batch(app: App, do: Do, batch: Batch) -> None:
    if do is Do.SUBMIT:
        submission.submit(app, batch.job_id, batch.index, batch.attempt)
    elif do is Do.CANCEL:
        job_control.cancel_batch(app, batch)
    elif do is Do.ABANDON:
        job_control.abandon_batch(app, batch)
    else:
        collection.collect(app, batch.job_id, batch.index, batch.attempt)


def _due(app: App, job_id: str) -> list[Due]:
    job, batches = app.store.job_with_batches(job_id)
    if job is None:
        return []
    return decide(job, batches, backoffs_before(app, batches), app.now(), app.settings.max_wait)


def _name(step: Due) -> tuple[Do, str]:
    return step.do, step.batch.key if step.batch is not None else ""
