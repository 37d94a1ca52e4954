"""Storage that is throttled for a while, at whatever a job does with it: the job says so and goes on by itself."""

import pytest

from shared.domain.errors import Throttled
from shared.domain.ports import App
from tests.reliability.simulation import Simulation, check_balance, check_payment, end_of, table
from tests.reliability.watching import watched

BUSY_MINUTES = 20


class Busy:
    """A host's storage: some of its calls are refused until a time."""

    def __init__(self, simulation: Simulation, calls: tuple[str, ...]) -> None:
        self._simulation, self._calls = simulation, calls
        self.refused = 0
        self.over = False

    def wrap(self, app: App) -> App:
        """The app with this storage."""
        return watched(app, self._before)

    def _before(self, call: str) -> None:
        if not self.over and call.startswith(self._calls):
            self.refused += 1
            raise Throttled(f"Storage is busy (503 for {call})", 5)


def _simulation() -> Simulation:
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="2")
    simulation.service.rows = {"b": ["500", "ok"], "c": ["400"]}
    simulation.tick(simulation.host())
    simulation.clock.advance(60)
    simulation.drop("table.csv", table("abc"))
    return simulation


@pytest.mark.parametrize(
    "calls",
    [
        ("writer.commit",),
        ("files.info",),
        ("files.read",),
        ("files.",),
        ("store.save_batch",),
        ("store.finish_batch",),
        ("store.",),
        ("queues.",),
        ("files.", "store.", "queues.", "writer."),
    ],
    ids=lambda calls: "+".join(calls),
)
def test_a_job_that_meets_busy_storage_ends_as_if_it_had_not(calls: tuple[str, ...]) -> None:
    undisturbed = _simulation()
    app = undisturbed.host()
    undisturbed.event(app, "table.csv")
    undisturbed.go_on(app)
    simulation = _simulation()
    busy = Busy(simulation, calls)
    app = busy.wrap(simulation.host())

    simulation.event(app, "table.csv")
    for _ in range(BUSY_MINUTES):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    busy.over = True
    simulation.event(app, "table.csv")
    simulation.go_on(app)

    assert busy.refused
    assert end_of(simulation) == end_of(undisturbed)
    check_payment(simulation)
    check_balance(simulation)


def test_a_job_whose_results_cannot_be_written_says_so_while_it_waits() -> None:
    simulation = _simulation()
    busy = Busy(simulation, ("writer.commit",))
    host = simulation.host()
    simulation.event(host, "table.csv")
    app = busy.wrap(host)
    for _ in range(10):
        simulation.clock.advance(60)
        simulation.tick(app)
        simulation.deliver(app)

    (job,) = simulation.jobs()
    status = simulation.status(job)
    assert status["state"] == "waiting"
    assert "Storage is busy" in status["message"]

    busy.over = True
    simulation.go_on(app)

    assert simulation.status(simulation.jobs()[0])["state"] == "completed"
