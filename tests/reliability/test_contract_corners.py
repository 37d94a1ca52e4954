"""Corners of the contract: promises that meet in one job, computed here from the promises alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.model import Job
from shared.domain.ports import Container
from shared.pipeline import job_control
from shared.settings import read_settings
from shared.web import api
from testing.documents import image
from testing.fakes import Plan
from tests.reliability.simulation import ENVIRONMENT, Simulation, check_balance, check_money, table

NINE = table([f"r{number}" for number in range(1, 10)])
UNCAPPED = 4096
"""Output tokens that a pilot's row counts with where it has no cap."""
WRITTEN = 5e-6
"""The batch price of gpt-4o, US dollars an output token."""


def dropped(simulation: Simulation, name: str, content: str, **settings: Any) -> Job:
    """Drop a file, deliver its event, and return its job."""
    simulation.clock.advance(1)
    known = {job.job_id for job in simulation.jobs()}
    simulation.event(simulation.host(), simulation.drop(name, content, **settings))
    (job,) = [job for job in simulation.jobs() if job.job_id not in known]
    return job


def run_to(simulation: Simulation, job: Job, *states: str) -> dict[str, Any]:
    """Let time pass until the job is in one of these states, and return its status.json."""
    for _ in range(120):
        simulation.tick(simulation.host())
        simulation.deliver(simulation.host())
        status = simulation.status(job)
        if status["state"] in states:
            return status
        simulation.clock.advance(60)
    raise AssertionError(status)


def month_of(simulation: Simulation) -> dict[str, float]:
    """The month as `GET /api/jobs` shows it."""
    found: dict[str, float] = api.list_response(simulation.host, {}).body["month"]
    return found


def next_month(simulation: Simulation) -> None:
    """Let the clock go on to the first minute of December 2026, UTC."""
    simulation.clock.advance((datetime(2026, 12, 1, 0, 0, 30, tzinfo=UTC) - simulation.clock.now()).total_seconds())


def test_a_pilot_that_had_no_room_in_its_month_runs_by_itself_in_the_next_though_the_jobs_cost_is_unknown() -> None:
    simulation = Simulation(MONTHLY_BUDGET_USD="0.5")
    simulation.tick(simulation.host())
    simulation.spend(0.5)
    job = dropped(simulation, "table.csv", NINE, pilot=3)
    assert simulation.status(job)["held_by"] == "budget"

    next_month(simulation)
    under_way = run_to(simulation, job, "running")
    reserved = month_of(simulation)["reserved_usd"]
    status = run_to(simulation, job, "completed", "held")

    assert [batch["pilot"] for batch in under_way["batches"] if batch["state"] == "submitted"] == [True]
    assert 3 * UNCAPPED * WRITTEN < reserved < 3 * UNCAPPED * WRITTEN * 1.01
    assert (status["state"], status["rows"]["succeeded"]) == ("completed", 9)
    check_balance(simulation)
    check_money(simulation)


def test_a_released_pilot_of_unknown_cost_reserves_its_own_estimate() -> None:
    simulation = Simulation(MONTHLY_BUDGET_USD="0.01")
    simulation.tick(simulation.host())
    job = dropped(simulation, "table.csv", NINE, pilot=3)
    held = month_of(simulation)["reserved_usd"]

    job_control.release(simulation.host(), job.job_id)

    assert simulation.status(job)["rows"]["pending"] == 9
    assert held == 0.0
    assert 3 * UNCAPPED * WRITTEN < month_of(simulation)["reserved_usd"] < 3 * UNCAPPED * WRITTEN * 1.01
    run_to(simulation, job, "completed")
    assert month_of(simulation)["reserved_usd"] == 0.0
    check_money(simulation)


