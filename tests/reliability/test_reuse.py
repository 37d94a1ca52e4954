"""Answers used again: what earlier jobs of the same name have paid for is not paid for again."""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.model import Job, JobCode, JobState
from shared.domain.ports import Container
from shared.pipeline import job_control, receiving, steps
from shared.pipeline.build import answer_index, building, earlier_answers, reused_part, taken_answers
from testing.documents import image
from testing.fakes import Plan
from testing.seeding import loaded
from tests.reliability.kinds import QUICK
from tests.reliability.reusing import NAME, billed, delete_work, drop, newest, prompts, results, retry, reused_from, run
from tests.reliability.simulation import Simulation, check_balance, table


def test_rows_that_an_earlier_job_has_answered_are_not_sent() -> None:
    simulation = Simulation()
    first = run(simulation, table("abc"))
    second = run(simulation, table("abcd"), reuse=True)

    assert billed(simulation, second) == ["d"]
    assert second.state is JobState.COMPLETED
    status = simulation.status(second)
    assert status["rows"] == {"total": 4, "succeeded": 4, "failed": 0, "pending": 0, "reused": 3}
    assert status["answered"] == 4
    assert status["usage"]["total_tokens"] == 15
    lines = results(simulation, second)
    assert [line.get("reused_from") for line in lines] == [first.job_id] * 3 + [None]
    assert [line["attempts"] for line in lines] == [0, 0, 0, 1]
    assert [line["usage"] is None for line in lines] == [True, True, True, False]


def test_the_estimate_and_the_batches_hold_only_what_is_sent() -> None:
    simulation = Simulation()
    run(simulation, prompts(*[f"question {number}" for number in range(4)]))
    second = run(simulation, prompts(*[f"question {number}" for number in range(5)]), reuse=True)
    alone = run(simulation, prompts("question 4"), "folder/alone.csv")

    estimates = [simulation.status(job)["estimate"]["input_tokens"] for job in (second, alone)]
    assert estimates[0] == estimates[1]
    assert [batch["requests"] for batch in simulation.status(second)["batches"]] == [1]


def test_a_job_all_of_whose_rows_were_reused_is_completed_without_a_batch() -> None:
    simulation = Simulation(MAX_JOB_COST_USD="0.000000001")
    app = simulation.host()
    first = drop(simulation, table("abc"))
    job_control.release(app, first.job_id)
    simulation.go_on(app)
    before = len(simulation.service.created())
    second = run(simulation, table("abc"), reuse=True)

    assert (second.state, second.rows_succeeded, second.rows_reused) == (JobState.COMPLETED, 3, 3)
    status = simulation.status(second)
    assert (status["batches"], status["cost"]["usd"], status["held_by"]) == ([], 0, None)
    assert len(simulation.service.created()) == before


def test_a_job_without_the_setting_asks_anew() -> None:
    simulation = Simulation()
    run(simulation, table("abc"))
    second = run(simulation, table("abc"), reuse=False)

    assert billed(simulation, second) == ["a", "b", "c"]
    assert set(reused_from(simulation, second).values()) == {None}


def test_the_custom_id_and_the_place_of_a_row_do_not_matter() -> None:
    simulation = Simulation()
    first = run(simulation, "Custom ID,Prompt\nx,one\ny,two\nz,three\n")
    second = run(simulation, "Custom ID,Prompt\na,three\nb,one\nc,four\nd,two\n", reuse=True)

    assert billed(simulation, second) == ["c"]
    lines = results(simulation, second)
    assert [(line["row"], line["custom_id"], line.get("reused_from")) for line in lines] == [
        (1, "a", first.job_id),
        (2, "b", first.job_id),
        (3, "c", None),
        (4, "d", first.job_id),
    ]
    assert [line["output"]["Name"] for line in lines] == ["Name of z", "Name of x", "Name of c", "Name of y"]


