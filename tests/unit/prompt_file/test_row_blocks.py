"""Rows that are alike are read many at a time: the same rows and the same faults as one by one."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain.errors import JobFault
from shared.domain.model import JobCode, Record, RowBlock
from shared.prompt_file import form_of, open_prompt_file
from shared.prompt_file.json_record import parse_record
from testing.paths import DATA
from testing.reading import Reading, pieces, read

CORPUS = DATA / "prompt_files"

CELLS = st.sampled_from(["", "1", "x y", " ", '"a,b"', '"two\nlines"', '"say ""no"""', "\u2028", "\0", '5" tall'])
ODD_ROWS = st.sampled_from(
    ["", " ", ",", ",,", "1", "1,2,3", "1,2,3,4,5", "a\rb,1", "1,2\r", '"open', '""', '1,"\n\n"']
)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3).map(",".join) | ODD_ROWS, max_size=30)

VALUES = st.sampled_from(['"x"', '"\\ud83d\\udcce"', "null", "true", "7", "1.5", "18446744073709551615", "1e400", '""'])
ALIKE = st.tuples(VALUES, VALUES).map(lambda cells: f'{{"a": {cells[0]}, "b": {cells[1]}}}')
ODD_LINES = st.sampled_from(
    [
        "",
        " ",
        "{}",
        "[]",
        "7",
        "{",
        '{"b": 1, "a": 2}',
        '{"a": 1, "b": 99999999999999999999}',
        '{"a": 1.0000000000000000000000001, "b": "2"}',
        '{"a": 123456789012345678901234567890, "b": "2"}',
        '{"a": [1], "b": {"c": 2}}',
        '{"a": ' + "[" * 220 + "]" * 220 + ', "b": 1}',
        '{"url": "u", "body": {}}',
        '{"error": {"code": "c", "row": 1}, "source": "{\\"a\\": 1}", "custom_id": "z"}',
        '{"error": "mine", "source": "yours"}',
        '{"a": "\\ud800", "b": 1}',
        '{"a": 1, "a": 2}',
    ]
)
LINES = st.lists(ALIKE | ODD_LINES, max_size=30)


def row_blocks(name: str, data: bytes) -> list[RowBlock | Record]:
    """A file's rows as they are read."""
    form = form_of(name)
    assert form is not None
    return list(open_prompt_file(form, pieces(data, 1 << 20)).row_blocks)


def outcome(reading: Reading) -> Any:
    return reading.headers, reading.records, reading.fault, reading.message, reading.notes


def table(rows: int) -> bytes:
    return b"a,b\n" + b"".join(b"%d,x\n" % row for row in range(rows))


def test_rows_that_are_alike_come_in_row_blocks_of_some_hundred() -> None:
    found = row_blocks("a.csv", table(2000))

    assert all(isinstance(each, RowBlock) for each in found)
    assert [each.row for each in found] == [1, 513, 1025, 1537]
    assert found[0] == RowBlock(1, ("a", "b"), [[str(row), "x"] for row in range(512)])


def test_json_lines_with_the_same_keys_and_plain_values_come_in_row_blocks() -> None:
    lines = b'{"a": "x", "b": null}\n{"a": 1.5, "b": true}\n'

    assert row_blocks("a.jsonl", lines) == [RowBlock(1, ("a", "b"), [("x", None), (1.5, True)])]


@pytest.mark.parametrize("odd", [b"1,2,3\n", b"1\n", b"\n", b"x\ry,1\n"])
def test_an_odd_row_costs_no_more_than_its_own_block_of_a_table(odd: bytes) -> None:
    start, _, rest = table(2000).partition(b"700,x\n")

    found = row_blocks("a.csv", start + odd + rest)

    assert sum(len(each.rows) for each in found if isinstance(each, RowBlock)) >= 2000 - 512


def test_a_long_table_of_texts_with_line_breaks_comes_in_row_blocks() -> None:
    rows = 20_000
    found = row_blocks("a.csv", b"a,b\n" + b'"one\ntwo\nthree","four\nfive"\n' * rows)

    assert sum(len(each.rows) for each in found if isinstance(each, RowBlock)) > 0.8 * rows
    assert sum(len(each.rows) if isinstance(each, RowBlock) else 1 for each in found) == rows


@pytest.mark.parametrize("block", [1, 3, 512])
@settings(deadline=None, max_examples=150)
@given(rows=ROWS, end=st.sampled_from(["", "\n", "\r\n"]), piece=st.integers(1, 60))
def test_a_table_is_read_in_blocks_as_row_by_row(block: int, rows: list[str], end: str, piece: int) -> None:
    data = ("a,b,c\n" + "\n".join(rows) + end).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.prompt_file.csv_reader.BLOCK", block)
        in_blocks = read("a.csv", data, piece)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.prompt_file.csv_reader.MAX_AT_ONCE", len("a,b,c\n"))
        by_row = read("a.csv", data, piece)

    assert outcome(in_blocks) == outcome(by_row)


@pytest.mark.parametrize("block", [1, 3, 512])
@settings(deadline=None, max_examples=150)
@given(lines=LINES, piece=st.integers(1, 60))
def test_json_lines_are_read_in_blocks_as_line_by_line(block: int, lines: list[str], piece: int) -> None:
    raw = [f"{line}\n".encode() for line in lines]
    rows = [line for line in raw if line.strip()]
    assume(not rows or rows[0].strip() != b"{")  # This may open an object that is spread over several lines.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.prompt_file.json_lines.BLOCK", block)
        found = read("a.jsonl", b"".join(raw), piece)

    # As text, because 1, 1.0 and true are equal in Python.
    assert repr(found.records) == repr([parse_record(row, line) for row, line in enumerate(rows, 1)])
    assert found.fault is (None if rows else JobCode.EMPTY_FILE)


@pytest.mark.parametrize("damage", [b'{"a": "\xe4", "b": 1}\n', b"\xe4\n"])
def test_rows_before_a_wrong_byte_are_given(damage: bytes) -> None:
    data = b'{"a": "x", "b": 1}\n' * 20 + damage

    reading = read("a.jsonl", data)

    assert reading.fault is JobCode.NOT_UTF8
    assert len(reading.records) == 20


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir() if not path.name.startswith(".")))
def test_the_records_of_real_files_are_those_of_their_row_blocks(name: str) -> None:
    data = (CORPUS / name).read_bytes()
    try:
        found = row_blocks(name, data)
    except JobFault:
        assert read(name, data).fault
        return

    flat = [record for each in found for record in ([each] if isinstance(each, Record) else each.records())]
    assert flat == read(name, data).records
