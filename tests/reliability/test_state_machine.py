"""Any order of drops, ticks, cancels, retries, faults and kills: nothing is lost, paid twice, taken back, or hangs."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.domain.errors import AppError
from shared.domain.ports import App
from shared.pipeline import job_control, steps
from testing.fakes import Plan
from tests.reliability.simulation import Killed, Simulation, check_balance, check_payment, table
from tests.reliability.watching import watched

OUTCOMES = ["ok", "ok", "ok", "429", "500", "400", "refusal", "cut", "bad", "missing"]
ROWS = st.lists(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3), max_size=7)
FAULTS = [
    ("create", "before"),
    ("create", "after"),
    ("create", "429"),
    ("create", "503"),
    ("upload", "after"),
    ("upload", "503"),
    ("page", "503"),
    ("cancel", "after"),
    ("batch", "503"),
    ("file", "429"),
    ("read_file", "cut"),
    ("read_file", "short"),
    ("delete_file", "503"),
]
PLANS = [
    Plan(),
    Plan(),
    Plan(running=4 * 3600),
    Plan(validating=1800, listed_after=600),
    Plan(validating=4000, listed_after=3000),
    Plan(ends="expired", share=0.5),
    Plan(faults=(("token_limit_exceeded", "enqueued tokens", ""),)),
    Plan(faults=(("invalid_json_line", "line 1", "1"),)),
]


class Reliability(RuleBasedStateMachine):
    """One app whose hosts come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation(MAX_REQUESTS_PER_BATCH="3")
        self.files = 0
        self.ended: dict[str, Any] = {}
        self.plans: list[Plan] = []

    @initialize()
    def begin(self) -> None:
        """The app has run before any file came."""
        self.simulation.service.plan_of = lambda metadata: self.plans.pop() if self.plans else Plan()
        self.simulation.tick(self.simulation.host())

    @rule(
        rows=st.lists(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3), max_size=7), kill=st.integers(0, 90)
    )
    def drop(self, rows: list[list[str]], kill: int) -> None:
        """A file is dropped, and its event delivered, unless the host dies over it."""
        self.files += 1
        ids = [f"f{self.files}-{number}" for number in range(len(rows))]
        self.simulation.service.rows |= dict(zip(ids, rows, strict=True))
        name = self.simulation.drop(f"{self.files}.csv", table(ids))
        self._on_a_host(kill, lambda app: self.simulation.event(app, name))

    @rule(kill=st.integers(0, 120))
    def tick(self, kill: int) -> None:
        """The timer fires, unless the host dies over it."""
        self._on_a_host(kill, self.simulation.tick)

    @rule(kill=st.integers(0, 120), lost=st.booleans())
    def deliver(self, kill: int, lost: bool) -> None:
        """The messages that are due are delivered."""
        self._on_a_host(kill, lambda app: self.simulation.deliver(app, lost=lost))

    @rule(seconds=st.sampled_from([1, 30, 60, 120, 300, 700, 3600]))
    def advance(self, seconds: int) -> None:
        """Time passes."""
        self.simulation.clock.advance(seconds)

    @rule(number=st.integers(0, 9), retry=st.booleans(), kill=st.integers(0, 40))
    def steer(self, number: int, retry: bool, kill: int) -> None:
        """Somebody cancels or retries a job."""
        jobs = self.simulation.jobs()
        if not jobs:
            return
        job_id = jobs[number % len(jobs)].job_id
        use_case = job_control.retry if retry else job_control.cancel

        def steer(app: App) -> None:
            try:
                steps.queue_due(app, use_case(app, job_id).job_id)
            except AppError:
                pass  # 409, or 503: both are shown to whoever clicked.

        self._on_a_host(kill, steer)

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 3))
    def fail(self, fault: tuple[str, str], times: int) -> None:
        """The next calls of the service fail."""
        self.simulation.service.fail(*fault, times=times)

    @rule(plan=st.sampled_from(PLANS))
    def behave(self, plan: Plan) -> None:
        """The next batch goes another way."""
        self.plans.append(plan)

    @rule(quota=st.sampled_from([None, (400, "late"), (400, "immediate"), (60, "immediate")]))
    def limit(self, quota: tuple[int, str] | None) -> None:
        """The deployment's quota changes."""
        self.simulation.service.quota = quota

    @invariant()
    def nothing_is_paid_twice_and_what_has_ended_stays(self) -> None:
        """What holds at every moment."""
        check_payment(self.simulation)
        check_balance(self.simulation)
        for job in self.simulation.jobs():
            if job.state.ended:
                files = {
                    name: self.simulation.result(job, name) for name in ("results.jsonl", "errors.jsonl", "results.csv")
                }
                assert self.ended.setdefault(job.job_id, files) == files

    def teardown(self) -> None:
        """Once everything works again, every file has a job, every job ends, and nothing was paid twice."""
        simulation = self.simulation
        simulation.service.restore()
        simulation.service.quota = None
        self.plans.clear()
        simulation.clock.advance(700)
        app = simulation.host()
        simulation.tick(app)
        simulation.clock.advance(180)
        simulation.go_on(app)
        assert {job.prompt_file for job in simulation.jobs()} == {
            f"{number}.csv" for number in range(1, self.files + 1)
        }
        check_payment(simulation)
        check_balance(simulation)

    def _on_a_host(self, kill: int, work: Callable[[App], object]) -> None:
        """Do something on a fresh host, which dies at a certain call where `kill` is small enough."""
        left = kill

        def count(call: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed(call)

        try:
            work(watched(self.simulation.host(), count))
        except Killed:
            pass


Reliability.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestReliability = Reliability.TestCase