@pytest.mark.parametrize(
    "changed",
    [
        {"required": "Name, Height: number"},
        {"schema_name": "other"},
        {"system": "Be brief."},
        {"model": "another-batch"},
        {"parameters": {"temperature": 0.5}},
        {"url": "/v1/responses"},
        {"prompt": "Please: {Prompt}"},
    ],
    ids=str,
)
def test_whatever_differs_in_the_request_makes_it_another(changed: dict[str, Any]) -> None:
    simulation = Simulation()
    run(simulation, prompts("one"))
    simulation.service.name_of = lambda line: "a"
    drop(simulation, prompts("one"), reuse=True, **changed)

    assert (newest(simulation).rows_reused, len(simulation.service.created())) == (0, 2)


def test_a_schema_that_checks_more_though_its_body_is_the_same_makes_it_another() -> None:
    simulation = Simulation()
    body = {
        "model": "gpt-4o-batch",
        "messages": [{"role": "user", "content": "Who?"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": {
                    "type": "object",
                    "properties": {"Name": {"type": "string"}},
                    "required": ["Name"],
                    "additionalProperties": False,
                },
            },
        },
    }
    line = {"custom_id": "a", "method": "POST", "url": "/chat/completions", "body": body}
    run(simulation, json.dumps(line) + "\n", "folder/lines.jsonl")
    schema = body["response_format"]["json_schema"]["schema"]  # type: ignore[index]
    longer = {**schema, "properties": {"Name": {"type": "string", "minLength": 500}}}
    again = {**line, "error": {"code": "refusal", "row": 1}, "schema": longer}
    second = run(simulation, json.dumps(again) + "\n", "folder/lines.jsonl", reuse=True)

    assert (second.rows_reused, second.errors) == (0, {"invalid_output": 1})


def test_an_image_that_was_replaced_makes_it_another_request() -> None:
    simulation = Simulation()
    for name in ("a", "b"):
        simulation.files.write(Container.PROMPTS, f"folder/{name}.png", image())
    asked = "Custom ID,Prompt,Image\na,What?,a.png\nb,What is it?,b.png\n"
    first = run(simulation, asked)
    simulation.files.write(Container.PROMPTS, "folder/b.png", image(color="olive"))
    second = run(simulation, asked, reuse=True)

    assert reused_from(simulation, second) == {1: first.job_id, 2: None}
    assert billed(simulation, second) == ["b"]


@pytest.mark.parametrize(("new", "pilots"), [(8, [2]), (5, [])])
def test_a_pilot_is_taken_of_the_rows_that_are_sent(new: int, pilots: list[int]) -> None:
    simulation = Simulation()
    asked = [f"question {number}" for number in range(20)]
    run(simulation, prompts(*asked[new:]))
    second = run(simulation, prompts(*asked), reuse=True, pilot=2)

    assert [batch["requests"] for batch in simulation.status(second)["batches"] if batch["pilot"]] == pilots
    assert (len(billed(simulation, second)), second.rows_reused, second.rows_succeeded) == (new, 20 - new, 20)


