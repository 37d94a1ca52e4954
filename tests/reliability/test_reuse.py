"""Answers used again: what earlier jobs of the same name have paid for is not paid for again."""

import json
from typing import Any

from shared.domain.model import Job, JobState
from tests.reliability.simulation import Simulation, check_balance, table

NAME = "folder/table.csv"


def run(simulation: Simulation, content: str, **settings: Any) -> Job:
    app = simulation.host()
    simulation.clock.advance(3600)
    simulation.event(app, simulation.drop(NAME, content, **settings))
    simulation.go_on(app)
    return max(simulation.jobs(), key=lambda job: job.created_at)


def results(simulation: Simulation, job: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in simulation.result(job, "results.jsonl").splitlines()]


def test_rows_that_an_earlier_job_has_answered_are_not_sent() -> None:
    simulation = Simulation()
    first = run(simulation, table("abc"))
    second = run(simulation, table("abcd"), reuse=True)

    assert [row.custom_id for row in simulation.service.billed] == ["a", "b", "c", "d"]
    assert second.state is JobState.COMPLETED
    assert simulation.status(second)["rows"] == {"total": 4, "succeeded": 4, "failed": 0, "pending": 0, "reused": 3}
    lines = results(simulation, second)
    assert [line.get("reused_from") for line in lines] == [first.job_id] * 3 + [None]
    assert [line["attempts"] for line in lines] == [0, 0, 0, 1]
    assert [line["usage"] is None for line in lines] == [True, True, True, False]
    check_balance(simulation)
