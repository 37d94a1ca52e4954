"""Whatever the service does, every job ends, and none holds up another."""

import pytest

from shared.domain.model import JobState
from shared.domain.ports import Container
from shared.pipeline import job_control
from testing.fakes import Plan
from tests.reliability.simulation import Simulation, check_balance, check_payment, table

HOUR = 3600.0


def _submitted(**settings: str) -> Simulation:
    """A job whose batch runs at the service, for ever."""
    simulation = Simulation(**settings)
    simulation.service.plan_of = lambda metadata: Plan(running=10**9)
    app = simulation.host()
    simulation.event(app, simulation.drop("table.csv", table("ab")))
    return simulation


def _hours(simulation: Simulation, hours: int) -> None:
    app = simulation.host()
    for _ in range(hours * 6):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(600)


def test_a_job_whose_batch_the_service_has_lost_gives_up() -> None:
    simulation = _submitted()
    (batch_id,) = simulation.service.statuses()
    simulation.service.forget(batch_id)

    _hours(simulation, 75)

    (job,) = simulation.jobs()
    assert (job.state, job.code) == (JobState.FAILED, "gave_up")
    assert simulation.status(job)["errors"] == {"gave_up": 2}
    check_balance(simulation)


def test_a_cancelled_job_whose_batch_the_service_has_lost_ends_too() -> None:
    simulation = _submitted()
    (batch_id,) = simulation.service.statuses()
    simulation.service.forget(batch_id)
    job_control.cancel(simulation.host(), simulation.jobs()[0].job_id)

    _hours(simulation, 75)

    assert simulation.jobs()[0].state is JobState.CANCELLED
    check_balance(simulation)


def test_a_batch_that_is_never_done_with_its_cancellation_is_given_up() -> None:
    simulation = _submitted()
    simulation.service.plan_of = lambda metadata: Plan(running=10**9, cancelling=10**9)
    simulation.event(simulation.host(), simulation.drop("other.csv", table("ab")))

    _hours(simulation, 75)

    assert [job.state for job in simulation.jobs()] == [JobState.FAILED, JobState.FAILED]
    check_balance(simulation)


@pytest.mark.parametrize("method", ["create", "upload", "page", "cancel", "batch", "file", "read_file"])
def test_a_job_ends_though_a_part_of_the_service_is_down_for_ever(method: str) -> None:
    simulation = Simulation()
    simulation.service.fail(method, "before", times=10**9)
    simulation.event(simulation.host(), simulation.drop("table.csv", table("ab")))

    _hours(simulation, 80)

    assert simulation.jobs()[0].state.ended, simulation.jobs()[0].message
    check_balance(simulation)
    check_payment(simulation)


def test_a_creation_in_doubt_holds_up_no_job_where_no_list_is_to_be_had_to_look_it_up() -> None:
    simulation = Simulation()
    simulation.service.fail("create", "before")
    simulation.service.fail("page", "503", times=10**9)
    simulation.event(simulation.host(), simulation.drop("table.csv", table("ab")))

    _hours(simulation, 75)

    (job,) = simulation.jobs()
    assert (job.state, job.code) == (JobState.FAILED, "gave_up")
    assert simulation.service.billed == []
    check_balance(simulation)


def test_a_job_that_cannot_go_on_holds_up_no_other() -> None:
    simulation = Simulation()
    simulation.service.quota = (150, "late")
    app = simulation.host()
    simulation.event(app, simulation.drop("a.csv", table("abcdefgh")))
    broken = simulation.jobs()[0]
    for info in list(simulation.files.blobs(Container.WORK, prefix=f"{broken.job_id}/batch")):
        simulation.files.delete(Container.WORK, info.name)
    simulation.service.quota = None
    simulation.event(app, simulation.drop("b.csv", table("ab")))
    simulation.service.quota = (150, "late")

    _hours(simulation, 3)

    states = {job.prompt_file: job.state for job in simulation.jobs()}
    assert states["b.csv"] is JobState.COMPLETED
    assert not states["a.csv"].ended


def test_a_limit_that_not_even_one_row_fits_into_splits_nothing() -> None:
    simulation = Simulation()
    simulation.service.quota = (5, "immediate")
    simulation.event(simulation.host(), simulation.drop("table.csv", table("abcdefgh")))

    _hours(simulation, 3)

    (job,) = simulation.jobs()
    assert job.state is JobState.WAITING
    assert len(simulation.store.batches(job.job_id)) == 1
