"""Open jobs as a poll reads them: those of a minute together, and one that cannot be read holds up no other."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import Unavailable
from shared.pipeline.poll.open_jobs import open_jobs
from tests.reliability.simulation import Simulation, table


def _three_jobs() -> Simulation:
    simulation = Simulation()
    app = simulation.host()
    simulation.tick(app)
    for name in ("a.csv", "b.csv", "c.csv"):
        simulation.event(app, simulation.drop(name, table("ab")))
    return simulation


def _watch(simulation: Simulation, monkeypatch: pytest.MonkeyPatch, method: str) -> list[Any]:
    """Note the arguments of a method of the store."""
    seen: list[Any] = []
    real: Callable[[Any], Any] = getattr(simulation.store, method)

    def noted(argument: Any) -> Any:
        seen.append(argument)
        return real(argument)

    monkeypatch.setattr(simulation.store, method, noted)
    return seen


def test_jobs_of_one_minute_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = _three_jobs()
    together, singly = (_watch(simulation, monkeypatch, name) for name in ("jobs_together", "job_with_batches"))
    app = simulation.host()

    found = list(open_jobs(app))

    ids = sorted(job.job_id for job in simulation.jobs())
    assert [one.job.job_id for one in found] == ids
    assert all(len(one.records.batches) == 1 for one in found)
    assert (together, singly) == ([ids], [])


def test_jobs_that_cannot_be_read_together_are_read_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = _three_jobs()
    bad = min(job.job_id for job in simulation.jobs())
    real = simulation.store.job_with_batches

    def one_is_unreadable(job_id: str) -> Any:
        if job_id == bad:
            raise ValueError("a row that cannot be read")
        return real(job_id)

    def none_together(job_ids: Sequence[str]) -> Any:
        return {job_id: one_is_unreadable(job_id) for job_id in job_ids}

    monkeypatch.setattr(simulation.store, "job_with_batches", one_is_unreadable)
    monkeypatch.setattr(simulation.store, "jobs_together", none_together)

    assert [one.job.job_id for one in open_jobs(simulation.host())] == sorted(
        job.job_id for job in simulation.jobs() if job.job_id != bad
    )


def test_jobs_that_are_left_out_are_read_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = _three_jobs()
    monkeypatch.setattr(simulation.store, "jobs_together", lambda _ids: {})

    assert len(list(open_jobs(simulation.host()))) == 3


def test_an_outage_of_the_table_holds_up_only_the_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = _three_jobs()

    def unavailable(_argument: Any) -> Any:
        raise Unavailable("Storage does not answer")

    with monkeypatch.context() as broken:
        for name in ("jobs_together", "job_with_batches"):
            broken.setattr(simulation.store, name, unavailable)
        assert list(open_jobs(simulation.host())) == []
    simulation.clock.advance(timedelta(minutes=1).total_seconds())
    assert len(list(open_jobs(simulation.host()))) == 3
