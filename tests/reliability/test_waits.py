"""How long a job waits follows from the refusals that it met, and from nothing else."""

from datetime import timedelta

from shared.model import JobState
from tests.reliability.simulation import Simulation, table


def test_looking_for_a_lost_batch_makes_no_later_wait_longer() -> None:
    simulation = Simulation()
    app = simulation.host()
    simulation.service.fail("create", "before")
    simulation.event(app, simulation.drop("table.csv", table("ab")))
    job_id = simulation.jobs()[0].job_id
    while simulation.store.batches(job_id)[0].creating_since is not None:
        simulation.clock.advance(30)
        simulation.service.fail("create", "503")
        simulation.tick(app)
        simulation.deliver(app)
        simulation.service.mend()

    wait = simulation.store.batches(job_id)[0].wait
    assert wait is not None
    assert wait.tries == 1
    assert wait.until - simulation.clock.now() <= timedelta(seconds=75)
    simulation.go_on(app)
    assert simulation.jobs()[0].state is JobState.COMPLETED
