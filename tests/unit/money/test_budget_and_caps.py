"""Caps: what is held, by which cap, and what its message tells."""

import pytest

from shared.domain.estimate import Basis, Estimate, HeldBy
from shared.money.budget_and_caps import Caps, dollars, hold, lower_cap

KNOWN = Estimate(1000, 500, 2.0, Basis.HISTORY)
UNKNOWN = Estimate(1000)
UNPRICED = Estimate(1000, 500, None, Basis.CAP, priced=False)


@pytest.mark.parametrize(
    ("caps", "committed", "expected"),
    [
        (Caps(), 0.0, None),
        (Caps(job_usd=2.0), 0.0, None),
        (Caps(job_usd=1.99), 0.0, HeldBy.COST),
        (Caps(month_usd=10.0), 8.0, None),
        (Caps(month_usd=10.0), 8.01, HeldBy.BUDGET),
        (Caps(job_usd=1.0, month_usd=1.0), 0.0, HeldBy.COST),
        (Caps(input_tokens=1000), 0.0, None),
        (Caps(input_tokens=999), 0.0, HeldBy.INPUT_TOKENS),
        (Caps(job_usd=0.0), 0.0, HeldBy.COST),
    ],
)
def test_a_job_is_held_by_the_first_cap_that_it_would_pass(
    caps: Caps, committed: float, expected: HeldBy | None
) -> None:
    found = hold(KNOWN, caps, committed=committed)
    assert (found.by if found else None) == expected


def test_what_the_job_has_cost_counts_beside_what_is_left() -> None:
    assert hold(KNOWN, Caps(job_usd=3.0), charged=1.0) is None
    found = hold(KNOWN, Caps(job_usd=3.0), charged=1.5)
    assert found is not None
    assert "$1.50 spent so far" in found.message


@pytest.mark.parametrize(
    ("estimate", "caps", "by", "words"),
    [
        (UNKNOWN, Caps(job_usd=5.0), HeldBy.COST, ("output tokens", "max_completion_tokens", '"pilot": 20')),
        (UNKNOWN, Caps(month_usd=5.0), HeldBy.BUDGET, ("output tokens",)),
        (UNPRICED, Caps(job_usd=5.0), HeldBy.COST, ("price of the model", "DEPLOYMENT_MODELS")),
        (
            Estimate(1000, priced=False),
            Caps(job_usd=5.0),
            HeldBy.COST,
            ("tokens and the price of the model are", "max_completion_tokens", '"pilot": 20', "DEPLOYMENT_MODELS"),
        ),
    ],
)
def test_a_capped_job_of_unknown_cost_is_held_and_told_what_is_missing(
    estimate: Estimate, caps: Caps, by: HeldBy, words: tuple[str, ...]
) -> None:
    found = hold(estimate, caps)
    assert found is not None
    assert found.by is by
    assert all(word in found.message for word in words)
    assert "release the job" in found.message


def test_a_job_of_unknown_cost_runs_its_pilot_first_where_that_is_under_the_cap() -> None:
    assert hold(UNKNOWN, Caps(job_usd=1.0), pilot=Estimate(10, 100, 0.9, Basis.CAP)) is None
    found = hold(UNKNOWN, Caps(job_usd=1.0), pilot=Estimate(10, 100, 1.1, Basis.CAP))
    assert found is not None
    assert found.by is HeldBy.COST
    assert "Its pilot alone may cost $1.10." in found.message
    assert hold(UNPRICED, Caps(job_usd=1.0), pilot=Estimate(10, 100, None, Basis.CAP)) is not None


def test_without_caps_on_cost_an_unknown_cost_holds_nothing() -> None:
    assert hold(UNKNOWN, Caps(input_tokens=1000)) is None


@pytest.mark.parametrize(
    ("app", "job", "expected"),
    [(None, None, None), (5.0, None, 5.0), (None, 3.0, 3.0), (5.0, 3.0, 3.0), (3.0, 5.0, 3.0)],
)
def test_the_jobs_own_cap_can_only_lower_the_apps(app: float | None, job: float | None, expected: float | None) -> None:
    assert lower_cap(app, job) == expected


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "$0.00"), (1234.5, "$1,234.50"), (0.5, "$0.5000"), (0.00012, "$0.0001"), (0.00001, "less than $0.0001")],
)
def test_amounts_are_written_for_people(usd: float, text: str) -> None:
    assert dollars(usd) == text
