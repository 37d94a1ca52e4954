"""Answers used again and money: estimate, caps, budget, pilot and follow-ups look at the rows that are sent alone."""

from typing import Any

import pytest

from shared.domain.ledger import month_of, standing
from shared.domain.model import JobState
from shared.domain.ports import Container
from shared.pipeline import job_control, steps
from shared.pipeline.build import build_pass
from shared.pipeline.build.pilot_rows import RequestKinds
from testing.documents import image
from tests.reliability.reusing import billed, drop, newest, prompts, results, retry, reused_from, run
from tests.reliability.simulation import Simulation, check_balance, check_money

CAPPED: dict[str, Any] = {"parameters": {"max_completion_tokens": 100}}
FEW = 0.0004
"""US dollars: more than two rows cost, and less than ten."""


def asked(*numbers: int) -> list[str]:
    return [f"question {number}" for number in numbers]


def spent(simulation: Simulation) -> float:
    return standing(*simulation.ledger.month(month_of(simulation.clock.now()))).spent


def test_a_cap_that_all_rows_would_pass_does_not_hold_a_job_whose_new_rows_stay_below_it() -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(*range(8))), **CAPPED)
    alone = drop(simulation, prompts(*asked(*range(10))), max_cost_usd=FEW, **CAPPED)
    job_control.cancel(simulation.host(), alone.job_id)
    simulation.go_on(simulation.host())
    second = run(simulation, prompts(*asked(*range(10))), max_cost_usd=FEW, reuse=True, **CAPPED)

    assert alone.held_by == "cost"
    assert (second.state, second.held_by, second.rows_reused) == (JobState.COMPLETED, "", 8)
    estimate = simulation.status(second)["estimate"]
    assert 0 < estimate["usd"] < FEW


def test_a_job_whose_new_rows_pass_the_cap_is_held_and_keeps_its_reused_rows_when_released() -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(0, 1)), **CAPPED)
    second = drop(simulation, prompts(*asked(*range(12))), max_cost_usd=FEW, reuse=True, **CAPPED)
    assert second.held_by == "cost"
    rows = simulation.status(second)["rows"]
    assert rows == {"total": 12, "succeeded": 2, "failed": 0, "pending": 10, "reused": 2}

    job_control.release(simulation.host(), second.job_id)
    simulation.go_on(simulation.host())
    second = newest(simulation)

    assert (second.rows_succeeded, second.rows_reused, len(billed(simulation, second))) == (12, 2, 10)


def test_a_held_job_that_is_cancelled_keeps_its_reused_rows() -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(0, 1)), **CAPPED)
    second = drop(simulation, prompts(*asked(*range(12))), max_cost_usd=FEW, reuse=True, **CAPPED)
    job_control.cancel(simulation.host(), second.job_id)
    simulation.go_on(simulation.host())
    check_balance(simulation)

    rows = simulation.status(second)["rows"]
    assert rows == {"total": 12, "succeeded": 2, "failed": 10, "pending": 0, "reused": 2}


def test_a_token_cap_counts_the_rows_that_are_sent() -> None:
    simulation = Simulation()
    first = run(simulation, prompts(*asked(*range(8))))
    simulation.settings = Simulation(MAX_JOB_INPUT_TOKENS=str(first.input_tokens // 2)).settings
    second = run(simulation, prompts(*asked(*range(10))), reuse=True)

    assert (second.held_by, second.rows_reused) == ("", 8)


def test_the_month_pays_for_the_new_rows_only() -> None:
    simulation = Simulation(MONTHLY_BUDGET_USD="1")
    run(simulation, prompts(*asked(*range(9))), **CAPPED)
    after_first = spent(simulation)
    second = run(simulation, prompts(*asked(*range(10))), reuse=True, **CAPPED)
    after_second = spent(simulation)
    third = run(simulation, prompts(*asked(*range(10))), reuse=True, **CAPPED)

    assert after_second - after_first == pytest.approx(after_first / 9)
    assert spent(simulation) == after_second
    assert simulation.status(second)["cost"]["usd"] == pytest.approx(after_first / 9)
    assert simulation.status(third)["cost"] == {"usd": 0, "unpriced_rows": 0}
    assert set(simulation.status(third)["usage"].values()) == {0}


@pytest.mark.parametrize("budget", ["0.000001", "1"])
def test_a_job_that_sends_nothing_waits_for_no_budget(budget: str) -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(0, 1)), **CAPPED)
    simulation.settings = Simulation(MONTHLY_BUDGET_USD=budget).settings
    simulation.spend(2)
    second = run(simulation, prompts(*asked(1, 0)), reuse=True, **CAPPED)

    assert (second.state, second.rows_reused, second.held_by) == (JobState.COMPLETED, 2, "")


def test_a_job_that_sends_nothing_needs_no_price() -> None:
    simulation = Simulation(MAX_JOB_COST_USD="1")
    first = drop(simulation, prompts(*asked(0, 1)), model="of-no-known-price")
    assert first.held_by == "cost"
    job_control.release(simulation.host(), first.job_id)
    simulation.go_on(simulation.host())
    second = run(simulation, prompts(*asked(1, 0)), model="of-no-known-price", reuse=True)

    assert (second.state, second.rows_reused) == (JobState.COMPLETED, 2)


def piloted(simulation: Simulation) -> list[str]:
    """The custom ids of the newest job's pilot."""
    job = newest(simulation)
    pilots = {batch.index for batch in simulation.store.batches(job.job_id) if batch.pilot}
    return [row.custom_id for row in simulation.service.billed if row.job_id == job.job_id and int(row.index) in pilots]


