"""Retries of retries: what was answered once is never asked again, however the retries in between ended."""

import json

from shared.domain.model import JobState
from shared.domain.ports import Container
from shared.pipeline import job_control, receiving, steps
from tests.reliability.simulation import Simulation, check_balance, table


def _failed_once() -> Simulation:
    simulation = Simulation()
    simulation.service.rows = {"b": ["400"]}
    app = simulation.host()
    simulation.event(app, simulation.drop("folder/table.csv", table("abc")))
    simulation.go_on(app)
    simulation.service.rows = {}
    return simulation


def _retry(simulation: Simulation) -> None:
    app = simulation.host()
    steps.queue_due(app, job_control.retry(app, simulation.jobs()[0].job_id).job_id)


def test_a_retry_that_failed_for_its_settings_keeps_what_was_answered() -> None:
    simulation = _failed_once()
    simulation.files.write(Container.PROMPTS, "folder/_job.json", b'{"no_such_key": 1}')
    _retry(simulation)
    simulation.go_on(simulation.host())
    simulation.files.write(Container.PROMPTS, "folder/_job.json", json.dumps({}).encode())

    _retry(simulation)
    simulation.go_on(simulation.host())

    first, second, third = simulation.jobs()
    assert (second.state, second.code, second.rows_succeeded) == (JobState.FAILED, "invalid_job_settings", 2)
    assert (third.state, third.rows_succeeded) == (JobState.COMPLETED, 3)
    assert sorted(row.custom_id for row in simulation.service.billed) == ["a", "b", "c"]
    assert first.rows_succeeded == 2
    check_balance(simulation)


def test_a_retry_that_was_cancelled_before_it_began_keeps_what_was_answered() -> None:
    simulation = _failed_once()
    app = simulation.host()
    retry = job_control.retry(app, simulation.jobs()[0].job_id)
    job_control.cancel(app, retry.job_id)
    simulation.go_on(app)

    _retry(simulation)
    simulation.go_on(app)

    assert [job.rows_succeeded for job in simulation.jobs()] == [2, 2, 3]
    assert sorted(row.custom_id for row in simulation.service.billed) == ["a", "b", "c"]
    check_balance(simulation)


def test_a_job_cancelled_before_its_file_was_copied_names_its_rows_not_sent() -> None:
    simulation = Simulation()
    app = simulation.host()
    simulation.service.fail("upload", "503", times=10)
    simulation.drop("table.csv", table("abc"))
    receiving.receive(app, "table.csv")
    job_control.cancel(app, simulation.jobs()[0].job_id)
    simulation.go_on(app)

    (job,) = simulation.jobs()
    assert (job.rows_total, job.errors) == (3, {"not_sent": 3})
    check_balance(simulation)
