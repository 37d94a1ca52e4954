"""The estimate, the caps and the month, as a user meets them: over real storage and the emulated service."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.pipeline import job_control, steps
from shared.web import api
from testing.paths import DATA, PROJECT
from testing.world import World

Worlds = Callable[..., World]

CAPPED: dict[str, Any] = {"parameters": {"max_completion_tokens": 100}}
MODEL = "gpt-4o-batch"
READ, WRITTEN = 1.25e-6, 5e-6
"""Batch prices of gpt-4o, US dollars a token."""
FOUR = "Custom ID,Prompt,Required\n" + "".join(f"{name},Who built house {name}?,Name\n" for name in "abcd")


def month_of(world: World) -> dict[str, Any]:
    """The month as `GET /api/jobs` shows it."""
    found: dict[str, Any] = api.list_response(lambda: world.app, {}).body["month"]
    return found


def release(world: World, job_id: str) -> dict[str, Any]:
    """Release a job by the HTTP API."""
    answer = api.release_response(lambda: world.app, job_id)
    assert answer.status == 202
    return dict(answer.body)


def next_month(world: World) -> None:
    """Let the clock go on to the first minute of the next month, UTC."""
    now = world.clock.now()
    begins = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, 0, 1, tzinfo=UTC)
    world.clock.advance((begins - now).total_seconds())


def expect_one(warnings: list[str], *parts: str) -> None:
    """Expect one warning, with these parts."""
    (warning,) = warnings
    for part in parts:
        assert part in warning


def usd_of(status: dict[str, Any]) -> float:
    """What a job's own tokens cost."""
    usage = status["usage"]
    return float(usage["input_tokens"] * READ + usage["output_tokens"] * WRITTEN)


def test_the_estimate_stands_in_status_json_before_anything_is_sent(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="0.000001")
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))

    status = world.status("table.csv")

    estimate = status["estimate"]
    assert (status["state"], status["batches"][0]["state"]) == ("held", "prepared")
    assert (estimate["basis"], estimate["output_tokens"]) == ("cap", 4 * 100)
    assert estimate["usd"] == pytest.approx(estimate["input_tokens"] * READ + 400 * WRITTEN, abs=1e-6)
    assert world.service.journal().totals["billed"] == 0


def test_rows_that_are_not_sent_are_not_estimated(new_world: Worlds) -> None:
    world = new_world()
    world.event(world.drop("all/table.csv", FOUR, model=MODEL, **CAPPED))
    world.event(world.drop("one/table.csv", FOUR + "e,,Name\n", model=MODEL, limit=1, **CAPPED))

    whole, trial = (world.status(name)["estimate"] for name in ("all/table.csv", "one/table.csv"))

    assert trial["input_tokens"] * 4 == whole["input_tokens"]
    assert (trial["output_tokens"], whole["output_tokens"]) == (100, 400)


def test_without_a_cap_or_an_earlier_answer_output_and_cost_are_unknown(world: World) -> None:
    world.event(world.drop("table.csv", FOUR, model=MODEL))

    estimate = world.status("table.csv")["estimate"]

    assert estimate["input_tokens"] > 0
    assert (estimate["output_tokens"], estimate["usd"], estimate["basis"]) == (None, None, None)


def test_after_a_first_job_the_estimate_is_the_mean_of_its_answers_but_no_row_counts_more_than_its_cap(
    world: World,
) -> None:
    first = world.run(world.drop("table.csv", FOUR, model=MODEL))
    world.event(world.drop("again.csv", FOUR, model=MODEL))
    world.event(world.drop("capped/again.csv", FOUR, model=MODEL, parameters={"max_completion_tokens": 2}))
    world.event(world.drop("other/schema.csv", FOUR.replace(",Name\n", ",Year: integer\n"), model=MODEL))

    again, capped = world.status("again.csv")["estimate"], world.status("capped/again.csv")["estimate"]

    assert (again["basis"], again["output_tokens"]) == ("history", first["usage"]["output_tokens"])
    assert again["usd"] == pytest.approx(first["cost"]["usd"], rel=0.03)
    assert capped["output_tokens"] == 4 * 2
    assert world.status("other/schema.csv")["estimate"]["basis"] is None


def test_history_is_the_same_once_it_is_folded(world: World) -> None:
    first = world.run(world.drop("table.csv", FOUR, model=MODEL))
    for _ in range(12):
        world.clock.advance(60)
        world.tick()
    world.event(world.drop("again.csv", FOUR, model=MODEL))

    assert world.status("again.csv")["estimate"]["output_tokens"] == first["usage"]["output_tokens"]
    assert month_of(world)["spent_usd"] == pytest.approx(first["cost"]["usd"], abs=1e-6)