def test_rows_with_images_that_were_answered_are_fetched_once_however_many_runs_build_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each run fetches for eight minutes: all rows would take half an hour."""
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="4")
    names = [f"folder/{number}.png" for number in range(60)]
    for number, name in enumerate(names):
        simulation.files.write(Container.PROMPTS, name, image(color=f"#0000{number:02x}"))
    rows = ["Prompt,Image", *[f"What?,/{name}" for name in names]]
    first = run(simulation, "\n".join(rows[:-5]))
    fetched: list[str] = []
    fetch = simulation.files.fetch

    def slowly(container: Container, name: str, most: int) -> Callable[[], bytes]:
        fetched.append(name)
        simulation.clock.advance(30)
        return fetch(container, name, most)

    monkeypatch.setattr(simulation.files, "fetch", slowly)
    second = run(simulation, "\n".join(rows), reuse=True)

    assert (second.rows_reused, len(billed(simulation, second))) == (55, 5)
    assert set(reused_from(simulation, second).values()) == {first.job_id, None}
    assert sorted({*fetched}) == sorted(names)
    assert len(fetched) < len(names) + 5 * 9


def test_only_successes_are_used_again() -> None:
    simulation = Simulation()
    simulation.service.rows = {"b": ["400"], "c": ["refusal"], "d": ["bad"]}
    run(simulation, table("abcd"))
    simulation.service.rows = {}
    second = run(simulation, table("abcd"), reuse=True)

    assert billed(simulation, second) == ["b", "c", "d"]
    assert (second.rows_succeeded, second.rows_reused) == (4, 1)


def test_an_answer_of_a_follow_up_with_a_doubled_cap_answers_the_first_request() -> None:
    simulation = Simulation()
    simulation.service.rows = {"b": ["cut", "ok"]}
    parameters = {"max_completion_tokens": 100}
    first = run(simulation, table("ab"), parameters=parameters)
    second = run(simulation, table("ab"), parameters=parameters, reuse=True)

    assert reused_from(simulation, second) == {1: first.job_id, 2: first.job_id}


def test_the_same_request_twice_in_a_file_is_asked_twice_and_both_are_used_again() -> None:
    simulation = Simulation()
    first = run(simulation, prompts("one", "one"), reuse=True)
    second = run(simulation, prompts("one", "two", "one"), reuse=True)

    assert billed(simulation, first) == ["row-1", "row-2"]
    assert billed(simulation, second) == ["row-2"]
    assert reused_from(simulation, second) == {1: first.job_id, 2: None, 3: first.job_id}


def test_reused_answers_are_used_again_and_name_the_job_that_paid() -> None:
    simulation = Simulation()
    first = run(simulation, prompts("one", "two"))
    second = run(simulation, prompts("one", "two", "three"), reuse=True)
    delete_work(simulation, first)
    third = run(simulation, prompts("three", "two", "one", "four"), reuse=True)

    assert reused_from(simulation, third) == {1: second.job_id, 2: first.job_id, 3: first.job_id, 4: None}
    assert billed(simulation, third) == ["row-4"]
    assert simulation.status(third)["rows"]["reused"] == 3


def test_an_answer_is_known_through_a_chain_of_jobs_whose_earlier_ones_are_gone() -> None:
    simulation = Simulation()
    asked = ["one"]
    first = run(simulation, prompts(*asked))
    paid = {"one": first.job_id}
    for word in ("two", "three", "four"):
        before = newest(simulation)
        asked.insert(0, word)
        now = run(simulation, prompts(*asked), reuse=True)
        paid[word] = now.job_id
        delete_work(simulation, before)

    assert reused_from(simulation, newest(simulation)) == {1: None, 2: paid["three"], 3: paid["two"], 4: paid["one"]}
    assert len(simulation.service.billed) == 4


def test_answers_of_three_earlier_jobs_are_put_into_the_order_of_the_rows() -> None:
    simulation = Simulation()
    simulation.service.name_of = _content
    jobs = {word: run(simulation, prompts(word)).job_id for word in ("one", "two", "three")}
    last = run(simulation, prompts("three", "one", "four", "two", "one"), reuse=True)

    paid_by = [jobs["three"], jobs["one"], None, jobs["two"], jobs["one"]]
    assert list(reused_from(simulation, last).values()) == paid_by
    names = [line["output"]["Name"] for line in results(simulation, last)]
    assert names == [f"Name of {word}" for word in ("three", "one", "four", "two", "one")]


def test_a_job_of_another_template_with_the_same_requests_has_answered_them() -> None:
    simulation = Simulation()
    first = run(simulation, "Title\none\n", prompt="Tell me about {Title}.")
    second = run(simulation, prompts("Tell me about one."), reuse=True)

    assert reused_from(simulation, second) == {1: first.job_id}


def test_parameters_in_another_order_are_the_same_request() -> None:
    simulation = Simulation()
    first = run(simulation, prompts("one"), parameters={"temperature": 0, "seed": 1})
    second = run(simulation, prompts("one"), parameters={"seed": 1, "temperature": 0}, reuse=True)

    assert reused_from(simulation, second) == {1: first.job_id}


def test_the_model_may_come_from_the_row_or_from_the_job() -> None:
    simulation = Simulation()
    first = run(simulation, "Prompt,Model\none,some-batch\n")
    second = run(simulation, prompts("one"), model="some-batch", reuse=True)

    assert reused_from(simulation, second) == {1: first.job_id}


def test_a_job_that_is_still_under_way_has_answered_nothing_yet() -> None:
    simulation = Simulation()
    simulation.service.plan_of = lambda metadata: Plan(running=5000)
    first = drop(simulation, prompts("one"))
    second = drop(simulation, prompts("one"), reuse=True)
    simulation.go_on(simulation.host())
    third = run(simulation, prompts("one"), reuse=True)

    assert reused_from(simulation, second) == {1: None}
    assert reused_from(simulation, third) in ({1: first.job_id}, {1: second.job_id})


@pytest.mark.parametrize("ending", ["input.jsonl", "rows.jsonl", "outcomes.jsonl", "schemas.jsonl", "reused.jsonl"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1,2\n", b"\xff\xfe\n{}\n", b"null\n[]\n7\n"])
def test_damaged_work_files_of_an_earlier_job_cost_answers_and_nothing_else(ending: str, content: bytes) -> None:
    simulation = Simulation()
    run(simulation, table("ab"))
    second = run(simulation, table("abc"), reuse=True)
    for job in simulation.jobs():
        for info in list(simulation.files.blobs(Container.WORK, prefix=f"{job.job_id}/")):
            if info.name.endswith(ending):
                simulation.files.write(Container.WORK, info.name, content)
    third = run(simulation, table("abcd"), reuse=True)

    assert third.rows_succeeded == 4
    assert len(billed(simulation, third)) + third.rows_reused == 4
    assert second.job_id != third.job_id


def test_an_index_that_is_damaged_is_made_anew() -> None:
    simulation = Simulation()
    run(simulation, table("ab"))
    app = simulation.host()
    simulation.clock.advance(3600)
    simulation.drop(NAME, table("abc"), reuse=True, required="Name")
    receiving.receive(app, NAME)
    second = newest(simulation)
    simulation.files.write(Container.WORK, f"{second.job_id}/earlier-answers.sqlite", b"damaged" * 1000)
    simulation.go_on(app)

    assert (newest(simulation).rows_reused, newest(simulation).rows_succeeded) == (2, 3)


def test_only_so_many_earlier_jobs_are_looked_at_the_newest_with_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_answers, "JOBS", 2)
    monkeypatch.setattr(earlier_answers, "PAGE", 1)
    simulation = Simulation()
    run(simulation, prompts("one"))
    jobs = [run(simulation, prompts(word)).job_id for word in ("two", "three")]
    run(simulation, "Prompt\n")
    last = run(simulation, prompts("one", "two", "three"), reuse=True)

    assert reused_from(simulation, last) == {1: None, 2: jobs[0], 3: jobs[1]}


def test_of_several_jobs_that_paid_the_newest_is_named() -> None:
    simulation = Simulation()
    run(simulation, prompts("one"))
    second = run(simulation, prompts("one"))
    third = run(simulation, prompts("one"), reuse=True)

    assert reused_from(simulation, third) == {1: second.job_id}


def test_the_newest_is_the_one_that_ended_last() -> None:
    simulation = Simulation()
    first = run(simulation, prompts("one"))
    simulation.service.plan_of = lambda metadata: Plan(validating=10, running=9 * 3600, finalizing=10)
    slow = drop(simulation, prompts("one"))
    simulation.service.plan_of = lambda metadata: QUICK
    third = drop(simulation, prompts("one"), reuse=True)
    simulation.go_on(simulation.host(), minutes=1000)
    fourth = run(simulation, prompts("one"), reuse=True)

    assert reused_from(simulation, third) == {1: first.job_id}
    assert reused_from(simulation, fourth) == {1: slow.job_id}


def test_the_age_counts_from_the_end_of_the_job_that_paid() -> None:
    simulation = Simulation()
    first = run(simulation, prompts("one"))
    simulation.clock.advance(2 * 24 * 3600)
    second = run(simulation, prompts("one", "two"), reuse={"max_age_days": 3})
    simulation.clock.advance(2 * 24 * 3600)
    third = run(simulation, prompts("one", "two"), reuse={"max_age_days": 3})

    assert reused_from(simulation, second) == {1: first.job_id, 2: None}
    assert reused_from(simulation, third) == {1: None, 2: second.job_id}


def test_an_age_beyond_all_time_is_any_age() -> None:
    simulation = Simulation()
    first = run(simulation, prompts("one"))
    second = run(simulation, prompts("one"), reuse={"max_age_days": 1e300})

    assert reused_from(simulation, second) == {1: first.job_id}


def test_answers_of_another_prompt_file_are_not_used() -> None:
    simulation = Simulation()
    for other in ("folder/table.csv.csv", "table.csv", "folder/other.csv"):
        run(simulation, prompts("one"), other, schema_name="table")
    second = run(simulation, prompts("one"), schema_name="table", reuse=True)

    assert second.rows_reused == 0


def test_the_limit_takes_the_first_rows_reused_or_not() -> None:
    simulation = Simulation()
    run(simulation, prompts("one", "two", "three"))
    second = run(simulation, prompts("new", "two", "three"), reuse=True, limit=2)

    assert simulation.status(second)["rows"] == {"total": 3, "succeeded": 2, "failed": 1, "pending": 0, "reused": 1}
    assert second.errors == {"not_sent": 1}
    assert billed(simulation, second) == ["row-1"]


def test_a_file_that_is_rejected_has_no_reused_results() -> None:
    simulation = Simulation()
    run(simulation, prompts("one", "two"))
    second = run(simulation, "Prompt,Note\none,\n,x\n", reuse=True, on_invalid_row="reject")

    assert (second.state, second.code) == (JobState.FAILED, JobCode.INVALID_ROW)
    assert simulation.status(second)["rows"] == {"total": 2, "succeeded": 0, "failed": 2, "pending": 0, "reused": 0}


@pytest.mark.parametrize("ending", ["", "input.jsonl", "rows.jsonl", "outcomes.jsonl", "schemas.jsonl"])
def test_where_work_files_are_gone_the_rows_are_asked_anew(ending: str) -> None:
    simulation = Simulation()
    first = run(simulation, table("abc"))
    delete_work(simulation, first, ending)
    second = run(simulation, table("abc"), reuse=True)

    assert (billed(simulation, second), second.rows_succeeded) == (["a", "b", "c"], 3)


@pytest.mark.parametrize("rows", ["abcdz", "dcbaz"])
@pytest.mark.parametrize("ending", ["", "outcomes.jsonl"])
def test_where_work_files_go_after_they_were_looked_up_the_rows_are_asked_anew(
    rows: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="2")
    run(simulation, table("abcd"))
    second = run(simulation, table("zbcd"))
    commit = reused_part.ReusedPart.commit

    def gone_before(self: reused_part.ReusedPart) -> None:
        delete_work(simulation, second, ending)
        commit(self)

    monkeypatch.setattr(reused_part.ReusedPart, "commit", gone_before)
    third = run(simulation, table(rows), reuse=True)

    assert (third.rows_succeeded, billed(simulation, third)) == (5, ["z"])
    assert third.rows_reused == 4


def test_building_again_takes_the_same_answers_whatever_ended_or_was_deleted_meanwhile() -> None:
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="2")
    first = run(simulation, table("abcd"))
    simulation.service.plan_of = lambda metadata: Plan(validating=10, running=5000, finalizing=10)
    drop(simulation, table("abcdef"), reuse=False)
    app = simulation.host()
    simulation.drop(NAME, table("abcdef"), reuse=True, required="Name")
    simulation.clock.advance(60)
    receiving.receive(app, NAME)
    third = newest(simulation)
    building.prepare(loaded(app, third.job_id))
    files = _work_files(simulation, third)
    simulation.go_on(app)
    delete_work(simulation, first)

    # As if the worker had died before its last write.
    current = simulation.store.job(third.job_id)
    assert current is not None
    claimed = simulation.store.save_job(replace(third, version=current.version))
    building.prepare(loaded(app, claimed.job_id))

    assert {name: data for name, data in _work_files(simulation, third).items() if name in files} == files
    rebuilt = simulation.store.job(third.job_id)
    assert rebuilt is not None
    assert rebuilt.rows_reused == 4


def _work_files(simulation: Simulation, job: Job) -> dict[str, bytes]:
    found = simulation.files.blobs(Container.WORK, prefix=f"{job.job_id}/")
    return {info.name: b"".join(simulation.files.read(Container.WORK, info.name)) for info in found}


def test_what_a_cancelled_job_had_answered_is_used_again() -> None:
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="2")
    simulation.service.plan_of = lambda metadata: QUICK if metadata["index"] == "0" else Plan(running=10**7)
    app = simulation.host()
    first = drop(simulation, table("abcd"))
    for _ in range(5):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    steps.queue_due(app, job_control.cancel(app, first.job_id).job_id)
    simulation.go_on(app)
    simulation.service.plan_of = lambda metadata: QUICK
    second = run(simulation, table("abcd"), reuse=True)

    assert newest(simulation).job_id == second.job_id
    assert reused_from(simulation, second) == {1: first.job_id, 2: first.job_id, 3: None, 4: None}


def test_a_cancelled_job_keeps_what_it_reused() -> None:
    simulation = Simulation()
    run(simulation, table("abc"))
    simulation.service.plan_of = lambda metadata: Plan(running=10**7)
    second = drop(simulation, table("abcd"), reuse=True)
    app = simulation.host()
    steps.queue_due(app, job_control.cancel(app, second.job_id).job_id)
    simulation.go_on(app)
    check_balance(simulation)

    status = simulation.status(second)
    assert (status["state"], status["rows"]["succeeded"], status["rows"]["reused"]) == ("cancelled", 3, 3)


def test_a_retry_keeps_what_its_job_reused() -> None:
    simulation = Simulation()
    first = run(simulation, table("abc"))
    simulation.service.rows = {"d": ["400"]}
    second = run(simulation, table("abcd"), reuse=True)
    simulation.service.rows = {}
    again = retry(simulation, second)

    assert (again.rows_succeeded, billed(simulation, again)) == (4, ["d"])
    assert reused_from(simulation, again) == {1: first.job_id, 2: first.job_id, 3: first.job_id, 4: None}
    assert simulation.status(again)["rows"]["reused"] == 3


def test_a_retry_asks_its_own_failed_rows_anew_though_the_same_request_was_answered() -> None:
    simulation = Simulation()
    simulation.service.rows = {"row-2": ["400"]}
    first = run(simulation, prompts("one", "one"), reuse=True)
    simulation.service.rows = {}
    again = retry(simulation, first)

    assert (billed(simulation, again), again.rows_reused) == (["row-2"], 0)


def test_a_retry_uses_the_answers_of_jobs_before_it() -> None:
    simulation = Simulation()
    simulation.service.rows = {"b": ["400", "ok"]}
    first = run(simulation, table("ab"))
    second = run(simulation, table("ab"))
    again = retry(simulation, first)
    newest_answer = second.job_id

    assert reused_from(simulation, again) == {1: None, 2: None}  # The setting was not there.
    simulation.service.rows = {"c": ["400"]}
    third = run(simulation, table("abc"), reuse=True)
    assert reused_from(simulation, third) == {1: newest_answer, 2: again.job_id}


def test_an_answer_of_a_retry_is_used_again_and_one_that_it_kept_is_its_first_jobs() -> None:
    simulation = Simulation()
    simulation.service.rows = {"b": ["400", "ok"]}
    first = run(simulation, table("ab"))
    again = retry(simulation, first)
    third = run(simulation, table("abc"), reuse=True)

    assert reused_from(simulation, third) == {1: first.job_id, 2: again.job_id, 3: None}


def test_outcomes_that_fit_neither_memory_nor_disk_are_put_in_order_by_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reused_part, "PLACES", 7)
    monkeypatch.setattr(reused_part, "MEMORY", 300)
    monkeypatch.setattr(reused_part, "DISK", 500)
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="4")
    asked = [f"question {number}" for number in range(20)]
    simulation.service.name_of = _content
    run(simulation, prompts(*asked))
    second = run(simulation, prompts(*reversed(asked)), reuse=True)

    assert second.rows_reused == 20
    assert [line["output"]["Name"] for line in results(simulation, second)] == [
        f"Name of {name}" for name in reversed(asked)
    ]


def test_an_index_that_is_full_has_the_newest_answers_and_the_job_says_how_many_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_index, "DISK", 16 * 4096)
    monkeypatch.setattr(answer_index, "_PENDING", 100)
    simulation = Simulation()
    older, newer = ([f"{word} question {number}" for number in range(1000)] for word in ("older", "newer"))
    run(simulation, prompts(*older))
    run(simulation, prompts(*newer))
    third = run(simulation, prompts(*older, *newer), reuse=True)

    assert (third.rows_succeeded, len(billed(simulation, third))) == (2000, 2000 - third.rows_reused)
    assert 1000 < third.rows_reused < 2000
    assert {row for row, job in reused_from(simulation, third).items() if job} >= {*range(1001, 2001)}
    (warning,) = third.warnings
    left_out = 2000 - third.rows_reused
    assert f"the newest {third.rows_reused:,} were looked up" in warning
    assert f"the up to {left_out:,} older ones" in warning


def test_rows_beyond_the_room_for_those_that_take_answers_take_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_answers, "DISK", 24 * 4096)
    simulation = Simulation()
    simulation.service.name_of = _content
    asked = [f"question {number}" for number in range(3000)]
    run(simulation, prompts(*asked))
    second = run(simulation, prompts(*asked), reuse=True)

    assert second.rows_reused == 3000
    assert [line["output"]["Name"] for line in results(simulation, second)] == [f"Name of {name}" for name in asked]


def _content(line: Mapping[str, Any]) -> str:
    """The service answers the same request the same."""
    return str(line["body"]["messages"][-1]["content"])


CELLS = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "e", ""]),
    st.sampled_from(["one", "two", "three", "four", ""]),
    st.sampled_from(["Name", "Name,Height: number", "Height: nothing", ""]),
    st.sampled_from(["", "other-batch"]),
)
FILES = st.lists(CELLS, min_size=1, max_size=8).map(
    lambda rows: "\n".join(
        ["Custom ID,Prompt,Required,Model,Note", *[f'{i},{p},"{r}",{m},of {p}' for i, p, r, m in rows], ""]
    )
)
SCRIPTS = st.dictionaries(st.sampled_from(["one", "two", "three"]), st.sampled_from(["400", "refusal", "bad", "cut"]))


@settings(max_examples=40, deadline=None)
@given(first=FILES, second=FILES, scripts=SCRIPTS, limit=st.sampled_from([None, 2]))
def test_results_are_those_of_a_job_without_reuse(
    first: str, second: str, scripts: Mapping[str, str], limit: int | None
) -> None:
    ends = [_ends(first, second, scripts, limit, reuse=reuse) for reuse in (True, False)]
    assert ends[0] == ends[1]


def _ends(first: str, second: str, scripts: Mapping[str, str], limit: int | None, *, reuse: bool) -> list[Any]:
    """All files of the second of two jobs, but for the keys that tell what was paid by whom."""
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="3")
    simulation.service.name_of = _content
    simulation.service.rows = {name: [script] for name, script in scripts.items()}
    more: dict[str, Any] = {"formats": ["csv", "xlsx", "parquet"], **({} if limit is None else {"limit": limit})}
    run(simulation, first, required=None)
    job = run(simulation, second, required=None, reuse=reuse, **more)
    assert job.code in (None, JobCode.NO_VALID_ROWS, JobCode.MISSING_SCHEMA)
    lines = simulation.result(job, "results.jsonl")
    lines = re.sub(rb'"attempts":\d+,"usage":(null|\{[^}]*\})(,"reused_from":"[^"]*")?', b"", lines)
    status = simulation.status(job)
    kept = {key: status[key] for key in ("state", "code", "message", "errors", "warnings")}
    rows = {**status["rows"], "reused": None}
    texts = [lines, simulation.result(job, "errors.jsonl"), simulation.result(job, "results.csv")]
    return [*texts, *_typed(simulation, job), kept, rows]


def _typed(simulation: Simulation, job: Job) -> list[Any]:
    """The typed files' cells, but for the attempts; nothing of a job that failed."""
    names = [name.rpartition("/")[2] for name in simulation.result_names() if job.job_id in name]
    if "results.parquet" not in names:
        return names
    parquet = pq.read_table(io.BytesIO(simulation.result(job, "results.parquet"))).drop_columns("attempts")
    page = openpyxl.load_workbook(io.BytesIO(simulation.result(job, "results.xlsx"))).active
    return [parquet.replace_schema_metadata().to_pydict(), str(parquet.schema.types), list(page.values)]
