"""The index of earlier answers: what is found in it, which answer counts, and what happens where it is full."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pipeline.build import answer_index
from shared.pipeline.build.answer_index import Answered, AnswerIndex, FullError


def of(text: object) -> bytes:
    """A hash, as of a request."""
    return hashlib.blake2b(str(text).encode(), digest_size=16).digest()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[AnswerIndex]:
    with AnswerIndex(tmp_path / "index") as opened:
        yield opened


def filled(index: AnswerIndex, rows: int, *, job: int = 1, first: int = 0) -> int:
    """Add answers until there are so many or no room is left; return how many were added."""
    for start in range(first, first + rows, 512):
        some = [Answered(of(row), 5, job, row) for row in range(start, min(start + 512, first + rows))]
        try:
            index.add(some)
            index.flush()
        except FullError:
            return start - first
    return rows


def test_what_was_added_is_found_with_its_job_and_row(index: AnswerIndex) -> None:
    job = index.add_job("first")
    index.add([Answered(of(row), 7, job, row) for row in range(10)])
    index.flush()

    assert index.find([of(3), of("absent"), of(9)]) == {of(3): (job, 3), of(9): (job, 9)}
    assert index.find([]) == {}
    assert len(index) == 10


def test_jobs_are_numbered_in_their_order(index: AnswerIndex) -> None:
    numbers = [index.add_job(name) for name in ("newest", "older", "oldest")]
    assert index.jobs() == dict(zip(numbers, ("newest", "older", "oldest"), strict=True))


def test_of_several_answers_the_one_paid_for_last_counts_and_of_those_the_first_that_was_added(
    index: AnswerIndex,
) -> None:
    for job, paid_at in ((1, 20), (2, 30), (3, 30), (4, 10)):
        index.add([Answered(of("same"), paid_at, job, job * 100)])
        index.flush()

    assert index.find([of("same")]) == {of("same"): (2, 200)}
    assert len(index) == 1


def test_the_same_counts_where_all_are_put_into_the_file_at_once(index: AnswerIndex) -> None:
    index.add([Answered(of("same"), paid_at, job, job * 100) for job, paid_at in ((1, 20), (2, 30), (4, 10))])
    index.flush()
    assert index.find([of("same")]) == {of("same"): (2, 200)}


def test_the_file_tells_another_worker_the_same(tmp_path: Path) -> None:
    with AnswerIndex(tmp_path / "index") as written:
        written.add([Answered(of(1), 7, written.add_job("first"), 1)])
        written.flush()
        written.left_out = 12
    (tmp_path / "copy").write_bytes((tmp_path / "index").read_bytes())

    with AnswerIndex(tmp_path / "copy") as read:
        assert (read.find([of(1)]), read.jobs(), read.left_out) == ({of(1): (1, 1)}, {1: "first"}, 12)


def test_a_full_index_keeps_what_it_has_and_stays_within_its_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_index, "DISK", 256 * 1024)
    with AnswerIndex(tmp_path / "index") as index:
        added = filled(index, 20_000)

        assert 0 < added < 20_000
        assert len(index) == added
        assert len(index.find([of(row) for row in range(added)])) == added
        index.left_out = 20_000 - added
        assert index.left_out == 20_000 - added
    assert (tmp_path / "index").stat().st_size <= 256 * 1024


def test_it_has_room_for_two_million_answers(tmp_path: Path) -> None:
    with AnswerIndex(tmp_path / "index") as index:
        filled(index, 100_000)

    assert (tmp_path / "index").stat().st_size / 100_000 * 2_000_000 < answer_index.DISK


@pytest.mark.parametrize("change", [lambda data: b"not a database" * 100, lambda data: data[: len(data) // 2]])
def test_a_damaged_file_is_an_error_and_never_a_wrong_answer(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    with AnswerIndex(tmp_path / "index") as index:
        filled(index, 5_000)
    data = (tmp_path / "index").read_bytes()
    (tmp_path / "index").write_bytes(change(data))

    with pytest.raises(sqlite3.DatabaseError), AnswerIndex(tmp_path / "index") as damaged:
        damaged.find([of(row) for row in range(5_000)])


ANSWERS = st.lists(
    st.builds(Answered, st.integers(0, 5).map(of), st.integers(0, 4), st.integers(1, 3), st.integers(1, 9)), max_size=30
)


@given(st.lists(ANSWERS, max_size=4))
def test_it_finds_what_a_dictionary_would(parts: list[list[Answered]]) -> None:
    expected: dict[bytes, Answered] = {}
    for answered in (one for part in parts for one in sorted(part)):
        if answered.request not in expected or expected[answered.request].paid_at < answered.paid_at:
            expected[answered.request] = answered
    with tempfile.TemporaryDirectory() as folder, AnswerIndex(Path(folder) / "index") as index:
        for part in parts:
            index.add(part)
            index.flush()
        found = index.find([of(number) for number in range(6)])

    assert found == {request: (answered.job, answered.row) for request, answered in expected.items()}
