"""What is left of a job's estimate while its batches are under way."""

from datetime import UTC, datetime

import pytest

from shared.domain.estimate import Estimate
from shared.domain.model import Batch, BatchState, Job, JobState, PilotPlan
from shared.pipeline.spending import left_usd

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PREPARED, SUBMITTED, COLLECTED = BatchState.PREPARED, BatchState.SUBMITTED, BatchState.COLLECTED


def job(usd: float | None, pilot: PilotPlan | None = None) -> Job:
    """A job that is under way."""
    return Job(
        job_id="20261122T101500Z-3f2a9c1b",
        prompt_file="table.csv",
        source_etag="1",
        state=JobState.RUNNING,
        created_at=NOW,
        updated_at=NOW,
        progress_at=NOW,
        estimate=Estimate(100, 100, usd),
        pilot=pilot,
    )


def batch(requests: int, state: BatchState, attempt: int = 1, *, pilot: bool = False) -> Batch:
    """One batch of it."""
    return Batch(job_id="j", index=0, attempt=attempt, state=state, model="m", url="u", requests=requests, pilot=pilot)


@pytest.mark.parametrize(
    ("batches", "left"),
    [
        ([batch(10, PREPARED)], 10.0),
        ([batch(10, COLLECTED)], 0.0),
        ([batch(8, COLLECTED), batch(2, SUBMITTED)], 2.0),
        ([batch(10, COLLECTED), batch(1, PREPARED, 2)], 1.0),
        ([batch(0, COLLECTED), batch(5, PREPARED), batch(5, SUBMITTED)], 10.0),
        ([], 0.0),
    ],
)
def test_what_is_left_is_the_share_of_the_rows_that_are_not_collected(batches: list[Batch], left: float) -> None:
    assert left_usd(job(10.0), batches) == pytest.approx(left)
    assert left_usd(job(None), batches) == 0.0


def test_until_a_pilot_is_judged_only_its_own_rows_are_under_way() -> None:
    pilot = PilotPlan(rows=2, min_ok=0.9, holds=False, rest={}, estimate=Estimate(20, 20, 3.0))
    batches = [batch(2, SUBMITTED, pilot=True), batch(8, PREPARED)]
    assert left_usd(job(10.0, pilot), batches) == pytest.approx(3.0)
    assert left_usd(job(None, pilot), batches) == pytest.approx(3.0)
    assert left_usd(job(10.0, pilot), [batch(2, COLLECTED, pilot=True), *batches[1:]]) == 0.0


def test_after_a_pilot_the_estimate_covers_the_rows_that_are_left() -> None:
    pilot = PilotPlan(rows=2, min_ok=0.9, holds=False, rest={}, judged=True)
    batches = [batch(2, COLLECTED, pilot=True), batch(4, COLLECTED), batch(4, SUBMITTED)]
    assert left_usd(job(8.0, pilot), batches) == pytest.approx(4.0)