SAMPLES = [
    PROJECT / "samples" / "buildings.csv",
    PROJECT / "samples" / "batch - StructuredOutputs.jsonl",
    PROJECT / "samples" / "tickets" / "tickets.csv",
    DATA / "seed" / "buildings.csv",
]
TEXTS = {
    "Latin, English": "The quick brown fox jumps over the lazy dog near the river bank, twice a day.",
    "Latin, German": "Die Rechnungsprüfung übermittelt größere Beträge grundsätzlich am übernächsten Werktag.",
    "Cyrillic, Russian": "Широкая электрификация южных губерний даст мощный толчок подъёму сельского хозяйства.",
    "Cyrillic, Ukrainian": "Жебракують філософи при ґанку церкви в Гадячі, ще й шатро їхнє п'яне знаємо.",
    "Han, Chinese": "天地玄黄,宇宙洪荒。日月盈昃,辰宿列张。寒来暑往,秋收冬藏。",
    "Kana, Japanese": "いろはにほへと ちりぬるを わかよたれそ つねならむ 東京タワーの高さは何メートルですか。",
    "Arabic": "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق",
    "Arabic, Persian": "چه کسی این ساختمان بلند را ساخته است و ارتفاع آن چند متر است؟",
    "Devanagari, Hindi": "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णुवतार।",
    "Devanagari, Marathi": "हा मनोरा कोणी बांधला आणि त्याची उंची किती आहे ते सांगा.",
}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_sample_files_input_tokens_are_estimated_within_three_percent(world: World, path: Any) -> None:
    for beside in path.parent.glob("_*"):
        world.put(f"in/{beside.name}", beside.read_bytes())
    if not (path.parent / "_job.json").exists():
        world.put("in/_job.json", json.dumps({"model": MODEL, "required": "Name"}))
    status = world.run(world.drop(f"in/{path.name}", path.read_bytes()))

    assert status["usage"]["input_tokens"] > 0
    assert status["estimate"]["input_tokens"] == pytest.approx(status["usage"]["input_tokens"], rel=0.03)


def test_a_workbooks_input_tokens_are_estimated_within_three_percent(world: World) -> None:
    for beside in (PROJECT / "samples" / "tickets").glob("_*"):
        world.put(f"in/{beside.name}", beside.read_bytes())
    book = PROJECT / "samples" / "inbox" / "tickets.xlsx"
    status = world.run(world.drop("in/tickets.xlsx", book.read_bytes()))

    assert status["usage"]["input_tokens"] > 10_000
    assert status["estimate"]["input_tokens"] == pytest.approx(status["usage"]["input_tokens"], rel=0.03)


@pytest.mark.parametrize("script", TEXTS)
def test_texts_in_any_script_are_estimated_within_three_percent(world: World, script: str) -> None:
    rows = [{"Prompt": TEXTS[script] * (1 + number % 3), "Required": "Name"} for number in range(6)]
    status = world.run(world.drop("in.json", json.dumps(rows, ensure_ascii=False), model=MODEL))

    assert status["usage"]["input_tokens"] > 100
    assert status["estimate"]["input_tokens"] == pytest.approx(status["usage"]["input_tokens"], rel=0.03)


def test_a_job_over_the_apps_cap_is_held_and_goes_on_when_it_is_released(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="0.0001")
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    held = world.status("table.csv")

    assert (held["state"], held["held_by"]) == ("held", "cost")
    for part in ("$0.0022", "$0.0001", "MAX_JOB_COST_USD", "Release it", "cancel it"):
        assert part in held["message"]
    assert release(world, held["job_id"])["state"] != "held"
    assert world.wait("table.csv")["rows"]["succeeded"] == 4


@pytest.mark.parametrize(
    ("app", "job", "held"),
    [("1", 0.0001, True), ("0.0001", 1, True), ("1", 1, False), (None, 0.0001, True), (None, 1, False)],
)
def test_a_jobs_own_cap_only_lowers_the_apps_and_alone_it_is_the_cap(
    new_world: Worlds, app: str | None, job: float, held: bool
) -> None:
    world = new_world(**({"MAX_JOB_COST_USD": app} if app else {}))
    world.event(world.drop("table.csv", FOUR, model=MODEL, max_cost_usd=job, **CAPPED))

    assert (world.status("table.csv")["held_by"] == "cost") == held


