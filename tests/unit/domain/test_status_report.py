"""What status.json says of a job, from its row and its batches alone."""

from typing import Any

import pytest

from shared.domain.model import BatchState, JobState
from shared.domain.status_report import answered, report
from tests.unit.domain.test_lifecycle import NOW, batch, job

S, E, C = BatchState.SUBMITTED, BatchState.ENDED, BatchState.COLLECTED


def _attempt(number: int, state: BatchState, requests: int, completed: int, failed: int, **more: Any) -> Any:
    return batch(state=state, attempt=number, requests=requests, counts=(requests, completed, failed), **more)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], 0),
        ([_attempt(1, S, 10, 3, 1)], 4),
        ([_attempt(1, E, 10, 9, 1)], 10),
        ([_attempt(1, C, 10, 6, 4, followed=4), _attempt(2, S, 4, 1, 0)], 10),
        ([_attempt(1, C, 10, 6, 0, followed=4), _attempt(2, S, 4, 3, 0)], 9),
        ([_attempt(1, S, 10, 3, 1), _attempt(1, E, 5, 5, 0, index=1)], 9),
        ([_attempt(1, E, 100, 100, 0)], 20),
    ],
    ids=["none", "under way", "ended", "asked again", "expired", "two files", "counted too high"],
)
def test_answered_counts_each_row_once_however_often_it_was_asked(batches: list[Any], expected: int) -> None:
    assert answered(job(rows_total=20), batches) == expected


def test_answers_kept_from_an_earlier_job_are_counted() -> None:
    assert answered(job(rows_total=20, rows_carried_over=15), [_attempt(1, S, 5, 2, 0)]) == 17


@pytest.mark.parametrize("held_by", ["", "input_tokens"])
def test_a_held_job_says_what_holds_it_also_where_version_1_0_0_held_it(held_by: str) -> None:
    held = job(state=JobState.HELD, held_by=held_by, built=True)
    assert report(held, (), NOW)["held_by"] == "input_tokens"
    assert report(job(state=JobState.HELD, held_by=held_by, built=True, cancelled=True), (), NOW)["held_by"] is None