def test_a_pilot_is_spread_over_the_rows_that_are_left() -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(*range(40))))
    second = run(simulation, prompts(*asked(*range(49))), reuse=True, pilot=3)

    assert piloted(simulation) == ["row-42", "row-45", "row-48"]
    assert (len(billed(simulation, second)), second.rows_reused, second.rows_succeeded) == (9, 40, 49)


def test_a_pilot_is_taken_of_the_rows_within_the_limit_that_are_left() -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(*range(40))))
    second = run(simulation, prompts(*asked(*range(60))), reuse=True, pilot=3, limit=46)

    assert piloted(simulation) == []
    assert (len(billed(simulation, second)), second.rows_reused, second.errors) == (6, 40, {"not_sent": 14})


def images(*names: int) -> str:
    """A table of questions about images."""
    return "\n".join(["Prompt,Image", *[f"What?,{name}.png" for name in names], ""])


@pytest.mark.parametrize(("new", "pilots"), [(8, ["row-15", "row-19"]), (5, [])])
def test_a_pilot_of_rows_with_images_is_taken_of_those_that_are_sent(new: int, pilots: list[str]) -> None:
    simulation = Simulation()
    for number in range(20):
        simulation.files.write(Container.PROMPTS, f"folder/{number}.png", image(color=f"#0000{number:02x}"))
    run(simulation, images(*range(20 - new)))
    second = run(simulation, images(*range(20)), reuse=True, pilot=2)

    assert piloted(simulation) == pilots
    assert (len(billed(simulation, second)), second.rows_reused, second.rows_succeeded) == (new, 20 - new, 20)


def test_a_pilot_is_chosen_once_however_many_runs_build_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="4")
    for number in range(20):
        simulation.files.write(Container.PROMPTS, f"folder/{number}.png", image(color=f"#0000{number:02x}"))
    run(simulation, images(*range(10)))
    settle, passes = build_pass.BuildPass._settle, []

    def slowly(self: build_pass.BuildPass, *arguments: Any) -> None:
        passes.append(self)
        simulation.clock.advance(40)
        settle(self, *arguments)

    monkeypatch.setattr(build_pass.BuildPass, "_settle", slowly)
    second = run(simulation, images(*range(20)), reuse=True, pilot=2)

    assert piloted(simulation) == ["row-13", "row-18"]
    assert (len(billed(simulation, second)), second.rows_reused, second.rows_succeeded) == (10, 10, 20)
    counting = [isinstance(one._files, RequestKinds) for one in dict.fromkeys(passes)]
    assert counting[0]
    assert counting.count(False) > 1
    assert counting.count(True) == 1


@pytest.mark.parametrize("then", ["send", "hold"])
def test_a_pilots_report_and_hold_count_the_rows_that_are_sent(then: str) -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(*range(40))), **CAPPED)
    drop(simulation, prompts(*asked(*range(49))), reuse=True, pilot={"rows": 3, "then": then}, **CAPPED)
    app = simulation.host()
    for _ in range(30):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    second = newest(simulation)
    if then == "hold":
        assert second.held_by == "pilot"
        assert "6 rows are left" in second.message
        job_control.release(app, second.job_id)
        simulation.go_on(app)

    assert newest(simulation).rows_succeeded == 49
    assert len(billed(simulation, second)) == 9


def test_only_rows_that_were_sent_are_followed_up() -> None:
    simulation = Simulation()
    run(simulation, prompts(*asked(0, 1)))
    simulation.service.rows = {"row-3": ["500", "ok"]}
    second = run(simulation, prompts(*asked(0, 1, 2, 3)), reuse=True)

    assert billed(simulation, second).count("row-3") <= 2
    assert {*billed(simulation, second)} == {"row-3", "row-4"}
    assert [line["attempts"] for line in results(simulation, second)] == [0, 0, 2, 1]


def test_a_retry_pays_for_its_failed_rows_alone_and_its_caps_look_at_them_alone() -> None:
    simulation = Simulation(MONTHLY_BUDGET_USD="1")
    first = run(simulation, prompts(*asked(*range(10))), **CAPPED)
    simulation.service.rows = {"row-11": ["400"]}
    second = run(simulation, prompts(*asked(*range(11))), reuse=True, max_cost_usd=FEW, **CAPPED)
    before = spent(simulation)
    simulation.service.rows = {}
    again = retry(simulation, second)

    assert (again.rows_succeeded, again.rows_reused, billed(simulation, again)) == (11, 10, ["row-11"])
    assert {*reused_from(simulation, again).values()} == {first.job_id, None}
    assert spent(simulation) - before == pytest.approx(simulation.status(again)["cost"]["usd"])


def test_two_jobs_at_once_take_the_same_answers_and_pay_for_their_new_rows_each() -> None:
    simulation = Simulation(MONTHLY_BUDGET_USD="1")
    first = run(simulation, prompts(*asked(0, 1)), **CAPPED)
    second = drop(simulation, prompts(*asked(0, 1, 2)), reuse=True, **CAPPED)
    third = drop(simulation, prompts(*asked(1, 2, 0)), reuse=True, **CAPPED)
    steps.queue_due(simulation.host(), third.job_id)
    simulation.go_on(simulation.host())
    check_balance(simulation)
    check_money(simulation)

    assert reused_from(simulation, second) == {1: first.job_id, 2: first.job_id, 3: None}
    assert reused_from(simulation, third) == {1: first.job_id, 2: None, 3: first.job_id}
    assert [billed(simulation, job) for job in (second, third)] == [["row-3"], ["row-2"]]
