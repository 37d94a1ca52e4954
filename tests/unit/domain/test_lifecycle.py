"""What is due, what states mean, what refusals mean: tables of the pure decisions."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.lifecycle import (
    GIVE_UP_GRACE,
    LONGEST_MESSAGE,
    LONGEST_WAIT,
    Refusal,
    age_warnings,
    decide,
    end_of,
    is_schema_faulty,
    may_follow,
    next_backoff,
    observed,
    put_back,
    refusal_of,
    state_of,
    token_limit,
    tries_again,
)
from shared.domain.lifecycle.jobs import BEING_CANCELLED
from shared.domain.model import (
    KNOWN_STATUSES,
    TERMINAL_STATUSES,
    Batch,
    BatchState,
    Job,
    JobCode,
    JobState,
    Lease,
    Outcome,
    PilotPlan,
    RemoteBatch,
    RowCode,
    Usage,
    Wait,
)
from shared.domain.ports import Step

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MAX_WAIT = 72 * HOUR
LATER, EARLIER = NOW + HOUR, NOW - HOUR
LEASED, LAPSED = Lease(owner="a", until=LATER), Lease(owner="a", until=NOW)
WAITING, WAITED = Wait(until=LATER, tries=1, message="w"), Wait(until=NOW, tries=1, message="w")
P, U, S, E, C = BatchState


def job(**changes: Any) -> Job:
    made = Job(
        job_id="J",
        prompt_file="a.csv",
        source_etag="0x1",
        state=JobState.RUNNING,
        created_at=EARLIER,
        updated_at=EARLIER,
        progress_at=EARLIER,
        built=True,
    )
    return replace(made, **changes)


def batch(state: BatchState = P, index: int = 0, **changes: Any) -> Batch:
    made = Batch(job_id="J", index=index, attempt=1, state=state, model="m", url="/chat", requests=3)
    return replace(made, **changes)


def due(a_job: Job, *batches: Batch, closed: Collection[str] = ()) -> list[Step]:
    return [step.step for step in decide(a_job, batches, closed, NOW, MAX_WAIT)]


STOPS = {"cancelled": True}
GAVE_UP = {"gave_up_at": EARLIER}
OVERDUE = {"gave_up_at": NOW - GIVE_UP_GRACE - HOUR}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [Step.PREPARE]),
        ({"lease": LEASED}, []),
        ({"lease": LAPSED}, [Step.PREPARE]),
        ({"wait": WAITING}, []),
        ({"wait": WAITED}, [Step.PREPARE]),
        ({"queued_until": LATER}, []),
        ({"queued_until": NOW}, [Step.PREPARE]),
        ({**STOPS, "wait": WAITING}, [Step.PREPARE]),
        ({**STOPS, "lease": LEASED}, []),
        ({"progress_at": NOW - MAX_WAIT - HOUR}, [Step.GIVE_UP]),
        ({"progress_at": NOW - MAX_WAIT - HOUR, **GAVE_UP}, [Step.PREPARE]),
        ({"state": JobState.FAILED}, []),
    ],
)
def test_what_is_due_for_a_job_that_is_not_built(changes: dict[str, Any], expected: list[Step]) -> None:
    assert due(job(built=False, **changes)) == expected


@pytest.mark.parametrize(
    ("of_batch", "of_job", "expected"),
    [
        (batch(P), {}, [Step.SUBMIT]),
        (batch(U), {}, [Step.SUBMIT]),
        (batch(S), {}, []),
        (batch(E), {}, [Step.COLLECT]),
        (batch(C), {}, [Step.ASSEMBLE]),
        (batch(P, lease=LEASED), {}, []),
        (batch(P, lease=LAPSED), {}, [Step.SUBMIT]),
        (batch(P, wait=WAITING), {}, []),
        (batch(P, queued_until=LATER), {}, []),
        (batch(E, lease=LEASED), {}, []),
        (batch(E, wait=WAITING), {}, []),
        (batch(E, queued_until=LATER), {}, []),
        (batch(P), {"state": JobState.HELD}, []),
        (batch(P), {"state": JobState.HELD, "released": True}, [Step.SUBMIT]),
        (batch(P), {"state": JobState.HELD, **STOPS}, [Step.SUBMIT]),
        (batch(P, wait=WAITING), STOPS, [Step.SUBMIT]),
        (batch(P, lease=LEASED), STOPS, []),
        (batch(S), STOPS, [Step.CANCEL]),
        (batch(S, cancel_sent=True), STOPS, []),
        (batch(S, cancel_sent=True), GAVE_UP, []),
        (batch(S, cancel_sent=True), OVERDUE, [Step.ABANDON]),
        (batch(S), OVERDUE, [Step.ABANDON]),
        (batch(E, wait=WAITED), OVERDUE, [Step.COLLECT]),
        (batch(C), {"lease": LEASED}, []),
        (batch(C), {"wait": WAITING}, []),
        (batch(C), {"queued_until": LATER}, []),
        (batch(S), {"progress_at": NOW - MAX_WAIT - HOUR}, [Step.GIVE_UP]),
        (batch(S, changed_at=EARLIER), {"progress_at": NOW - MAX_WAIT - HOUR}, []),
        (batch(S), {"progress_at": NOW - MAX_WAIT - HOUR, **STOPS}, [Step.GIVE_UP, Step.CANCEL]),
        (batch(C), {"progress_at": NOW - MAX_WAIT - HOUR}, [Step.ASSEMBLE]),
        (batch(P), {"progress_at": NOW - MAX_WAIT - HOUR, "state": JobState.HELD}, []),
        (batch(E), {"state": JobState.COMPLETED}, []),
    ],
)
def test_what_is_due_for_a_batch(of_batch: Batch, of_job: dict[str, Any], expected: list[Step]) -> None:
    assert due(job(**of_job), of_batch) == expected


def test_a_model_without_room_keeps_back_its_own_batches_only() -> None:
    assert due(job(), batch(P), closed={"m"}) == []
    assert due(job(), batch(P, model="other"), closed={"m"}) == [Step.SUBMIT]
    assert due(job(), batch(P)) == [Step.SUBMIT]
    assert due(job(**STOPS), batch(P), closed={"m"}) == [Step.SUBMIT]


def test_results_are_assembled_only_when_all_batches_are_collected() -> None:
    assert due(job(), batch(C), batch(S, 1)) == []
    assert due(job(), batch(C), batch(C, 1)) == [Step.ASSEMBLE]
    assert due(job()) == [Step.ASSEMBLE]


OPEN_PILOT = PilotPlan(rows=3, min_ok=0.9, holds=False, rest={})
JUDGED_PILOT = replace(OPEN_PILOT, judged=True)


@pytest.mark.parametrize(
    ("pilot", "batches", "changes", "expected"),
    [
        (OPEN_PILOT, [batch(P, pilot=True), batch(P, 1)], {}, [Step.SUBMIT]),
        (OPEN_PILOT, [batch(S, pilot=True), batch(P, 1)], {}, []),
        (OPEN_PILOT, [batch(C, pilot=True), batch(P, 2, pilot=True), batch(P, 1)], {}, [Step.SUBMIT]),
        (OPEN_PILOT, [batch(C, pilot=True), batch(P, 1)], {}, [Step.JUDGE]),
        (OPEN_PILOT, [batch(C, pilot=True), batch(P, 1)], {"lease": LEASED}, []),
        (OPEN_PILOT, [batch(C, pilot=True), batch(C, 1)], {}, [Step.JUDGE]),
        (OPEN_PILOT, [batch(C, pilot=True), batch(P, 1)], STOPS, [Step.SUBMIT]),
        (OPEN_PILOT, [batch(C, pilot=True), batch(C, 1)], STOPS, [Step.ASSEMBLE]),
        (JUDGED_PILOT, [batch(C, pilot=True), batch(P, 1)], {}, [Step.SUBMIT]),
        (JUDGED_PILOT, [batch(C, pilot=True), batch(P, 1)], {"state": JobState.HELD}, []),
        (JUDGED_PILOT, [batch(C, pilot=True), batch(C, 1)], {}, [Step.ASSEMBLE]),
    ],
)
def test_the_rest_waits_until_the_pilot_was_judged(
    pilot: PilotPlan, batches: list[Batch], changes: dict[str, Any], expected: list[Step]
) -> None:
    assert due(job(pilot=pilot, **changes), *batches) == expected


jobs = st.builds(
    job,
    pilot=st.sampled_from([None, OPEN_PILOT, JUDGED_PILOT]),
    state=st.sampled_from(JobState),
    built=st.booleans(),
    cancelled=st.booleans(),
    released=st.booleans(),
    gave_up_at=st.sampled_from([None, EARLIER, NOW - 9 * HOUR]),
    wait=st.sampled_from([None, WAITING, WAITED]),
    lease=st.sampled_from([None, LEASED, LAPSED]),
    queued_until=st.sampled_from([None, LATER, NOW]),
    progress_at=st.sampled_from([EARLIER, NOW - 99 * HOUR]),
)
batches = st.builds(
    batch,
    st.sampled_from(BatchState),
    pilot=st.booleans(),
    wait=st.sampled_from([None, WAITING, WAITED]),
    lease=st.sampled_from([None, LEASED, LAPSED]),
    queued_until=st.sampled_from([None, LATER, NOW]),
    cancel_sent=st.booleans(),
    changed_at=st.sampled_from([None, EARLIER]),
)


@given(jobs, st.lists(batches, max_size=3))
def test_no_open_job_is_ever_without_a_step_for_good(a_job: Job, some: list[Batch]) -> None:
    much_later = NOW + 1000 * HOUR
    steps = decide(a_job, some, {}, much_later, MAX_WAIT)
    held = a_job.state is JobState.HELD and not a_job.released and not a_job.cancelled and a_job.gave_up_at is None
    assert bool(steps) == (not a_job.state.ended) or held


@given(jobs, st.lists(batches, max_size=3))
def test_nobody_is_disturbed_at_work(a_job: Job, some: list[Batch]) -> None:
    for step in decide(a_job, some, {}, NOW, MAX_WAIT):
        assert step.batch is None or step.batch.lease is not LEASED
        if step.step in (Step.PREPARE, Step.JUDGE, Step.ASSEMBLE):
            assert a_job.lease is not LEASED


@pytest.mark.parametrize(
    ("of_job", "of_batches", "expected"),
    [
        ({"built": False}, [], (JobState.PREPARING, "")),
        ({"built": False, "wait": WAITING}, [], (JobState.WAITING, "w")),
        ({"state": JobState.HELD, "message": "too large"}, [batch(P)], (JobState.HELD, "too large")),
        ({}, [batch(P), batch(U, 1)], (JobState.PREPARING, "")),
        ({}, [batch(P), batch(S, 1)], (JobState.RUNNING, "")),
        ({}, [batch(S), batch(C, 1)], (JobState.RUNNING, "")),
        ({}, [batch(P, wait=WAITED), batch(S, 1)], (JobState.WAITING, "w")),
        ({}, [batch(E), batch(C, 1)], (JobState.COLLECTING, "")),
        ({}, [batch(C)], (JobState.COLLECTING, "")),
        ({"code": JobCode.EMPTY_FILE, "message": "empty"}, [], (JobState.COLLECTING, "empty")),
        ({"cancelled": True}, [batch(S)], (JobState.RUNNING, BEING_CANCELLED)),
        ({"cancelled": True}, [batch(E)], (JobState.COLLECTING, BEING_CANCELLED)),
        ({"cancelled": True, "built": False}, [], (JobState.PREPARING, BEING_CANCELLED)),
        ({"cancelled": True, "wait": WAITED}, [], (JobState.WAITING, "w")),
        ({"cancelled": True, "state": JobState.CANCELLED, "message": "why"}, [], (JobState.CANCELLED, "why")),
        ({"state": JobState.FAILED, "message": "why"}, [batch(S)], (JobState.FAILED, "why")),
    ],
)
def test_the_state_that_is_shown(
    of_job: dict[str, Any], of_batches: list[Batch], expected: tuple[JobState, str]
) -> None:
    assert state_of(job(**of_job), of_batches) == expected


def test_of_several_waits_the_longest_tried_is_told() -> None:
    waits = [batch(P, index, wait=Wait(until=NOW, tries=index, message=str(index))) for index in range(3)]
    assert state_of(job(), waits) == (JobState.WAITING, "2")


def remote(status: str, **changes: Any) -> RemoteBatch:
    return replace(RemoteBatch(batch_id="b", status=status, input_file_id="f", created_at=EARLIER), **changes)


@pytest.mark.parametrize("status", sorted(KNOWN_STATUSES | {"paused", ""}))
def test_a_batch_ends_with_its_statuses_end_and_no_other(status: str) -> None:
    seen = observed(batch(S, status="validating"), remote(status), NOW)

    assert seen.status == status
    assert (seen.state is E) == (status in TERMINAL_STATUSES)
    assert (seen.failure is RowCode.BATCH_FAILED) == (status == "failed")
    assert seen.changed_at == (None if status == "validating" else NOW)


def test_what_the_service_says_is_written_down_once() -> None:
    news = remote("in_progress", counts=(3, 1, 0))
    seen = observed(batch(S, wait=WAITED, refusals=2), news, NOW)

    assert (seen.counts, seen.changed_at, seen.wait, seen.refusals) == ((3, 1, 0), NOW, None, 0)
    assert observed(seen, news, LATER) == seen


def test_a_refused_batch_goes_back_with_its_file_and_without_its_past() -> None:
    refused = batch(E, batch_id="b", status="failed", file_id="f", failure=RowCode.BATCH_FAILED, lease=LEASED)
    back = put_back(refused, WAITING)

    assert (back.state, back.batch_id, back.status, back.file_id) == (U, "", "", "f")
    assert (back.failure, back.lease, back.wait, back.refusals) == (None, None, WAITING, 1)
    assert put_back(replace(refused, file_id=""), WAITING).state is P


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([("token_limit_exceeded", "", "")], Refusal.QUOTA),
        ([("", "The number of Enqueued Tokens has surpassed the limit", "")], Refusal.QUOTA),
        ([("invalid_request", "token_limit_exceeded for m", "")], Refusal.QUOTA),
        ([("model_not_found", "", "")], Refusal.DEPLOYMENT),
        ([("DeploymentNotFound", "", "")], Refusal.DEPLOYMENT),
        ([("billing_hard_limit_reached", "Billing hard limit has been reached", "")], Refusal.MONEY),
        ([("insufficient_quota", "You exceeded your current quota", "")], Refusal.MONEY),
        ([("invalid_request", "The SKU Standard cannot run batches", "")], Refusal.DEPLOYMENT),
        ([("input_no_permissions", "", "")], Refusal.PERMISSION),
        ([("invalid_json_line", "line 3", "3")], Refusal.FINAL),
        ([("invalid_request", "The url differs", "")], Refusal.FINAL),
        ([], Refusal.FINAL),
    ],
)
def test_what_a_refusal_means(errors: list[tuple[str, str, str]], expected: Refusal) -> None:
    assert refusal_of(errors) is expected


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("configured limit of 30K for the deployment", 30_000),
        ("limit of 1.5M tokens", 1_500_000),
        ("limit of 2B.", 2_000_000_000),
        ("limit of 200 k", 200_000),
        ("limit of 1,350,000.", 1_350_000),
        ("limit of 100 but not more", 100),
        ("limit of 7", 7),
        ("limit of 1.2.3", 1),
        ("limit of .", None),
        ("limit of , and", None),
        ("no more quota", None),
        ("", None),
    ],
)
def test_the_limit_is_read_from_the_message(message: str, limit: int | None) -> None:
    assert token_limit(message) == limit


@given(st.text())
def test_no_message_about_a_limit_is_too_odd(text: str) -> None:
    found = token_limit(f"limit of {text}")
    assert found is None or found >= 0


def test_waits_double_up_to_a_quarter_of_an_hour_with_jitter() -> None:
    wait: Wait | None = None
    lengths = []
    for _ in range(40):
        wait = next_backoff(wait, "m", NOW, timedelta(seconds=60), "key")
        lengths.append((wait.until - NOW).total_seconds())

    for number, length in enumerate(lengths):
        base = min(60 * 2**number, LONGEST_WAIT.total_seconds())
        assert base <= length <= base * 1.25
    assert wait is not None
    assert wait.tries == 40
    assert next_backoff(None, "m", NOW, HOUR / 60, "key") == next_backoff(None, "m", NOW, HOUR / 60, "key")


def test_what_the_service_asks_for_is_waited_but_no_more_than_an_hour() -> None:
    assert next_backoff(None, "m", NOW, timedelta(), "key", 90).until == NOW + timedelta(seconds=90)
    assert next_backoff(None, "m", NOW, timedelta(), "key", 10**9).until == NOW + HOUR
    assert next_backoff(None, "m", NOW, HOUR / 60, "key", 1).until >= NOW + HOUR / 60


@pytest.mark.parametrize(
    ("code", "status", "again"),
    [
        (None, 200, [False, False, False]),
        (RowCode.RATE_LIMITED, 429, [True, True, False]),
        (RowCode.REQUEST_FAILED, 500, [True, True, False]),
        (RowCode.REQUEST_FAILED, 400, [False, False, False]),
        (RowCode.EXPIRED, 0, [True, True, False]),
        (RowCode.MISSING, 0, [True, True, False]),
        (RowCode.TRUNCATED, 200, [True, True, False]),
        (RowCode.INVALID_OUTPUT, 200, [True, True, False]),
        *[
            (code, 0, [False, False, False])
            for code in RowCode
            if code
            not in (
                RowCode.RATE_LIMITED,
                RowCode.REQUEST_FAILED,
                RowCode.EXPIRED,
                RowCode.MISSING,
                RowCode.TRUNCATED,
                RowCode.INVALID_OUTPUT,
            )
        ],
    ],
)
def test_which_rows_are_tried_again(code: RowCode | None, status: int, again: list[bool]) -> None:
    outcome = Outcome(row=1, custom_id="a", code=code, status=status)
    assert [tries_again(outcome, attempt, 3, False) for attempt in (1, 2, 3)] == again


def test_answers_that_do_not_fit_are_asked_again_twice_at_most_and_not_where_the_schema_is_at_fault() -> None:
    outcome = Outcome(row=1, custom_id="a", code=RowCode.INVALID_OUTPUT)
    assert [tries_again(outcome, attempt, 100, False) for attempt in (1, 2, 3)] == [True, True, False]
    assert not tries_again(outcome, 1, 100, True)
    assert [tries_again(outcome, attempt, 100, False, 2) for attempt in (3, 4, 5)] == [True, True, False]
    assert [is_schema_faulty(*numbers) for numbers in ((4, 20), (5, 20), (19, 19), (0, 50))] == [
        False,
        True,
        False,
        False,
    ]


def test_a_batch_that_anybody_cancelled_is_not_followed_up() -> None:
    assert may_follow(job(), batch(E, status="completed"))
    assert may_follow(job(), batch(E, status="expired"))
    assert not may_follow(job(), batch(E, status="cancelled"))
    assert not may_follow(job(**STOPS), batch(E, status="completed"))
    assert not may_follow(job(**GAVE_UP), batch(E, status="expired"))
    assert not may_follow(job(), batch(E, status="failed", failure=RowCode.BATCH_FAILED))


FAILED = batch(C, status="failed", failure=RowCode.BATCH_FAILED, message="refused")


@pytest.mark.parametrize(
    ("of_job", "of_batches", "state", "code"),
    [
        ({}, [batch(C, succeeded=3)], JobState.COMPLETED, None),
        ({}, [batch(C, errors={"refusal": 3})], JobState.COMPLETED, None),
        ({}, [batch(C, status="cancelled")], JobState.COMPLETED, None),
        (STOPS, [batch(C, succeeded=3)], JobState.CANCELLED, None),
        ({**STOPS, "code": JobCode.INVALID_ROW}, [], JobState.CANCELLED, None),
        ({"code": JobCode.INVALID_ROW, "message": "m"}, [], JobState.FAILED, JobCode.INVALID_ROW),
        (GAVE_UP, [batch(C, succeeded=1), batch(C, 1)], JobState.COMPLETED, None),
        (GAVE_UP, [batch(C, usage=Usage(1, 1))], JobState.COMPLETED, None),
        (GAVE_UP, [batch(C, errors={"request_failed": 2}), batch(C, 1)], JobState.COMPLETED, None),
        (GAVE_UP, [batch(C, errors={"gave_up": 2})], JobState.FAILED, JobCode.GAVE_UP),
        (GAVE_UP, [batch(C)], JobState.FAILED, JobCode.GAVE_UP),
        ({**GAVE_UP, "rows_carried_over": 1}, [batch(C)], JobState.COMPLETED, None),
        ({}, [FAILED, replace(FAILED, index=1)], JobState.FAILED, JobCode.BATCH_FAILED),
        ({}, [FAILED, batch(C, 1, succeeded=1)], JobState.COMPLETED, None),
        ({}, [FAILED, batch(C, 1, requests=0)], JobState.FAILED, JobCode.BATCH_FAILED),
        ({"rows_carried_over": 2}, [FAILED], JobState.COMPLETED, None),
        ({"rows_carried_over": 2}, [], JobState.COMPLETED, None),
    ],
)
def test_how_a_job_ends(of_job: dict[str, Any], of_batches: list[Batch], state: JobState, code: JobCode | None) -> None:
    assert end_of(job(**of_job), of_batches)[:2] == (state, code)


def test_old_batches_and_unknown_statuses_are_warned_of() -> None:
    old = batch(S, batch_id="b1", status="in_progress", created_at=NOW - 25 * HOUR)
    odd = batch(S, batch_id="b2", status="paused", created_at=NOW)
    done = batch(C, batch_id="b3", created_at=NOW - 99 * HOUR)

    first, second = age_warnings([old, odd, done], NOW)
    assert "b1 has run for 25 hours" in first
    assert "paused" in second


def test_a_wait_cuts_its_message_to_what_a_record_has_room_for() -> None:
    wait = next_backoff(None, "x" * 5000, NOW, HOUR, "J/00000-1")
    assert wait.message == "x" * LONGEST_MESSAGE


def test_the_first_batches_of_many_jobs_do_not_wait_alike() -> None:
    names = [batch(job_id=f"J{number}").full_name for number in range(20)]
    assert len({next_backoff(None, "", NOW, HOUR, name).until for name in names}) > 10
