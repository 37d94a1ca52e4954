"""The pilot's rows, and what its answers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.estimate import Basis, Estimate, HeldBy
from shared.money.pilot import pilot_positions, pilot_size, verdict

REST = Estimate(1000, 500, 12.5, Basis.PILOT)


@pytest.mark.parametrize(("sendable", "expected"), [(59, 0), (60, 20), (1000, 20), (0, 0)])
def test_a_job_with_fewer_than_three_times_as_many_rows_has_no_pilot(sendable: int, expected: int) -> None:
    assert pilot_size(20, sendable) == expected


def test_rows_are_spread_evenly() -> None:
    assert pilot_positions([0] * 100, 4) == [12, 37, 62, 87]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=300), st.integers(1, 40))
def test_a_pilot_has_its_size_and_each_kind_as_far_as_it_reaches(kinds: list[int], size: int) -> None:
    chosen = pilot_positions(kinds, size)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(size, len(kinds))
    covered = {kinds[position] for position in chosen}
    assert len(covered) == min(len(set(kinds)), len(chosen))
    assert chosen == pilot_positions(kinds, size)


def test_a_pilot_that_succeeds_lets_the_rest_go() -> None:
    found = verdict(18, {"invalid_output": 2}, min_ok=0.9, holds=False, rest=REST, rows_left=980)
    assert (found.succeeded, found.rows, found.hold) == (18, 20, None)


def test_a_pilot_that_fails_holds_the_rest_and_says_why_and_what_it_would_cost() -> None:
    found = verdict(17, {"refusal": 1, "invalid_output": 2}, min_ok=0.9, holds=False, rest=REST, rows_left=980).hold
    assert found is not None
    assert found.by is HeldBy.PILOT
    assert "17 of 20 rows succeeded (2 invalid_output, 1 refusal)" in found.message
    assert "980 rows are left, estimated at $12.50" in found.message


def test_exactly_min_ok_of_the_rows_is_enough_whatever_the_numbers() -> None:
    for rows in range(1, 101):
        for succeeded in range(rows + 1):
            share = succeeded / rows
            found = verdict(
                succeeded, {"refusal": rows - succeeded}, min_ok=share, holds=False, rest=REST, rows_left=980
            )
            assert found.hold is None, (succeeded, rows)


def test_the_message_gives_min_ok_as_it_was_set() -> None:
    found = verdict(19, {"refusal": 1}, min_ok=0.955, holds=False, rest=REST, rows_left=980).hold
    assert found is not None
    assert "fewer than 95.5%" in found.message


def test_a_job_may_ask_to_be_held_after_any_pilot() -> None:
    found = verdict(20, {}, min_ok=0.9, holds=True, rest=Estimate(1000), rows_left=40).hold
    assert found is not None
    assert "20 of 20 rows succeeded" in found.message
    assert "unknown cost" in found.message
