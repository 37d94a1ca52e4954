"""Which rows go into which batch, and what follow-ups take: each row once, within the limits, in order."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.model import Request, SentRow
from shared.requests.batch_file import CustomIds, Placement, Shards, follow_up, raise_cap, read_rows, row_line


def request(row: int, size: int = 9, model: str = "m", url: str = "/v1/responses") -> Request:
    return Request(row, f"row-{row}", model, url, b"x" * size, -1, 1)


class TestShards:
    def test_rows_of_one_kind_share_a_batch(self) -> None:
        shards = Shards(10, 1000)
        assert [shards.place(request(row)) for row in (1, 2, 3)] == [Placement(0)] * 3

    def test_a_batch_is_closed_before_it_has_too_many_requests(self) -> None:
        shards = Shards(2, 1000)
        placed = [shards.place(request(row)) for row in range(5)]
        assert placed == [Placement(0), Placement(0), Placement(1, (0,)), Placement(1), Placement(2, (1,))]

    def test_a_batch_may_be_filled_to_the_last_byte_line_ends_counted(self) -> None:
        shards = Shards(100, 30)
        assert [shards.place(request(row, 9)).index for row in range(4)] == [0, 0, 0, 1]
        shards = Shards(100, 29)
        assert [shards.place(request(row, 9)).index for row in range(3)] == [0, 0, 1]

    def test_models_and_urls_have_batches_of_their_own(self) -> None:
        shards = Shards(10, 1000)
        kinds = [("a", "/v1/responses"), ("b", "/v1/responses"), ("a", "/chat/completions"), ("b", "/v1/responses")]
        placed = [shards.place(request(1, 9, model, url)) for model, url in kinds]
        assert placed == [Placement(0), Placement(1), Placement(2), Placement(1)]

    def test_the_longest_unused_batch_is_closed_where_too_many_are_open(self) -> None:
        shards = Shards(10, 1000, max_open=2)
        placed = [shards.place(request(1, 9, model)) for model in "abaca"]
        assert placed == [Placement(0), Placement(1), Placement(0), Placement(2, (1,)), Placement(0)]

    def test_a_row_that_fits_no_batch_is_an_error(self) -> None:
        assert Shards(1, 10).place(request(1, 9)) == Placement(0)
        with pytest.raises(ValueError, match="row 7 has 11 bytes, a batch 10 at most"):
            Shards(1, 10).place(request(7, 10))

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abcd"), st.sampled_from(["u", "v"])), max_size=80),
        st.integers(1, 6),
        st.integers(41, 90),
        st.integers(1, 4),
    )
    def test_every_request_is_placed_once_within_limits_and_in_order(
        self, rows: list[tuple[int, str, str]], max_requests: int, max_bytes: int, max_open: int
    ) -> None:
        shards = Shards(max_requests, max_bytes, max_open)
        files: dict[int, list[Request]] = {}
        opened: set[int] = set()
        for number, (size, model, url) in enumerate(rows):
            each = request(number, size, model, url)
            placement = shards.place(each)
            assert opened >= set(placement.closes)
            opened -= set(placement.closes)
            assert placement.index in opened or placement.index == len(files), "numbered as opened, never reopened"
            opened.add(placement.index)
            assert len(opened) <= max_open
            files.setdefault(placement.index, []).append(each)
        assert sorted(each.row for file in files.values() for each in file) == list(range(len(rows)))
        for file in files.values():
            assert len({(each.model, each.url) for each in file}) == 1
            assert len(file) <= max_requests
            assert sum(len(each.line) + 1 for each in file) <= max_bytes
            assert [each.row for each in file] == sorted(each.row for each in file)


class TestCustomIds:
    @given(st.lists(st.lists(st.text(min_size=1, max_size=3) | st.integers(0, 50).map(str), max_size=50), max_size=8))
    def test_all_but_the_first_use_of_an_id_are_repeated(self, blocks: list[list[str]]) -> None:
        known, seen = CustomIds(), set[str]()
        for ids in blocks:
            again = known.repeated(ids)
            assert again == [place for place, each in enumerate(ids) if each in seen or each in ids[:place]]
            seen.update(ids)

    def test_many_ids_take_22_bytes_each_at_most(self) -> None:
        known = CustomIds()
        for count in range(1000, 410_000, 1000):
            assert not known.repeated([f"task-{number}" for number in range(count - 1000, count)])
            assert count < 100_000 or known.memory <= 22 * count
        assert len(known.repeated([f"task-{number}" for number in range(409_000)])) == 409_000

    def test_half_a_surrogate_pair_is_an_id_too(self) -> None:
        assert CustomIds().repeated(["\ud800", "\ud800", "\ud801"]) == [1]


class TestRowList:
    def test_a_line_is_a_compact_array(self) -> None:
        assert row_line(SentRow(1, "task-0", 0)) == b'[1,"task-0",0]'

    @given(st.lists(st.builds(SentRow, st.integers(1, 10**9), st.text(), st.integers(-1, 10**6))))
    def test_reading_gives_what_was_written(self, rows: list[SentRow]) -> None:
        text = b"".join(row_line(row) + b"\n" for row in rows)
        assert list(read_rows(text.split(b"\n"))) == rows
        assert all(b"\n" not in row_line(row) for row in rows)


class TestFollowUp:
    ROWS = (SentRow(3, "c", 0), SentRow(5, "e", -1), SentRow(9, "i", 1))
    LINES = (b'{"n":3}\n', b'{"body":{"max_tokens":100}}\r\n', b'{"body":{"max_tokens":7}}')

    def test_takes_the_kept_rows_in_order_without_line_ends(self) -> None:
        assert list(follow_up(self.LINES, self.ROWS, {9, 3, 4})) == [
            (b'{"n":3}', self.ROWS[0]),
            (b'{"body":{"max_tokens":7}}', self.ROWS[2]),
        ]

    def test_doubles_the_cap_of_rows_that_were_cut_off_only(self) -> None:
        lines = [line for line, _ in follow_up(self.LINES, self.ROWS, {5, 9}, raised={5})]
        assert lines == [b'{"body":{"max_tokens":200}}', b'{"body":{"max_tokens":7}}']

    def test_leaves_out_rows_that_were_cut_off_without_a_cap(self) -> None:
        assert [row.row for _, row in follow_up(self.LINES, self.ROWS, {3, 5}, raised={3, 5})] == [5]

    def test_lines_and_rows_that_differ_in_number_are_an_error(self) -> None:
        with pytest.raises(ValueError, match=r"longer|shorter"):
            list(follow_up(self.LINES, self.ROWS[:2], {3}))
        with pytest.raises(ValueError, match=r"longer|shorter"):
            list(follow_up(self.LINES[:2], self.ROWS, {3}))


class TestRaiseCap:
    @pytest.mark.parametrize("cap", ["max_completion_tokens", "max_tokens", "max_output_tokens"])
    def test_doubles_the_cap_and_nothing_else(self, cap: str) -> None:
        body: dict[str, Any] = {"model": "m", cap: 300, "messages": [{"content": "max_tokens é\u2028"}], "n": 1}
        line = orjson.dumps({"custom_id": "a", "body": body, "url": "u"})
        raised = raise_cap(line)
        assert raised == orjson.dumps({"custom_id": "a", "body": body | {cap: 600}, "url": "u"})

    def test_all_caps_of_a_request_are_doubled(self) -> None:
        raised = raise_cap(b'{"body":{"max_tokens":1,"max_completion_tokens":2}}')
        assert raised == b'{"body":{"max_tokens":2,"max_completion_tokens":4}}'

    @pytest.mark.parametrize(
        "line",
        [
            b'{"body":{"model":"m"}}',
            b'{"body":{"max_tokens":null}}',
            b'{"body":{"max_tokens":"9"}}',
            b'{"body":{"max_tokens":true}}',
            b'{"max_tokens":5}',
            b'{"body":[]}',
            b"[]",
        ],
    )
    def test_without_a_cap_there_is_none_to_raise(self, line: bytes) -> None:
        assert raise_cap(line) is None
