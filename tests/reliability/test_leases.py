"""A claim to a step lasts as long as somebody works on it, and no longer than its lease where nobody does."""

from dataclasses import replace

import pytest

from shared.domain.errors import Conflict
from shared.domain.model import Job
from shared.domain.ports import App
from shared.pipeline.claims import Claim, claim_job
from shared.pipeline.receiving import receive
from testing.seeding import loaded
from tests.reliability.simulation import Simulation, table

LEASE = 90


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(LEASE_SECONDS=str(LEASE))


def _claimed(simulation: Simulation, app: App) -> Claim[Job]:
    receive(app, simulation.drop("table.csv", table("ab")))
    claim = claim_job(loaded(app, simulation.jobs()[0].job_id))
    assert claim is not None
    return claim


def test_a_step_that_takes_longer_than_its_lease_is_nobody_elses_while_it_goes_on(simulation: Simulation) -> None:
    claim = _claimed(simulation, simulation.host())
    for _ in claim.keeping(range(10)):
        simulation.clock.advance(LEASE * 0.6)
        assert claim_job(loaded(simulation.host(), claim.record.job_id)) is None


def test_a_lease_is_renewed_once_a_third_of_it_is_over_and_not_before(simulation: Simulation) -> None:
    claim = _claimed(simulation, simulation.host())
    first = claim.record
    simulation.clock.advance(LEASE / 3 - 1)
    claim.keep()
    assert claim.record == first
    simulation.clock.advance(2)
    claim.keep()
    assert claim.record.version != first.version


def test_a_worker_that_was_silent_for_longer_than_its_lease_is_overtaken_and_stops(simulation: Simulation) -> None:
    slow = _claimed(simulation, simulation.host())
    simulation.clock.advance(LEASE)
    quick = claim_job(loaded(simulation.host(), slow.record.job_id))
    assert quick is not None
    with pytest.raises(Conflict):
        slow.keep()
    quick.keep()


def test_a_claim_goes_on_with_what_others_wrote_meanwhile_as_long_as_it_is_held(simulation: Simulation) -> None:
    app = simulation.host()
    claim = _claimed(simulation, app)
    written = app.store.save_job(replace(claim.record, warnings=("from elsewhere",)))
    with pytest.raises(Conflict):
        claim.change(input_tokens=1)
    claim.refresh(written)
    assert claim.release(input_tokens=1).warnings == ("from elsewhere",)
    with pytest.raises(Conflict):
        claim.refresh(app.store.job(written.job_id))


def test_a_step_that_fails_for_an_unknown_reason_is_free_for_the_next_at_once(simulation: Simulation) -> None:
    claim = _claimed(simulation, simulation.host())
    with pytest.raises(ZeroDivisionError), claim:
        raise ZeroDivisionError
    assert claim_job(loaded(simulation.host(), claim.record.job_id)) is not None
