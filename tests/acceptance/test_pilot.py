"""A pilot: some rows are sent first, and the others only once their answers are as they should be."""

import csv
import io
from collections.abc import Callable
from typing import Any

from shared.pipeline import job_control
from shared.web import api
from testing.world import World

ROWS = 60
TABLE = "Custom ID,Prompt,Required,Note\n" + "".join(f"t{n},Who built number {n}?,Name,{n}\n" for n in range(ROWS))


def run_to(world: World, name: str, *states: str) -> dict[str, Any]:
    """Let time pass until the job is in one of these states."""
    for _ in range(40):
        world.tick()
        status = world.status(name)
        if status["state"] in states:
            return status
        world.clock.advance(120)
    raise AssertionError(world.status(name))


def pilot_rows(world: World, name: str) -> list[dict[str, str]]:
    """The rows of pilot.csv."""
    text = world.result(name, "pilot.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def billed(world: World) -> list[str]:
    """The custom ids of all rows that were paid, one for each time."""
    return [row["custom_id"] for row in world.service.journal().billed]


def test_a_pilot_is_sent_first_and_the_rest_after_it_and_nothing_is_paid_twice(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m", pilot=6)
    world.event(name)
    first = world.status(name)

    status = world.wait(name)

    sent = {batch["pilot"]: (batch["state"], batch["requests"]) for batch in first["batches"]}
    assert sent == {True: ("submitted", 6), False: ("prepared", 54)}
    assert status["rows"] == {"total": ROWS, "succeeded": ROWS, "failed": 0, "pending": 0, "reused": 0}
    assert status["estimate"]["basis"] == "pilot"
    assert len(billed(world)) == len(set(billed(world))) == ROWS
    assert [row["custom_id"] for row in world.results(name)] == [f"t{n}" for n in range(ROWS)]
    assert [row["custom_id"] for row in pilot_rows(world, name)] == ["t5", "t15", "t25", "t35", "t45", "t55"]
    assert {row["status"] for row in pilot_rows(world, name)} == {"ok"}
    assert pilot_rows(world, name)[0].keys() == world.table(name)[0].keys()


def test_a_pilot_that_fails_holds_the_rest_until_it_is_released(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": name, "outcome": "refusal"} for name in ("t5", "t15")]})
    name = world.drop("table.csv", TABLE, model="m", pilot={"rows": 6, "min_ok": 0.9})
    world.event(name)

    held = run_to(world, name, "held", "completed")

    assert (held["state"], held["held_by"]) == ("held", "pilot")
    assert "4 of 6 rows succeeded (2 refusal)" in held["message"]
    assert "54 rows are left" in held["message"]
    assert held["estimate"]["basis"] == "pilot"
    assert len(billed(world)) == 6
    world.clock.advance(86_400)
    world.tick()
    assert len(billed(world)) == 6

    job_control.release(world.app, held["job_id"])
    status = world.wait(name)

    assert (status["state"], status["errors"]) == ("completed", {"refusal": 2})
    assert status["rows"]["succeeded"] == ROWS - 2
    assert len(billed(world)) == len(set(billed(world))) == ROWS


def test_a_pilot_may_ask_to_be_looked_at_in_any_case(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m", pilot={"rows": 6, "then": "hold"})
    world.event(name)

    held = run_to(world, name, "held", "completed")

    assert (held["state"], held["held_by"]) == ("held", "pilot")
    assert "6 of 6 rows succeeded" in held["message"]


def test_a_job_cancelled_after_its_pilot_keeps_the_pilots_answers(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="m", pilot={"rows": 6, "then": "hold"})
    world.event(name)
    held = run_to(world, name, "held", "completed")

    job_control.cancel(world.app, held["job_id"])
    status = world.wait(name)

    assert status["state"] == "cancelled"
    assert status["rows"] == {"total": ROWS, "succeeded": 6, "failed": 54, "pending": 0, "reused": 0}
    assert status["errors"] == {"not_sent": 54}


def test_a_small_job_has_no_pilot(world: World) -> None:
    name = world.drop("table.csv", "Prompt,Required\n" + "Who?,Name\n" * 17, model="m", pilot=6)

    status = world.run(name)

    assert [batch["pilot"] for batch in status["batches"]] == [False]
    assert status["estimate"]["basis"] != "pilot"


def test_a_retry_has_no_pilot(world: World) -> None:
    world.service.scenario({"rows": [{"contains": "number", "outcome": "refusal"}]})
    name = world.drop("table.csv", TABLE, model="m", pilot={"rows": 6, "min_ok": 0})
    ended = world.run(name)
    world.service.scenario({})

    job_control.retry(world.app, ended["job_id"])
    status = world.wait(name)

    assert status["retry_of"] == ended["job_id"]
    assert [batch["pilot"] for batch in status["batches"]] == [False]
    assert status["rows"]["succeeded"] == ROWS


def test_a_pilot_covers_models_and_schemas(world: World) -> None:
    rows = [
        "Prompt,Required,Model",
        *["Who?,Name,m"] * 57,
        "When?,Year: integer,m",
        "Where?,Town,other",
        "How?,Way,other",
    ]
    name = world.drop("table.csv", "\n".join(rows) + "\n", pilot={"rows": 6, "then": "hold"})
    world.event(name)

    held = run_to(world, name, "held", "completed")

    assert {(batch["model"], batch["requests"]) for batch in held["batches"] if batch["pilot"]} == {
        ("m", 4),
        ("other", 2),
    }
    assert {"58", "59", "60"} <= {row["custom_id"].removeprefix("row-") for row in pilot_rows(world, name)}


def test_after_the_pilot_the_caps_are_looked_at_again_with_what_it_cost(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="gpt-4o", pilot=6)
    world.event(name)

    held = run_to(world.another(MAX_JOB_COST_USD="0.001"), name, "held", "completed")

    assert held["held_by"] == "cost"
    assert "besides" in held["message"]
    assert "spent so far" in held["message"]
    assert len(billed(world)) == 6


def test_a_job_of_unknown_cost_runs_its_pilot_under_the_cap_and_then_goes_on(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="gpt-4o", pilot=6, max_cost_usd=1.0)
    world.event(name)
    assert world.status(name)["estimate"]["usd"] is None

    status = world.wait(name)

    assert status["state"] == "completed"
    assert status["estimate"]["usd"] is not None
    assert status["rows"]["succeeded"] == ROWS


def test_a_job_held_before_its_pilot_runs_it_all_the_same_once_released(world: World) -> None:
    name = world.drop("table.csv", TABLE, model="gpt-4o", pilot={"rows": 6, "then": "hold"}, max_cost_usd=0.0001)
    world.event(name)
    held = run_to(world, name, "held", "completed")
    assert held["held_by"] == "cost"

    job_control.release(world.app, held["job_id"])
    again = run_to(world, name, "held", "completed")

    assert again["held_by"] == "pilot"
    job_control.release(world.app, held["job_id"])
    assert world.wait(name)["rows"]["succeeded"] == ROWS


def test_a_pilot_whose_batch_fails_for_good_counts_as_collected(world: World) -> None:
    world.service.scenario(
        {"batches": [{"fail": [{"code": "invalid_json_line", "message": "no", "line": 2}], "times": 1}]}
    )
    name = world.drop("table.csv", TABLE, model="m", pilot=6)
    world.event(name)

    held = run_to(world, name, "held", "completed", "failed")

    assert (held["state"], held["held_by"]) == ("held", "pilot")
    assert "0 of 6 rows succeeded (6 batch_failed)" in held["message"]


def test_a_pilots_follow_ups_are_part_of_it(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "t5", "outcome": "error", "status": 429, "times": 1}]})
    name = world.drop("table.csv", TABLE, model="m", pilot={"rows": 6, "then": "hold"})
    world.event(name)

    held = run_to(world, name, "held", "completed")

    assert "6 of 6 rows succeeded" in held["message"]
    assert [(batch["pilot"], batch["attempt"]) for batch in held["batches"] if batch["pilot"]] == [(True, 1), (True, 2)]


def test_after_the_pilot_a_follow_up_is_reserved_by_the_pilots_mean(new_world: Callable[..., World]) -> None:
    world = new_world(MONTHLY_BUDGET_USD="10")
    world.service.scenario({"rows": [{"custom_id": "t0", "outcome": "error", "status": 500, "times": 1}]})
    cap = {"parameters": {"max_completion_tokens": 10_000}}
    name = world.drop("table.csv", TABLE, model="gpt-4o", pilot=6, **cap)
    world.event(name)
    for _ in range(40):
        world.tick()
        status = world.status(name)
        if any(batch["attempt"] == 2 for batch in status["batches"]):
            break
        world.clock.advance(60)

    reserved = api.list_response(lambda: world.app, {}).body["month"]["reserved_usd"]

    assert 0 < reserved < 0.001  # By its cap the row would be $0.05.
    assert world.wait(name)["rows"]["succeeded"] == ROWS
