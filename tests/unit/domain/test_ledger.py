"""The month's money, added up."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ledger import (
    Entry,
    Month,
    OutputTokens,
    Standing,
    charges_by_month,
    month_of,
    outputs_by_key,
    standing,
)

AMOUNTS = st.integers(0, 1000).map(float)
ENTRIES = st.builds(
    Entry,
    st.uuids().map(str),
    st.dictionaries(st.sampled_from(["2026-10", "2026-11"]), AMOUNTS),
    reserved=AMOUNTS,
)


def test_months_are_counted_in_utc() -> None:
    early = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert month_of(early) == "2026-11"
    assert month_of(datetime(2026, 12, 1, tzinfo=UTC)) == "2026-12"


def test_a_job_under_way_counts_with_what_it_was_charged_and_what_is_left_of_its_estimate() -> None:
    entry = Entry("a", {"2026-10": 1.0, "2026-11": 2.0}, reserved=10.0)
    assert standing(Month("2026-11", 5.0), [entry]) == Standing(7.0, 7.0)


def test_a_job_dearer_than_its_estimate_counts_with_what_it_cost() -> None:
    assert standing(Month("2026-11"), [Entry("a", {"2026-11": 12.0}, reserved=10.0)]) == Standing(12.0, 0.0)


def test_a_held_or_ended_job_counts_with_what_it_was_charged_alone() -> None:
    assert standing(Month("2026-11"), [Entry("a", {"2026-11": 3.0})]).committed == 3.0


def test_a_jobs_own_entry_can_be_left_out() -> None:
    assert (
        standing(Month("2026-11"), [Entry("a", reserved=3.0), Entry("b", reserved=4.0)], without="a").committed == 4.0
    )


@given(st.lists(ENTRIES, unique_by=lambda entry: entry.job_id), st.lists(ENTRIES, unique_by=lambda entry: entry.job_id))
def test_folding_ended_jobs_into_the_month_changes_no_total(going_on: list[Entry], over: list[Entry]) -> None:
    ended = [Entry(entry.job_id, entry.charged, 0.0, ended=True) for entry in over]
    month = Month("2026-11", 7.0)
    folded = Month(month.name, month.spent + charges_by_month(ended).get(month.name, 0.0))
    assert standing(folded, going_on) == standing(month, [*going_on, *ended])


def test_output_tokens_of_several_jobs_have_one_mean() -> None:
    entries = [
        Entry("a", outputs={"k": OutputTokens(30, 1)}),
        Entry("b", outputs={"k": OutputTokens(90, 5), "l": OutputTokens(7, 1)}),
    ]
    assert outputs_by_key(entries) == {"k": OutputTokens(120, 6), "l": OutputTokens(7, 1)}
    assert outputs_by_key(entries)["k"].mean == 20
    assert OutputTokens().mean is None
