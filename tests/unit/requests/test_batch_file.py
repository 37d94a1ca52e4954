"""A batch's input file and its list of rows: what is written side by side is read back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import blob_names
from shared.domain.model import Batch, BatchState, RequestBlock, SentRow
from shared.domain.ports import Container
from shared.requests.batch_file import READ, BatchFileWriter, read_requests, read_rows, row_list
from shared.requests.request_lines import block_of
from testing.fakes import FakeClock, MemoryFiles

BATCH = Batch(
    job_id="20261122T101500Z-3f2a9c1b", index=0, attempt=1, state=BatchState.PREPARED, model="m", url="u", requests=0
)
LINES = (b'{"n":3}\n', b'{"body":{"max_tokens":100}}\r\n', b'{"body":{"max_tokens":7}}')
TOKENS = st.integers(0, 100_000)
ROWS = (b'[3,"c",0]', b'[5,"e",-1]', b'[9,"i",1]')


class TestRowList:
    def test_a_line_is_a_compact_array(self) -> None:
        assert row_list(block_of((1, 2), ("task-0", "row-2"), "m", "u", (b"", b""), (0, -1))) == (
            b'[1,"task-0",0]\n[2,"row-2",-1]\n'
        )

    def test_tokens_of_images_are_the_fourth_where_there_are_any(self) -> None:
        assert row_list(block_of((1, 2), ("a", "b"), "m", "u", (b"", b""), (0, -1), (0, 765))) == (
            b'[1,"a",0,0]\n[2,"b",-1,765]\n'
        )

    @given(st.lists(st.builds(SentRow, st.integers(1, 10**9), st.text(), st.integers(-1, 10**6), TOKENS), min_size=1))
    def test_reading_gives_what_was_written(self, rows: list[SentRow]) -> None:
        numbers, ids, schemas, images = zip(*rows, strict=True)
        text = row_list(block_of(numbers, ids, "m", "u", [b""] * len(rows), schemas, images if any(images) else ()))
        assert text.endswith(b"\n")
        assert text.count(b"\n") == len(rows)
        assert list(read_rows(text.split(b"\n"))) == rows


class TestReading:
    def test_gives_the_requests_in_order_without_line_ends(self) -> None:
        (block,) = read_requests(BATCH, LINES, ROWS)
        assert block == block_of((3, 5, 9), ("c", "e", "i"), "m", "u", [line.strip() for line in LINES], (0, -1, 1))

    def test_images_keep_the_tokens_that_were_counted_when_their_request_was_built(self) -> None:
        image = b'{"url":"data:image/png;base64,' + b"A" * 40_000 + b'"}'
        rows = (b'[3,"c",0]', b'[5,"e",-1,765]')
        (block,) = read_requests(BATCH, (b"{}", image), rows)
        assert block.image_tokens == (0, 765)
        assert block.input_tokens < 765 + 20
        assert len(block.wordings[1]) < 40

    def test_lines_and_rows_that_differ_in_number_are_an_error(self) -> None:
        with pytest.raises(ValueError, match=r"longer|shorter"):
            list(read_requests(BATCH, LINES, ROWS[:2]))
        with pytest.raises(ValueError, match=r"longer|shorter"):
            list(read_requests(BATCH, LINES[:2], ROWS))

    def test_blocks_are_small_however_long_the_file_or_its_lines(self) -> None:
        rows = [f'[{row},"r",0]'.encode() for row in range(1, 1001)]
        assert [len(block.ids) for block in read_requests(BATCH, [b"{}"] * 1000, rows)] == [READ, 1000 - READ]
        large = [b"x" * 600_000] * 5
        assert [len(block.ids) for block in read_requests(BATCH, large, rows[:5])] == [2, 2, 1]


class TestBatchFileWriter:
    BLOCKS = (
        block_of((1, 2), ("a", "b"), "m", "u", (b'{"n":1}', b'{"n":2}'), (0, 1)),
        block_of((7,), ("g",), "m", "u", (b'{"n":7}',), (-1,)),
    )

    def test_writes_both_blobs_and_counts_what_they_hold(self) -> None:
        files = MemoryFiles(FakeClock())
        writer = BatchFileWriter.begin(files, BATCH)
        assert writer.is_empty
        for block in self.BLOCKS:
            writer.add(block)
        assert not writer.is_empty
        assert writer.commit() == replace(BATCH, requests=3, size=24, input_tokens=6)
        assert self.read_back(files) == self.joined(*self.BLOCKS)

    def test_neither_blob_is_seen_before_it_is_committed(self) -> None:
        files = MemoryFiles(FakeClock())
        BatchFileWriter.begin(files, BATCH).add(self.BLOCKS[0])
        for name in (blob_names.batch_input(BATCH), blob_names.batch_rows(BATCH)):
            assert files.info(Container.WORK, name) is None

    def read_back(self, files: MemoryFiles) -> RequestBlock:
        names = blob_names.batch_input(BATCH), blob_names.batch_rows(BATCH)
        lines, rows = (b"".join(files.read(Container.WORK, name)).splitlines() for name in names)
        (block,) = read_requests(BATCH, lines, rows)
        return block

    def joined(self, *blocks: RequestBlock) -> RequestBlock:
        return block_of(
            tuple(row for block in blocks for row in block.rows),
            tuple(id_ for block in blocks for id_ in block.ids),
            "m",
            "u",
            [line for block in blocks for line in block.lines],
            tuple(schema for block in blocks for schema in block.schemas),
        )