def test_a_capped_job_of_unknown_output_is_held_and_the_message_names_the_ways_on(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="1000")
    world.event(world.drop("table.csv", FOUR, model=MODEL))
    held = world.status("table.csv")

    assert (held["state"], held["held_by"], held["estimate"]["usd"]) == ("held", "cost", None)
    for part in ("output tokens", "max_completion_tokens", '"pilot"', "release", "cancel"):
        assert part in held["message"]


def test_a_capped_job_of_an_unknown_price_is_held_until_deployment_models_names_the_model(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="1000")
    world.event(world.drop("table.csv", FOUR, model="ours", **CAPPED))
    held = world.status("table.csv")

    assert (held["held_by"], held["estimate"]["output_tokens"], held["estimate"]["usd"]) == ("cost", 400, None)
    assert "DEPLOYMENT_MODELS" in held["message"]
    named = world.another(DEPLOYMENT_MODELS="ours=gpt-4o, theirs=gpt-4o-mini")
    named.event(named.drop("again.csv", FOUR, model="ours", **CAPPED))
    assert named.status("again.csv")["estimate"]["usd"] == pytest.approx(0.0021, abs=2e-4)
    assert named.status("again.csv")["held_by"] is None


def test_an_earlier_answer_names_the_model_behind_a_deployment(world: World) -> None:
    world.run(world.drop("table.csv", FOUR, model="ours"))
    world.event(world.drop("again.csv", FOUR, model="ours"))

    estimate = world.status("again.csv")["estimate"]
    assert estimate["usd"] == pytest.approx(
        estimate["input_tokens"] * READ + estimate["output_tokens"] * WRITTEN, abs=1e-6
    )


def test_answers_that_name_only_their_deployment_are_estimated_by_its_name_and_priced_by_deployment_models(
    new_world: Worlds,
) -> None:
    world = new_world()
    first = world.run(world.drop("table.csv", FOUR, model=MODEL, url="/v1/responses"))
    world.event(world.drop("again.csv", FOUR, model=MODEL, url="/v1/responses"))
    named = world.another(DEPLOYMENT_MODELS=f"{MODEL}=gpt-4o")
    priced = named.run(named.drop("priced.csv", FOUR, model=MODEL, url="/v1/responses"))

    assert first["cost"] == {"usd": 0, "unpriced_rows": 4}
    assert world.status("again.csv")["estimate"]["usd"] == pytest.approx(usd_of(first), rel=0.05)
    assert priced["cost"] == {"usd": pytest.approx(usd_of(priced)), "unpriced_rows": 0}


@pytest.mark.parametrize("told", [True, False])
def test_the_answers_of_a_shared_names_targets_are_priced_by_the_name_that_the_rows_use(
    new_world: Worlds, told: bool
) -> None:
    name = "pool" if told else "gpt-4o"
    models = {"DEPLOYMENT_MODELS": "pool=gpt-4o"} if told else {}
    world = new_world(DEPLOYMENTS=json.dumps({name: ["house-a", "house-b"]}), **models)

    first = world.run(world.drop("table.csv", FOUR, model=name, url="/v1/responses"))
    world.event(world.drop("again.csv", FOUR, model=name, url="/v1/responses"))

    assert first["batches"][0]["target"].endswith("/house-a")
    assert first["cost"] == {"usd": pytest.approx(usd_of(first)), "unpriced_rows": 0}
    assert world.status("again.csv")["estimate"]["usd"] == pytest.approx(usd_of(first), rel=0.05)


def test_input_tokens_alone_hold_a_job_as_ever(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_INPUT_TOKENS="10", MAX_JOB_COST_USD="0.0001")
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    held = world.status("table.csv")

    assert (held["state"], held["held_by"]) == ("held", "input_tokens")
    release(world, held["job_id"])
    assert world.wait("table.csv")["rows"]["succeeded"] == 4


def test_a_job_beyond_the_months_budget_is_held_and_goes_on_by_itself_when_the_next_month_begins(
    new_world: Worlds,
) -> None:
    world = new_world(MONTHLY_BUDGET_USD="0.003")
    next_month(world)
    world.event(world.drop("first.csv", FOUR, model=MODEL, **CAPPED))
    world.event(world.drop("second.csv", FOUR, model=MODEL, **CAPPED))
    reserved = month_of(world)
    first, held = world.wait("first.csv"), world.status("second.csv")

    assert (held["state"], held["held_by"]) == ("held", "budget")
    for part in ("MONTHLY_BUDGET_USD", "next month", "Release it", "cancel it"):
        assert part in held["message"]
    assert reserved["reserved_usd"] == pytest.approx(first["estimate"]["usd"], abs=1e-6)
    spent = month_of(world)
    assert (spent["spent_usd"], spent["reserved_usd"]) == (pytest.approx(usd_of(first), abs=1e-6), 0)

    for _ in range(3):  # Room that is free again does not matter before the month is over.
        world.clock.advance(3600)
        world.tick()
    assert world.status("second.csv")["held_by"] == "budget"
    next_month(world)
    world.tick()
    assert world.status("second.csv")["held_by"] is None
    second = world.wait("second.csv")
    assert second["rows"]["succeeded"] == 4
    assert month_of(world)["spent_usd"] == pytest.approx(usd_of(second), abs=1e-6)


