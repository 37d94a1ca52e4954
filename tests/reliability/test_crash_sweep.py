"""A crash, or a failure, at every boundary between two I/O calls: the end is that of the undisturbed run.

On the ports in memory. What a process leaves behind changes only with the calls that write: a process killed before a
read leaves what it left before the read before it. So a kill after each writing call, and one before the first, are all
the kills there are; that nothing else differs is what tests/contracts and the sweep with real processes show.

By default each kind of job is disturbed at one boundary of each sort that it has: the same call, made by the same
functions of the app, one in the other. With CRASH_SWEEP=all at every boundary.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest

from shared.domain.errors import AnswerLost, Transient, Unavailable
from shared.domain.ports import App
from tests.reliability import counts
from tests.reliability.kinds import KINDS, Kind, play
from tests.reliability.simulation import Killed, check_balance, check_money, check_payment, end_of
from tests.reliability.watching import watched

EVERY = os.environ.get("CRASH_SWEEP") == "all"
READS = frozenset(
    {
        "files.info",
        "files.load",
        "files.read",
        "files.read_range",
        "files.fetch",
        "files.blobs",
        "store.all_listed",
        "store.listed",
        "store.job",
        "store.job_with_batches",
        "store.jobs_together",
        "store.batches",
        "store.batch",
        "store.history",
        "store.deployment_backoff",
        "store.deployment_backoffs",
        "store.bookmark",
        "store.bookmarks",
        "service.file",
        "service.read_file",
        "service.batch",
        "service.page",
        "queues.peek_failed_events",
        "ledger.month",
        "ledger.entry",
        "ledger.output_tokens",
    }
)


@dataclass
class Disturbance:
    """Happens once: at the call of number `at`, before or after it took effect."""

    at: int
    before: Callable[[str], BaseException] | None = None
    after: Callable[[str], BaseException] | None = None
    calls: list[str] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    def wrap(self, app: App) -> App:
        """The app with this disturbance in its ports."""
        return watched(app, self._begin, self._end)

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self.at and self.before is not None:
            raise self.before(call)
        if len(self.calls) == self.at:
            self._open.append(self.at)
            self.waits_for = call

    def _end(self, call: str) -> None:
        if self._open and call == self.waits_for and self.after is not None:
            self._open.clear()
            raise self.after(call)


def _kill(call: str) -> BaseException:
    return Killed(call)


def _fail(call: str) -> Transient:
    return AnswerLost("lost") if call == "service.create" else Unavailable(f"{call} failed")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of job."""
    chosen: Kind = request.param
    return chosen


@dataclass(frozen=True)
class Boundary:
    """A call of a port, a run's `number`-th, and the functions of the app that made it, the innermost first."""

    number: int
    call: str
    callers: tuple[str, ...]

    @property
    def writes(self) -> bool:
        """Whether the call changes what a process would leave behind."""
        return self.call not in READS


def _boundaries(kind: Kind) -> list[Boundary]:
    """The boundaries of an undisturbed run."""
    found: list[Boundary] = []
    play(kind, lambda app: watched(app, lambda call: found.append(Boundary(len(found) + 1, call, _callers()))))
    return found


def _callers() -> tuple[str, ...]:
    found, frame = [], sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals["__name__"].startswith("shared."):
            found.append(frame.f_code.co_qualname)
    return tuple(found)


def _chosen(boundaries: list[Boundary], which: Literal["first", "last"]) -> list[int]:
    """The numbers of the boundaries at which to disturb: the first or last of each sort, or all of them."""
    if EVERY:
        return [boundary.number for boundary in boundaries]
    in_order = boundaries if which == "last" else boundaries[::-1]
    return sorted({(boundary.call, boundary.callers): boundary.number for boundary in in_order}.values())


def _check(kind: Kind, title: str, disturbances: list[tuple[Disturbance, bool]], boundaries: int) -> None:
    undisturbed = play(kind, lambda app: app)
    assert undisturbed.uploads() == []
    expected = end_of(undisturbed)
    equal = 0
    for disturbance, lost in disturbances:
        simulation = play(kind, disturbance.wrap, lost=lost)
        call = f"{disturbance.calls[disturbance.at - 1]} (call {disturbance.at})"
        check_payment(simulation)
        check_balance(simulation)
        check_money(simulation)
        assert end_of(simulation) == expected, call
        # One whose upload or deletion was disturbed expires by itself.
        assert len(simulation.uploads()) <= 1, call
        equal += 1
    counts.note(title, kind.name, boundaries=boundaries, runs=len(disturbances), equal=equal)


def _writes(boundaries: list[Boundary]) -> list[Boundary]:
    return [boundary for boundary in boundaries if boundary.writes]


@pytest.mark.parametrize("lost", [True, False], ids=["message lost", "message seen again"])
def test_a_job_ends_the_same_wherever_its_process_is_killed(kind: Kind, lost: bool) -> None:
    boundaries = _boundaries(kind)
    kills = [Disturbance(1, before=_kill)]
    chosen = _chosen(_writes(boundaries), "first" if lost else "last")
    kills += [Disturbance(number, after=_kill) for number in chosen]
    title = f"killed, {'message lost' if lost else 'message seen again'}"
    _check(kind, title, [(kill, lost) for kill in kills], len(boundaries))


def test_a_job_ends_the_same_whichever_call_fails_before_it_took_effect(kind: Kind) -> None:
    boundaries = _boundaries(kind)
    failures = [(Disturbance(number, before=_fail), True) for number in _chosen(boundaries, "last")]
    _check(kind, "failed before its effect", failures, len(boundaries))


def test_a_job_ends_the_same_whichever_call_fails_after_it_took_effect(kind: Kind) -> None:
    boundaries = _boundaries(kind)
    chosen = _chosen(_writes(boundaries), "first")
    failures = [(Disturbance(number, after=_fail), True) for number in chosen]
    _check(kind, "failed after its effect", failures, len(boundaries))
