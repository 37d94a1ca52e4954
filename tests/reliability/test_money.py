"""Two jobs, one budget: however their workers take turns, and wherever one dies, the month's sums are right."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import AppError, Unavailable
from shared.domain.ledger import Standing, month_of, standing
from shared.domain.lifecycle import is_held, observed
from shared.domain.model import BatchState, Job, JobState
from shared.domain.ports import App
from shared.pipeline import job_control, receiving, steps
from shared.pipeline.build import building
from shared.pipeline.collect import collection
from shared.pipeline.month_total import this_month, tidy
from shared.pipeline.reporting import close
from shared.pipeline.spending import reserve_in_new_month
from shared.settings import read_settings
from testing.seeding import loaded
from tests.reliability import counts
from tests.reliability.interleaving import Actor, Work, interleave
from tests.reliability.kinds import QUICK
from tests.reliability.simulation import ENVIRONMENT, Killed, Simulation, check_balance, check_money, table
from tests.reliability.watching import watched

BUDGET = 0.003
"""Room for one of the two jobs, at 0.00216 dollars each."""

CAPPED = {"parameters": {"max_completion_tokens": 100}}
MONTH = 31 * 86_400


def received(**environment: str) -> Simulation:
    """Two jobs that are known, and not built yet."""
    simulation = Simulation(MONTHLY_BUDGET_USD=str(BUDGET), **environment)
    simulation.service.plan_of = lambda metadata: QUICK
    simulation.tick(simulation.host())
    for name in ("one.csv", "two.csv"):
        simulation.clock.advance(1)
        receiving.receive(simulation.host(), simulation.drop(name, table("abcd"), **CAPPED))
    return simulation


def one_held() -> Simulation:
    """The first job is under way, the second held by the budget."""
    simulation = received()
    for number in (0, 1):
        prepare(simulation, number)(simulation.host())
    return simulation


def both_held_last_month() -> Simulation:
    """Both jobs were held by the budget of a month that is over."""
    simulation = received()
    simulation.spend(BUDGET)
    for number in (0, 1):
        prepare(simulation, number)(simulation.host())
    simulation.clock.advance(MONTH)
    return simulation


def ended() -> Simulation:
    """The first job has ended in its row, and is not closed yet; the second is not built."""
    simulation = received()
    app, job_id = simulation.host(), simulation.jobs()[0].job_id

    def killed_when_it_closes(call: str) -> None:
        job = simulation.store.job(job_id)
        if call.startswith("ledger.settle") and job is not None and job.state.ended:
            raise Killed

    prepare(simulation, 0)(app)
    for _ in range(20):
        try:
            for batch in loaded(app, job_id).batches:
                if batch.state is BatchState.ENDED:
                    collection.collect(loaded(app, job_id), batch.index, batch.attempt)
            steps.advance(loaded(watched(app, killed_when_it_closes), job_id))
            simulation.clock.advance(60)
            simulation.queues.waiting.clear()
            for batch in loaded(app, job_id).batches:
                if batch.state is BatchState.SUBMITTED:
                    seen = simulation.service.batch(batch.batch_id)
                    assert seen is not None
                    simulation.store.save_batch(observed(batch, seen, simulation.clock.now()))
        except Killed:
            return simulation
    raise AssertionError("never ended")


def prepare(simulation: Simulation, number: int) -> Work:
    """Build one of the jobs."""
    job_id = simulation.jobs()[number].job_id
    return lambda app: building.prepare(loaded(app, job_id))


def go_on(simulation: Simulation, number: int) -> Work:
    """Look at one of the held jobs again, as the poll does in a new month."""
    job_id = simulation.jobs()[number].job_id
    return lambda app: reserve_in_new_month(loaded(app, job_id))


def release(simulation: Simulation, number: int) -> Work:
    """Release one of the jobs."""
    job_id = simulation.jobs()[number].job_id

    def work(app: App) -> None:
        try:
            job_control.release(app, job_id)
        except job_control.NotNow:
            pass

    return work


def end(simulation: Simulation, number: int) -> Work:
    """Close one of the jobs."""
    job_id = simulation.jobs()[number].job_id
    return lambda app: close(loaded(app, job_id))


def tidied(simulation: Simulation, _number: int) -> Work:
    """Tidy the ledger, as the poll does, over the jobs that are open now."""
    return lambda app: tidy(app, [loaded(app, listed.entry.job_id) for listed in app.store.all_listed()])


@dataclass(frozen=True)
class Meeting:
    """Two workers who meet over one budget, and at how many jobs it may end that are not held."""

    name: str
    given: Callable[[], Simulation]
    first: Callable[[Simulation, int], Work]
    second: Callable[[Simulation, int], Work]
    same_job: bool = False
    under_way: int = 1


MEETINGS = (
    Meeting("two builders", received, prepare, prepare),
    Meeting("two builders of one job", received, prepare, prepare, same_job=True),
    Meeting("two held jobs in a new month", both_held_last_month, go_on, go_on),
    Meeting("a builder and the tidying poll", received, prepare, tidied),
    Meeting("a release and the tidying poll", one_held, lambda s, _: release(s, 1), tidied, under_way=2),
    Meeting("twins closing one job", ended, end, end, same_job=True),
    Meeting("the end of a job and a builder", ended, end, prepare, under_way=1),
    Meeting("the end of a job and the tidying poll", ended, end, tidied),
)


def now(simulation: Simulation) -> Standing:
    """The present month by the ledger alone."""
    return standing(*simulation.ledger.month(month_of(simulation.clock.now())))


def under_way(simulation: Simulation) -> list[Job]:
    """The jobs that are built, have not ended and are not held."""
    return [job for job in simulation.jobs() if job.built and not is_held(job) and not job.state.ended]


def check(meeting: Meeting, turns: list[bool]) -> None:
    """Play a meeting; then the budget is kept, what is under way is reserved, and all ends as it should."""
    simulation = meeting.given()
    first = Actor(meeting.first(simulation, 0), simulation.host())
    second = Actor(meeting.second(simulation, 0 if meeting.same_job else 1), simulation.host())
    interleave(first, second, turns)

    jobs = under_way(simulation)
    assert len(jobs) <= meeting.under_way
    if all(not job.released for job in jobs):
        assert now(simulation).committed <= BUDGET
    check_reserved(simulation)
    app = simulation.host()
    go_on_into_the_next_month(simulation, app)
    if any(job.state is not JobState.COMPLETED for job in simulation.jobs()):
        raise AssertionError([(job.state, job.message) for job in simulation.jobs()])
    check_balance(simulation)
    check_money(simulation)


def go_on_into_the_next_month(simulation: Simulation, app: App) -> None:
    """Let jobs be built and sent, and those that are held go on in the next month."""
    for _ in range(3):
        simulation.clock.advance(60)
        simulation.tick(app)
        simulation.deliver(app)
    simulation.clock.advance(MONTH)
    simulation.go_on(app)


def check_reserved(simulation: Simulation) -> None:
    """Each job under way has its estimate reserved, no other job anything, but one being built or closed."""
    changing = {job.job_id for job in simulation.jobs() if not job.built or job.state.ended}
    going = {job.job_id: job.estimate.usd for job in under_way(simulation) if job.estimate is not None}
    for entry in simulation.ledger.month(month_of(simulation.clock.now()))[1]:
        if not entry.ended and entry.job_id not in changing:
            assert entry.reserved == pytest.approx(going.pop(entry.job_id, 0.0) or 0.0), entry
    assert not going


@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda meeting: meeting.name)
def test_two_workers_never_both_take_the_last_of_a_budget_wherever_one_hands_over(meeting: Meeting) -> None:
    schedules = 0
    for first_begins in (True, False):
        for switch in range(length(meeting, first=first_begins) + 1):
            check(meeting, [not first_begins] * switch + [first_begins] * 500)
            schedules += 1
    counts.note("one budget", meeting.name, schedules=schedules, equal=schedules)


def length(meeting: Meeting, *, first: bool) -> int:
    """How many steps one of the two takes by itself."""
    simulation = meeting.given()
    number = 0 if first or meeting.same_job else 1
    return Actor((meeting.first if first else meeting.second)(simulation, number), simulation.host()).finish()


@settings(max_examples=80, deadline=None)
@given(meeting=st.sampled_from(MEETINGS), turns=st.lists(st.booleans(), max_size=80))
def test_two_workers_keep_one_budget_however_they_take_turns(meeting: Meeting, turns: list[bool]) -> None:
    check(meeting, turns)


class Stop:
    """Kills the process before its call of some number."""

    def __init__(self, at: int) -> None:
        self.at, self.calls = at, 0

    def __call__(self, _call: str) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise Killed


STEPS: dict[str, tuple[Callable[[], Simulation], Callable[[Simulation, int], Work]]] = {
    "built": (received, prepare),
    "looked at in a new month": (both_held_last_month, go_on),
    "released": (one_held, lambda simulation, _: release(simulation, 1)),
    "closed": (ended, end),
    "tidied": (ended, tidied),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_any_call_loses_no_money_and_no_reservation_for_good(step: str) -> None:
    begin, act = STEPS[step]
    at, killed = 1, True
    while killed:
        simulation = begin()
        try:
            act(simulation, 0)(watched(simulation.host(), Stop(at)))
            killed = False
        except Killed:
            at += 1
        simulation.clock.advance(700)
        app = simulation.host()
        tidied(simulation, 0)(app)
        check_reserved(simulation)
        go_on_into_the_next_month(simulation, app)
        assert all(job.state is JobState.COMPLETED for job in simulation.jobs())
        check_balance(simulation)
        check_money(simulation)
    counts.note("killed with money in hand", step, runs=at, equal=at)
    assert at > 3


def test_a_budget_that_is_set_later_knows_what_jobs_under_way_have_cost_and_will() -> None:
    simulation = received(MAX_REQUESTS_PER_BATCH="2")
    with_budget = simulation.settings
    simulation.settings = read_settings({**ENVIRONMENT, "MAX_REQUESTS_PER_BATCH": "2"})
    simulation.service.plan_of = lambda metadata: QUICK
    app = simulation.host()
    building.prepare(loaded(app, simulation.jobs()[0].job_id))
    assert simulation.ledger.month("2026-11")[1] == []
    before = this_month(app)

    simulation.settings = with_budget
    app = simulation.host()
    tidied(simulation, 0)(app)
    building.prepare(loaded(app, simulation.jobs()[1].job_id))

    assert is_held(simulation.jobs()[1])
    assert now(simulation).reserved == pytest.approx(simulation.jobs()[0].estimate.usd)  # type: ignore[union-attr]
    assert before.spent == 0
    check_reserved(simulation)


def test_a_budget_that_is_taken_away_and_set_again_finds_no_old_reservation() -> None:
    simulation = one_held()
    with_budget = simulation.settings
    simulation.settings = read_settings(ENVIRONMENT)
    simulation.service.rows = {name: ["400"] for name in "abcd"}
    app = simulation.host()
    job_control.cancel(app, simulation.jobs()[1].job_id)
    simulation.go_on(app)
    assert sum(job.rows_succeeded for job in simulation.jobs()) == 0

    simulation.settings = with_budget
    tidy(simulation.host(), [])

    assert now(simulation) == Standing(0.0, 0.0)


def test_a_ledger_that_fails_while_a_batch_is_collected_makes_no_batch_wait() -> None:
    simulation = received(MAX_REQUESTS_PER_BATCH="2")
    app = simulation.host()
    building.prepare(loaded(app, simulation.jobs()[0].job_id))

    def fail(call: str) -> None:
        if call == "ledger.save":
            raise Unavailable("the ledger is down")

    failing = watched(app, fail)
    for _ in range(10):
        try:
            simulation.tick(failing)
            simulation.deliver(failing)
        except AppError:
            pass
        for batch in simulation.store.batches(simulation.jobs()[0].job_id):
            assert batch.state is not BatchState.COLLECTED or batch.wait is None
        simulation.clock.advance(60)
    simulation.clock.advance(MONTH)
    simulation.go_on(app)
    check_money(simulation)
