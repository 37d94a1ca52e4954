"""A batch that shows up when nobody waits for it any more is cancelled before it is paid, or adopted."""

import pytest

from shared.domain.lifecycle import put_back
from shared.domain.model import JobState, Wait
from shared.pipeline import job_control
from shared.pipeline.submit import submission
from testing.fakes import Plan
from testing.seeding import loaded
from tests.reliability.simulation import Simulation, check_balance, check_payment, table

SLOW = Plan(validating=4000, listed_after=900)


def _lost(plan: Plan = SLOW, **settings: str) -> Simulation:
    """A job whose creating call took effect while its answer was lost, and whose batch is listed only later."""
    simulation = Simulation(**settings)
    plans = iter([plan])
    simulation.service.plan_of = lambda metadata: next(plans, Plan())
    simulation.service.fail("create", "after")
    app = simulation.host()
    simulation.tick(app)
    simulation.event(app, simulation.drop("table.csv", table("ab")))
    return simulation


def _minutes(simulation: Simulation, minutes: int) -> None:
    app = simulation.host()
    for _ in range(minutes):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)


@pytest.mark.parametrize("transfer", ["upload", "storage"])
def test_a_twin_that_shows_up_after_its_job_has_ended_is_cancelled_unpaid(transfer: str) -> None:
    simulation = _lost(BATCH_TRANSFER=transfer)

    _minutes(simulation, 90)

    assert [job.state for job in simulation.jobs()] == [JobState.COMPLETED]
    assert sorted(simulation.service.statuses().values()) == ["cancelled", "completed"]
    assert len(simulation.service.billed) == 2
    check_payment(simulation)


def test_a_batch_that_shows_up_after_its_job_was_cancelled_unsent_is_cancelled_unpaid() -> None:
    simulation = _lost()
    job_control.cancel(simulation.host(), simulation.jobs()[0].job_id)

    _minutes(simulation, 90)

    assert simulation.jobs()[0].errors == {"not_sent": 2}
    assert list(simulation.service.statuses().values()) == ["cancelled"]
    assert not simulation.service.billed


def test_a_batch_is_found_by_its_name_where_its_input_file_was_forgotten() -> None:
    simulation = _lost(SETTLE_SECONDS="30")
    simulation.clock.advance(60)
    app = simulation.host()
    job = simulation.jobs()[0]
    submission.submit(loaded(app, job.job_id), 0, 1)
    assert len(simulation.service.created()) == 2

    _minutes(simulation, 90)

    assert len(simulation.service.billed) == 2
    check_payment(simulation)
    check_balance(simulation)


def test_a_poll_that_sees_a_batch_between_its_creation_and_its_recording_leaves_it_alone() -> None:
    simulation = Simulation()
    app = simulation.host()
    create = simulation.service.create

    def create_and_poll(*args: object, **named: object) -> object:
        made = create(*args, **named)  # type: ignore[arg-type]
        simulation.tick(simulation.host())
        return made

    simulation.event(app, simulation.drop("other.csv", table("ab")))
    stale = list(simulation.store.all_listed())
    simulation.service.create = create_and_poll  # type: ignore[method-assign, assignment]
    all_listed = simulation.store.all_listed
    simulation.store.all_listed = lambda: iter(stale)  # type: ignore[method-assign]
    simulation.event(app, simulation.drop("table.csv", table("ab")))
    simulation.store.all_listed = all_listed  # type: ignore[method-assign]

    simulation.go_on(app)

    assert [job.state for job in simulation.jobs()] == [JobState.COMPLETED, JobState.COMPLETED]
    assert set(simulation.service.statuses().values()) == {"completed"}


def test_a_twin_that_was_cancelled_is_never_adopted_for_the_batch_that_waits() -> None:
    simulation = Simulation()
    app = simulation.host()
    simulation.event(app, simulation.drop("table.csv", table("ab")))
    job = simulation.jobs()[0]
    batch = simulation.store.batches(job.job_id)[0]
    metadata = {"job": job.job_id, "index": "0", "attempt": "1"}
    twin = simulation.service.create(batch, metadata=metadata)
    simulation.service.cancel(twin.batch_id)
    simulation.clock.advance(70)
    simulation.service.forget(batch.batch_id)
    simulation.store.save_batch(put_back(batch, Wait(until=simulation.clock.now(), tries=1, message="quota")))

    simulation.go_on(app)

    assert simulation.jobs()[0].rows_succeeded == 2


def test_a_worker_that_was_overtaken_while_it_created_cancels_its_own_batch_at_once() -> None:
    simulation = Simulation(SETTLE_SECONDS="0")
    app = simulation.host()
    create = simulation.service.create

    def create_late(*args: object, **named: object) -> object:
        simulation.service.create = create  # type: ignore[method-assign]
        simulation.clock.advance(700)
        submission.submit(loaded(simulation.host(), simulation.jobs()[0].job_id), 0, 1)
        return create(*args, **named)  # type: ignore[arg-type]

    simulation.service.create = create_late  # type: ignore[method-assign, assignment]
    simulation.event(app, simulation.drop("table.csv", table("ab")))

    assert sorted(simulation.service.statuses().values()) == ["cancelling", "validating"]
    simulation.go_on(app)
    assert len(simulation.service.billed) == 2
