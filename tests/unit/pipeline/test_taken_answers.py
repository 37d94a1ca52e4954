"""The rows that take earlier answers: in their own order, and by the order of the earlier jobs' rows."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.pipeline.build import taken_answers
from shared.pipeline.build.answer_index import FullError
from shared.pipeline.build.taken_answers import TakenAnswers, Wanted


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[TakenAnswers]:
    with closing(TakenAnswers(tmp_path / "taken")) as opened:
        yield opened


def wanted(row: int, job: int, earlier: int) -> Wanted:
    """A row that takes the answer of an earlier job's row."""
    return row, f"id-{row}", 0, bytes(16), job, earlier


def rows(taken: TakenAnswers, job: int, places: range) -> list[tuple[int, int, int]]:
    return [(one.place, one.row, one.earlier) for one in taken.of_job(job, places)]


def test_rows_have_places_in_the_order_in_which_they_came(taken: TakenAnswers) -> None:
    taken.add([wanted(5, 1, 10), wanted(6, 2, 3)])
    taken.add([wanted(9, 1, 11)])

    assert len(taken) == 3
    assert taken.jobs(range(3)) == [1, 2]
    assert taken.jobs(range(2, 3)) == [1]
    assert rows(taken, 1, range(3)) == [(0, 5, 10), (2, 9, 11)]
    assert taken.is_in_order


def test_answers_that_are_taken_out_of_order_come_in_the_order_of_the_earlier_rows(taken: TakenAnswers) -> None:
    taken.add([wanted(1, 1, 30), wanted(2, 1, 10), wanted(3, 1, 20), wanted(4, 1, 10)])

    assert not taken.is_in_order
    assert rows(taken, 1, range(4)) == [(1, 2, 10), (3, 4, 10), (2, 3, 20), (0, 1, 30)]


def test_it_begins_anew_once_it_is_emptied(taken: TakenAnswers) -> None:
    taken.add([wanted(1, 1, 30), wanted(2, 1, 10)])
    taken.clear()
    taken.add([wanted(3, 1, 5)])

    assert (len(taken), taken.is_in_order, rows(taken, 1, range(1))) == (1, True, [(0, 3, 5)])


def test_where_it_is_full_none_of_the_last_rows_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_answers, "DISK", 16 * 4096)
    blocks = ([wanted(row, 1, row) for row in range(first, first + 100)] for first in range(0, 100_000, 100))
    with closing(TakenAnswers(tmp_path / "taken")) as taken:
        with pytest.raises(FullError):
            list(map(taken.add, blocks))
        count = len(taken)

        assert 0 < count < 100_000
        assert rows(taken, 1, range(100_000))[-1] == (count - 1, count - 1, count - 1)
        assert (tmp_path / "taken").stat().st_size <= 16 * 4096
        taken.clear()
        taken.add([wanted(7, 1, 7)])
        assert len(taken) == 1