@pytest.mark.parametrize("budget", [{}, {"MONTHLY_BUDGET_USD": "5"}])
def test_the_month_reserves_a_pilots_own_estimate_and_after_it_the_rests(budget: dict[str, str]) -> None:
    simulation = Simulation(**budget)
    simulation.tick(simulation.host())
    simulation.service.plan_of = lambda metadata: Plan(running=180 if metadata["index"] == "1" else 7200)
    job = dropped(simulation, "table.csv", NINE, pilot=3, parameters={"max_completion_tokens": 100})

    whole, in_pilot = simulation.status(job)["estimate"]["usd"], month_of(simulation)["reserved_usd"]
    for _ in range(12):
        simulation.tick(simulation.host())
        simulation.deliver(simulation.host())
        simulation.clock.advance(60)
    assert simulation.status(job)["rows"] == {"total": 9, "succeeded": 3, "failed": 0, "pending": 6, "reused": 0}
    rest, after_it = simulation.status(job)["estimate"]["usd"], month_of(simulation)["reserved_usd"]
    job_control.cancel(simulation.host(), job.job_id)
    run_to(simulation, job, "cancelled")

    assert in_pilot == pytest.approx(whole / 3, abs=1e-6)
    assert after_it == pytest.approx(rest, abs=1e-6)
    assert month_of(simulation)["reserved_usd"] == 0.0


@pytest.mark.parametrize("missing", [[], [5], [5, 7]])
def test_rows_whose_images_are_missing_do_not_count_for_a_pilot(missing: list[int]) -> None:
    simulation = Simulation()
    simulation.tick(simulation.host())
    for row in range(1, 11):
        if row not in missing:
            simulation.files.write(Container.PROMPTS, f"{row}.png", image())
    rows = "".join(f"r{row},Describe it,Name,{row}.png\n" for row in range(1, 11))
    job = dropped(simulation, "table.csv", f"Custom ID,Prompt,Required,Image\n{rows}", pilot=3)

    sent = [(batch["pilot"], batch["requests"]) for batch in simulation.status(job)["batches"]]
    status = run_to(simulation, job, "completed")

    assert sorted(sent) == ([(False, 7 - len(missing)), (True, 3)] if len(missing) < 2 else [(False, 3), (False, 5)])
    assert status["rows"]["succeeded"] == 10 - len(missing)
    assert status["errors"] == ({"image_missing": len(missing)} if missing else {})
    check_balance(simulation)


@pytest.mark.parametrize("pattern", ["*.png", ""])
def test_a_list_that_matches_nothing_has_no_row_as_any_empty_file(pattern: str) -> None:
    simulation = Simulation()
    simulation.tick(simulation.host())
    status = run_to(simulation, dropped(simulation, "scans.files", f"{pattern}\n"), "failed")
    assert (status["code"], status["rows"]["total"], status["errors"]) == ("empty_file", 0, {})


@pytest.mark.parametrize("setting", ["MAX_JOB_COST_USD", "MONTHLY_BUDGET_USD"])
def test_while_the_setting_of_a_cap_is_malformed_no_job_is_sent_as_if_there_were_none(setting: str) -> None:
    simulation = Simulation(MONTHLY_BUDGET_USD="0.5", MAX_WAIT_HOURS="1000")
    simulation.tick(simulation.host())
    piloted = dropped(simulation, "piloted.csv", NINE, pilot=3, parameters={"max_completion_tokens": 100})
    simulation.service.rows = {"f1": ["429", "ok"]}
    followed = dropped(simulation, "followed.csv", table(["f1", "f2"]), parameters={"max_completion_tokens": 100})
    simulation.spend(0.5)
    held = dropped(simulation, "held.csv", NINE, parameters={"max_completion_tokens": 100})
    good = simulation.settings
    simulation.settings = read_settings(
        {**ENVIRONMENT, "MONTHLY_BUDGET_USD": "0.5", "MAX_WAIT_HOURS": "1000", setting: "50 USD"}
    )

    waiting = run_to(simulation, piloted, "waiting")
    too_early = run_to(simulation, followed, "waiting")
    next_month(simulation)
    simulation.tick(simulation.host())
    simulation.deliver(simulation.host())

    for status in (waiting, too_early):
        assert f"{setting} must be an amount in US dollars" in status["message"]
    assert [batch["attempt"] for batch in too_early["batches"]] == [1]
    assert simulation.status(held)["state"] == "held"
    simulation.settings = good
    for job in (piloted, followed, held):
        assert run_to(simulation, job, "completed")["errors"] == {}
    check_balance(simulation)
    check_money(simulation)
