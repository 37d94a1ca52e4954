"""How long a job waits follows from the refusals that it met, and from nothing else."""

from collections import Counter
from datetime import timedelta
from itertools import count

import pytest

from shared.domain.errors import Unavailable
from shared.domain.model import BatchState, JobState, RemoteBatch
from testing import fakes
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
        simulation.service.restore()

    wait = simulation.store.batches(job_id)[0].wait
    assert wait is not None
    assert wait.tries == 1
    assert wait.until - simulation.clock.now() <= timedelta(seconds=75)
    simulation.go_on(app)
    assert simulation.jobs()[0].state is JobState.COMPLETED


def test_only_batches_that_were_not_seen_wait_where_a_later_page_of_the_list_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Simulation(MAX_REQUESTS_PER_BATCH="1")
    host, seen, unseen = world.host(), fakes.PAGE, 20
    name = world.drop("many.csv", "Prompt,Required\n" + "q,a\n" * (seen + unseen))
    world.event(host, name)
    while any(batch.state is not BatchState.SUBMITTED for batch in world.store.batches(world.jobs()[0].job_id)):
        world.tick(host)
        world.deliver(host)
        world.clock.advance(20)
    world.clock.advance(3600)
    pages = count(1)
    real = world.service.page

    def page(after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        if next(pages) == 2:
            raise Unavailable("the second page")
        return real(after, status=status)

    monkeypatch.setattr(world.service, "page", page)
    # Else some of the others would be asked for by their ids.
    world.service.fail("batch", "before", times=10**9)
    world.tick(host)
    batches = world.store.batches(world.jobs()[0].job_id)
    assert Counter((batch.state, batch.wait is not None) for batch in batches) == {
        (BatchState.ENDED, False): seen,
        (BatchState.SUBMITTED, True): unseen,
    }