def test_what_does_not_fit_into_the_next_month_either_stays_held_and_says_so(new_world: Worlds) -> None:
    world = new_world(MONTHLY_BUDGET_USD="0.001")
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    next_month(world)
    world.tick()

    held = world.status("table.csv")
    assert (held["state"], held["held_by"]) == ("held", "budget")
    assert "whole month" in held["message"]
    assert "by itself" not in held["message"]
    assert month_of(world)["reserved_usd"] == 0


def test_a_held_job_reserves_nothing_and_a_released_one_does(new_world: Worlds) -> None:
    world = new_world(MONTHLY_BUDGET_USD="0.003", MAX_JOB_COST_USD="0.0001")
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    before = month_of(world)
    estimate = world.status("table.csv")["estimate"]["usd"]

    release(world, world.status("table.csv")["job_id"])
    other = world.another(MAX_JOB_COST_USD="1")
    other.event(other.drop("other.csv", FOUR, model=MODEL, **CAPPED))

    assert before == {"spent_usd": 0, "reserved_usd": 0, "budget_usd": 0.003}
    assert month_of(world)["reserved_usd"] == pytest.approx(estimate, abs=1e-6)
    assert other.status("other.csv")["held_by"] == "budget"


def test_a_release_lifts_all_caps_for_good(new_world: Worlds) -> None:
    world = new_world(MONTHLY_BUDGET_USD="0.0001", MAX_JOB_COST_USD="0.0001", MAX_JOB_INPUT_TOKENS="1")
    world.service.scenario({"rows": [{"custom_id": "a", "outcome": "error", "status": 429, "times": 1}]})
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    release(world, world.status("table.csv")["job_id"])
    world.tick()
    next_month(world)
    status = world.wait("table.csv")

    assert status["rows"]["succeeded"] == 4
    assert [batch["attempt"] for batch in status["batches"]] == [1, 2]


def test_a_held_job_that_is_cancelled_was_never_sent_and_costs_nothing(new_world: Worlds) -> None:
    world = new_world(MONTHLY_BUDGET_USD="0.0001")
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    job_control.cancel(world.app, world.status("table.csv")["job_id"])
    status = world.wait("table.csv")

    assert (status["state"], status["errors"], status["held_by"]) == ("cancelled", {"not_sent": 4}, None)
    assert (status["cost"]["usd"], world.service.journal().totals["billed"]) == (0, 0)
    assert month_of(world) == {"spent_usd": 0, "reserved_usd": 0, "budget_usd": 0.0001}


def test_a_running_job_that_is_cancelled_gives_its_reservation_back_but_for_what_was_answered(
    new_world: Worlds,
) -> None:
    world = new_world(MONTHLY_BUDGET_USD="1")
    world.service.scenario({"batches": [{"running": 1000}]})
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    world.clock.advance(600)
    world.tick()
    job_control.cancel(world.app, world.status("table.csv")["job_id"])
    status = world.wait("table.csv")

    month = month_of(world)
    assert 0 < status["rows"]["succeeded"] < 4
    assert (month["spent_usd"], month["reserved_usd"]) == (pytest.approx(usd_of(status), abs=1e-6), 0)


def test_the_caps_of_a_retry_are_looked_at_anew(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="0.0001")
    world.service.scenario({"rows": [{"outcome": "refusal"}]})
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    first = release(world, world.status("table.csv")["job_id"])
    world.wait("table.csv")

    retry = job_control.retry(world.app, first["job_id"])
    steps.queue_due(world.app, retry.job_id)
    world.deliver()

    status = world.status("table.csv")
    assert (status["retry_of"], status["state"], status["held_by"]) == (first["job_id"], "held", "cost")


