"""Which rows go into which batch: each row once, within the limits, in order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.model import RequestBlock
from shared.requests.batch_cutter import BatchCutter
from shared.requests.request_lines import block_of, part_of


def request(row: int, size: int = 9, model: str = "m", url: str = "/v1/responses") -> RequestBlock:
    return block_of((row,), (f"row-{row}",), model, url, (b"x" * size,), (-1,))


def place(cutter: BatchCutter, block: RequestBlock) -> tuple[int, tuple[int, ...]]:
    """Where a block of one goes, and which batches are closed before."""
    (placement,) = cutter.place(block)
    assert placement.block == block
    return placement.index, placement.closes


def test_rows_of_one_kind_share_a_batch() -> None:
    cutter = BatchCutter(10, 1000)
    assert [place(cutter, request(row)) for row in (1, 2, 3)] == [(0, ())] * 3


def test_a_batch_is_closed_before_it_has_too_many_requests() -> None:
    cutter = BatchCutter(2, 1000)
    placed = [place(cutter, request(row)) for row in range(5)]
    assert placed == [(0, ()), (0, ()), (1, (0,)), (1, ()), (2, (1,))]


def test_a_batch_may_be_filled_to_the_last_byte_line_ends_counted() -> None:
    cutter = BatchCutter(100, 30)
    assert [place(cutter, request(row, 9))[0] for row in range(4)] == [0, 0, 0, 1]
    cutter = BatchCutter(100, 29)
    assert [place(cutter, request(row, 9))[0] for row in range(3)] == [0, 0, 1]


def test_models_and_urls_have_batches_of_their_own() -> None:
    cutter = BatchCutter(10, 1000)
    kinds = [("a", "/v1/responses"), ("b", "/v1/responses"), ("a", "/chat/completions"), ("b", "/v1/responses")]
    placed = [place(cutter, request(1, 9, model, url)) for model, url in kinds]
    assert placed == [(0, ()), (1, ()), (2, ()), (1, ())]


def test_the_longest_unused_batch_is_closed_where_too_many_are_open() -> None:
    cutter = BatchCutter(10, 1000, max_open=2)
    placed = [place(cutter, request(1, 9, model)) for model in "abaca"]
    assert placed == [(0, ()), (1, ()), (0, ()), (2, (1,)), (0, ())]


def test_a_row_that_fits_no_batch_is_an_error() -> None:
    assert place(BatchCutter(1, 10), request(1, 9)) == (0, ())
    with pytest.raises(ValueError, match="row 7 has 11 bytes, a batch 10 at most"):
        place(BatchCutter(1, 10), request(7, 10))


def test_a_large_row_within_a_block_is_an_error_that_names_it() -> None:
    block = block_of((7, 8), ("a", "b"), "m", "u", (b"x", b"x" * 10), (-1, -1))
    with pytest.raises(ValueError, match="row 8 has 11 bytes, a batch 10 at most"):
        list(BatchCutter(5, 10).place(block))


KINDS = st.sampled_from([("a", "u"), ("b", "u"), ("c", "u"), ("a", "v"), ("b", "v"), ("d", "v")])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 40), min_size=1, max_size=8), KINDS), max_size=40),
    st.integers(1, 6),
    st.integers(41, 90),
    st.integers(1, 4),
)
def test_every_request_is_placed_once_within_limits_and_in_order(
    blocks: list[tuple[list[int], tuple[str, str]]], max_requests: int, max_bytes: int, max_open: int
) -> None:
    cutter = BatchCutter(max_requests, max_bytes, max_open)
    files: dict[int, list[RequestBlock]] = {}
    opened: set[int] = set()
    row = 0
    for sizes, (model, url) in blocks:
        for placement in cutter.place(several(row, sizes, model, url)):
            assert opened >= set(placement.closes)
            opened -= set(placement.closes)
            assert placement.index in opened or placement.index == len(files), "numbered as opened, never reopened"
            opened.add(placement.index)
            assert len(opened) <= max_open
            files.setdefault(placement.index, []).append(placement.block)
        row += len(sizes)
    assert sorted(each for file in files.values() for block in file for each in block.rows) == list(range(row))
    for file in files.values():
        rows = [each for block in file for each in block.rows]
        assert len({(block.model, block.url) for block in file}) == 1
        assert len(rows) <= max_requests
        assert sum(len(block.text) for block in file) <= max_bytes
        assert rows == sorted(rows)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 40), min_size=1, max_size=8), KINDS), max_size=40),
    st.integers(1, 6),
    st.integers(41, 90),
    st.integers(1, 4),
)
def test_blocks_are_placed_as_one_request_after_another(
    blocks: list[tuple[list[int], tuple[str, str]]], max_requests: int, max_bytes: int, max_open: int
) -> None:
    whole, single = (BatchCutter(max_requests, max_bytes, max_open) for _ in range(2))
    row = 0
    for sizes, (model, url) in blocks:
        block = several(row, sizes, model, url)
        row += len(sizes)
        ones = [part_of(block, place, place + 1) for place in range(len(sizes))]
        one_by_one = [placement for one in ones for placement in single.place(one)]
        of_block = list(whole.place(block))
        assert [(p.index, r) for p in of_block for r in p.block.rows] == [
            (p.index, r) for p in one_by_one for r in p.block.rows
        ]
        assert [p.closes for p in of_block if p.closes] == [p.closes for p in one_by_one if p.closes]
        assert b"".join(p.block.text for p in of_block) == block.text
        assert sum(p.block.input_tokens for p in of_block) == block.input_tokens


def several(row: int, sizes: list[int], model: str, url: str) -> RequestBlock:
    rows = range(row, row + len(sizes))
    return block_of(rows, [f"row-{r}" for r in rows], model, url, [b"x" * size for size in sizes], [-1] * len(sizes))
