"""A cancellation that comes when little or nothing is left to cancel: it counts, and takes no answer away."""

import pytest

from shared.domain.model import BatchState, JobState
from shared.pipeline import job_control, steps
from shared.pipeline.collect import collection
from shared.pipeline.poll import polling
from testing.seeding import loaded
from tests.reliability.kinds import QUICK
from tests.reliability.simulation import Simulation, check_balance, check_payment, table


def _answered(**rows: list[str]) -> Simulation:
    """A job whose batch has ended at the service, of which nobody knows yet."""
    simulation = Simulation()
    simulation.service.plan_of = lambda metadata: QUICK
    simulation.service.rows = rows
    simulation.event(simulation.host(), simulation.drop("table.csv", table("abc")))
    simulation.clock.advance(60)
    return simulation


def _polled(simulation: Simulation) -> None:
    polling.poll(simulation.host())


def _collected(simulation: Simulation) -> None:
    app = simulation.host()
    polling.poll(app)
    collection.collect(loaded(app, simulation.jobs()[0].job_id), 0, 1)
    assert simulation.store.batches(simulation.jobs()[0].job_id)[0].state is BatchState.COLLECTED


@pytest.mark.parametrize("reach", [lambda simulation: None, _polled, _collected], ids=["ended", "polled", "collected"])
def test_a_job_cancelled_after_all_was_answered_ends_cancelled_with_every_answer(reach: object) -> None:
    simulation = _answered()
    assert callable(reach)
    reach(simulation)
    app = simulation.host()

    job = job_control.cancel(app, simulation.jobs()[0].job_id)
    steps.queue_due(app, job.job_id)
    simulation.go_on(app)

    (job,) = simulation.jobs()
    assert (job.state, job.rows_succeeded, job.errors) == (JobState.CANCELLED, 3, {})
    assert set(simulation.service.statuses().values()) == {"completed"}
    check_payment(simulation)
    check_balance(simulation)


def test_a_job_cancelled_before_its_follow_up_asks_no_row_again_and_names_what_failed() -> None:
    simulation = _answered(b=["500", "ok"])
    app = simulation.host()
    steps.queue_due(app, job_control.cancel(app, simulation.jobs()[0].job_id).job_id)
    simulation.go_on(app)

    (job,) = simulation.jobs()
    assert (job.state, job.rows_succeeded, job.errors) == (JobState.CANCELLED, 2, {"request_failed": 1})
    assert len(simulation.service.created()) == 1
    check_balance(simulation)