def test_the_month_counts_what_a_job_under_way_has_cost_and_what_is_left_of_it(new_world: Worlds) -> None:
    for budget in ({}, {"MONTHLY_BUDGET_USD": "1"}):
        world = new_world(MAX_REQUESTS_PER_BATCH="2", **budget)
        world.service.scenario({"batches": [{"metadata": {"index": "1"}, "running": 7200}]})
        next_month(world)
        world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
        before = month_of(world)
        for _ in range(5):
            world.clock.advance(120)
            world.tick()
        half = world.status("table.csv")
        between = month_of(world)
        status = world.wait("table.csv")

        assert before["reserved_usd"] == pytest.approx(half["estimate"]["usd"], abs=2e-6)
        assert 0 < half["cost"]["usd"] < status["cost"]["usd"]
        assert between["spent_usd"] == pytest.approx(half["cost"]["usd"], abs=2e-6)
        left = half["estimate"]["usd"] - half["cost"]["usd"]
        assert between["reserved_usd"] == pytest.approx(left, abs=2e-6)
        assert month_of(world) == {
            "spent_usd": pytest.approx(status["cost"]["usd"], abs=2e-6),
            "reserved_usd": 0,
            "budget_usd": 1.0 if budget else None,
        }


@pytest.mark.parametrize("budget", [{}, {"MONTHLY_BUDGET_USD": "1"}], ids=["no budget", "budget"])
def test_what_is_paid_counts_in_the_month_in_which_it_is_collected(new_world: Worlds, budget: dict[str, str]) -> None:
    world = new_world(MAX_REQUESTS_PER_BATCH="2", **budget)
    world.service.scenario({"batches": [{"metadata": {"index": "1"}, "running": 7200}]})
    next_month(world)
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    for _ in range(5):
        world.clock.advance(120)
        world.tick()
    half = world.status("table.csv")["cost"]["usd"]
    earlier = month_of(world)["spent_usd"]
    next_month(world)
    between = month_of(world)
    status = world.wait("table.csv")

    assert earlier == pytest.approx(half, abs=2e-6)
    assert between["spent_usd"] == 0
    assert month_of(world)["spent_usd"] == pytest.approx(status["cost"]["usd"] - half, abs=2e-6)


def test_a_follow_up_that_would_pass_the_jobs_cap_is_not_sent_and_its_rows_keep_their_code(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="0.0022")
    world.service.scenario({
        "rows": [
            {"custom_id": "a", "outcome": "cut"},
            {"content": json.dumps({"Name": "word " * 90})},
        ]
    })  # fmt: skip
    status = world.run(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))

    assert status["state"] == "completed"
    assert (status["errors"], [batch["attempt"] for batch in status["batches"]]) == ({"truncated": 1}, [1])
    expect_one(status["warnings"], "1 row was not tried again", "MAX_JOB_COST_USD", "$0.0022")


def test_a_follow_up_within_the_cap_is_sent(new_world: Worlds) -> None:
    world = new_world(MAX_JOB_COST_USD="0.004", MONTHLY_BUDGET_USD="0.004")
    world.service.scenario({"rows": [{"custom_id": "a", "outcome": "error", "status": 500, "times": 1}]})
    status = world.run(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))

    assert (status["rows"]["succeeded"], status["warnings"]) == (4, [])
    assert [batch["attempt"] for batch in status["batches"]] == [1, 2]


def test_a_follow_up_that_would_pass_the_budget_is_not_sent_and_the_rest_goes_on(new_world: Worlds) -> None:
    world = new_world(MONTHLY_BUDGET_USD="0.0022", MAX_REQUESTS_PER_BATCH="3")
    long = {"content": json.dumps({"Name": "word " * 90})}
    world.service.scenario({"rows": [{"custom_id": "a", "outcome": "cut"}, long]})
    status = world.run(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))

    assert (status["errors"], status["rows"]["succeeded"]) == ({"truncated": 1}, 3)
    expect_one(status["warnings"], "not tried again", "MONTHLY_BUDGET_USD")
    assert month_of(world)["reserved_usd"] == 0


def test_the_reservation_grows_for_a_follow_up(new_world: Worlds) -> None:
    world = new_world(MONTHLY_BUDGET_USD="1")
    world.service.scenario({
        "rows": [{"custom_id": "a", "outcome": "cut"}, {"content": json.dumps({"Name": "word " * 90})}],
    })  # fmt: skip
    world.event(world.drop("table.csv", FOUR, model=MODEL, **CAPPED))
    for _ in range(5):
        world.clock.advance(60)
        world.tick()
        if len(world.status("table.csv")["batches"]) == 2:
            break
    status = world.status("table.csv")

    month = month_of(world)
    assert month["spent_usd"] == pytest.approx(usd_of(status), abs=2e-6)
    # The follow-up's one row has its doubled cap of 200 tokens.
    assert month["reserved_usd"] == pytest.approx(
        status["estimate"]["input_tokens"] / 4 * READ + 200 * WRITTEN, rel=0.05
    )
    world.wait("table.csv")
    assert month_of(world)["reserved_usd"] == 0
