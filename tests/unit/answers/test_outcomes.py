"""Outcomes as lines, the best of a row, and many parts merged into one."""

from collections import defaultdict
from copy import replace
from itertools import batched

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.answers.outcomes import best, best_line, is_paid, merge, read_line, read_lines, to_line
from shared.domain.model import Outcome, RowCode, Usage
from tests.unit.test_json_codec import JSON, TEXTS

USAGES = st.none() | st.builds(Usage, st.integers(0, 10**12), st.integers(0, 10**12))
OUTCOMES = st.builds(
    Outcome,
    row=st.integers(1, 10**9),
    custom_id=TEXTS,
    code=st.none() | st.sampled_from(RowCode),
    message=TEXTS,
    output=JSON,
    text=st.none() | TEXTS,
    finish_reason=TEXTS,
    model=TEXTS,
    usage=USAGES,
    attempts=st.integers(0, 5),
    schema=st.integers(-1, 10**6),
    status=st.integers(0, 599),
)


@given(OUTCOMES)
def test_an_outcome_comes_back_from_its_line(outcome: Outcome) -> None:
    line = to_line(outcome)
    assert b"\n" not in line
    assert read_line(line).outcome == outcome


@given(st.lists(OUTCOMES, max_size=5))
def test_outcomes_come_back_from_many_lines_at_once(outcomes: list[Outcome]) -> None:
    assert [line.outcome for line in read_lines(list(map(to_line, outcomes)))] == outcomes


def test_lines_that_make_sense_only_together_are_refused() -> None:
    one = to_line(GOOD)
    half = one.index(b",")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Extra"):
        read_lines([one[:half], one[half + 1 :]])


def test_big_numbers_and_odd_texts_come_back_from_a_line() -> None:
    outcome = Outcome(row=1, custom_id="a", output={"n": 10**30, "t": "\u2028\u0085\0\ud800 é"})
    assert read_line(to_line(outcome)).outcome == outcome


def test_a_line_that_is_no_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="Unterminated"):
        read_line(b'{"row": 1, "cust')


GOOD = Outcome(row=1, custom_id="a", output={"x": 1}, model="m", usage=Usage(1, 1), attempts=1)
MISSING = Outcome(row=1, custom_id="a", code=RowCode.MISSING, message="none", attempts=2)
EXPIRED = Outcome(row=1, custom_id="a", code=RowCode.EXPIRED, message="late", attempts=1)
BROKEN = Outcome(
    row=1, custom_id="a", code=RowCode.INVALID_OUTPUT, message="bad", text="{", usage=Usage(5, 5), attempts=1, model="m"
)


def test_a_success_wins_over_later_failures() -> None:
    assert best([MISSING, GOOD]) == replace(GOOD, attempts=2)


def test_the_latest_failure_counts_and_carries_the_earlier_paid_answer() -> None:
    assert best([BROKEN, MISSING]) == replace(MISSING, text="{", usage=Usage(5, 5), model="m")


def test_within_one_attempt_an_answer_counts_more_than_its_absence() -> None:
    assert best([EXPIRED, BROKEN]) == BROKEN
    assert best([replace(MISSING, attempts=1), BROKEN]) == BROKEN


UNSENT = Outcome(row=1, custom_id="a", code=RowCode.NOT_SENT, message="cancelled first", attempts=1)
GIVEN_UP = replace(UNSENT, code=RowCode.GAVE_UP, message="gave up first")


@pytest.mark.parametrize("code", [RowCode.MISSING, RowCode.EXPIRED, RowCode.RATE_LIMITED, RowCode.REQUEST_FAILED])
def test_a_row_that_was_sent_is_never_not_sent_for_a_follow_up_that_was_not(code: RowCode) -> None:
    sent = replace(EXPIRED, code=code)
    assert best([sent, UNSENT]) == best([UNSENT, sent]) == sent


@pytest.mark.parametrize("code", [RowCode.MISSING, RowCode.EXPIRED, RowCode.RATE_LIMITED, RowCode.REQUEST_FAILED])
def test_a_row_without_an_answer_is_given_up_with_its_follow_up_and_one_with_an_answer_is_not(code: RowCode) -> None:
    assert best([replace(EXPIRED, code=code), GIVEN_UP]) == GIVEN_UP
    assert best([BROKEN, GIVEN_UP]) == BROKEN


@given(
    st.lists(OUTCOMES, min_size=1, max_size=4).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found)))
)
def test_the_best_does_not_depend_on_the_order(orders: tuple[list[Outcome], list[Outcome]]) -> None:
    one_row, shuffled = ([replace(outcome, row=1, custom_id="a") for outcome in order] for order in orders)
    assert best(one_row) == best(shuffled)
    assert best(one_row).attempts == max(outcome.attempts for outcome in one_row)
    assert (best(one_row).code is None) == any(outcome.code is None for outcome in one_row)
    assert is_paid(best(one_row)) == any(map(is_paid, one_row))


PARTS = st.lists(
    st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from([GOOD, MISSING, EXPIRED, BROKEN])), unique_by=lambda item: item[0]
    )
)


@given(PARTS, st.integers(1, 4))
def test_merged_parts_hold_the_best_of_each_row_in_order(parts: list[list[tuple[int, Outcome]]], size: int) -> None:
    by_row = defaultdict(list)
    runs = []
    for part in parts:
        outcomes = [replace(outcome, row=row) for row, outcome in sorted(part, key=lambda item: item[0])]
        runs.append(
            iter([[read_line(to_line(outcome)) for outcome in some] for some in batched(outcomes, size, strict=False)])
        )
        for outcome in outcomes:
            by_row[outcome.row].append(outcome)
    merged = [line.outcome for run in merge(runs) for line in run]
    assert merged == [best(by_row[row]) for row in sorted(by_row)]


def test_the_best_of_a_row_s_lines_is_the_line_of_the_best() -> None:
    assert best_line([to_line(MISSING), to_line(GOOD)]) == to_line(best([MISSING, GOOD]))
