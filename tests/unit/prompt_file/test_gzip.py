"""Compressed prompt files."""

import gzip
import zlib

import pytest

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.prompt_file import form_of, gzip_stream, lines, open_prompt_file
from testing.reading import read

TABLE = b"Prompt\n" + b"".join(b"What is %d?\n" % number for number in range(2000))


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
def test_every_text_form_is_read_through_gzip(size: int) -> None:
    for name, data in (
        ("a.csv", b"a,b\n1,2\n"),
        ("a.tsv", b"a\tb\n1\t2\n"),
        ("a.jsonl", b'{"a":"1","b":"2"}\n'),
        ("a.ndjson", b'{"a":"1","b":"2"}\n'),
        ("a.json", b'[{"a":"1","b":"2"}]'),
    ):
        assert read(f"{name}.gz", gzip.compress(data), size).values == [{"a": "1", "b": "2"}]


def test_members_that_follow_each_other_are_one_file() -> None:
    data = gzip.compress(TABLE[:5000]) + bytes(12) + gzip.compress(b"") + gzip.compress(TABLE[5000:]) + bytes(512)
    for size in (1, 100, 1 << 20):
        assert read("a.csv.gz", data, size).values == read("a.csv", TABLE).values


def test_a_file_cut_short_is_refused_after_the_rows_that_were_whole() -> None:
    reading = read("a.csv.gz", gzip.compress(TABLE)[:-9])

    assert reading.fault is JobCode.INVALID_FILE
    assert "ends too early" in reading.message
    assert reading.records


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        gzip.compress(TABLE)[:500] + b"\0\0\0\0" + gzip.compress(TABLE)[504:],
        gzip.compress(TABLE)[:-8] + bytes(8),
        gzip.compress(TABLE) + b"rubbish",
        zlib.compress(TABLE),
    ],
    ids=["not compressed", "damaged", "wrong checksum", "rubbish behind", "zlib"],
)
def test_what_is_no_gzip_is_refused(data: bytes) -> None:
    reading = read("a.csv.gz", data)

    assert reading.fault is JobCode.INVALID_FILE
    assert "not valid gzip" in reading.message


def test_no_bytes_at_all_and_nothing_compressed_are_empty_files() -> None:
    assert read("a.csv.gz", b"").fault is JobCode.EMPTY_FILE
    assert read("a.jsonl.gz", gzip.compress(b"")).fault is JobCode.EMPTY_FILE


@pytest.mark.parametrize(
    ("name", "start", "filler"),
    [
        *(("a.csv.gz", b"a,b\n", filler) for filler in (b"\n", b" ", b"x", b",\n")),
        *(("a.jsonl.gz", b"", filler) for filler in (b"\n", b" ", b"x", b'{"a":')),
        *(("a.json.gz", b"[", filler) for filler in (b"\n", b"x", b'{"a":')),
        ("a.json.gz", b"", b" "),
    ],
)
def test_a_bomb_is_given_up_long_before_its_end(
    name: str, start: bytes, filler: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_ROW", 100_000)
    squeeze = zlib.compressobj(wbits=31)
    blocks = [start, *[filler * (1_000_000 // len(filler))] * 100]
    unread = iter([*map(squeeze.compress, blocks), squeeze.flush()])
    form = form_of(name)
    assert form is not None

    with pytest.raises(JobFault, match="without the end of a row"):
        next(open_prompt_file(form, unread).records)

    assert len(list(unread)) > 50


@pytest.mark.parametrize("step", [1, 2, 100, 257, 258, 259, 1000])
def test_no_output_is_left_behind_where_a_step_ends_within_a_repetition(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gzip_stream, "STEP", step)
    for length in range(500, 800, 7):
        data = b"x" * length
        assert b"".join(gzip_stream.decompress([gzip.compress(data)])) == data


def test_what_stands_before_a_damage_is_given_however_the_bytes_are_cut() -> None:
    packed = bytearray(gzip.compress(TABLE))
    half = len(packed) // 2
    packed[half : half + 4] = b"\xff\xff\xff\xff"
    whole = read("a.csv.gz", bytes(packed))

    assert whole.fault is JobCode.INVALID_FILE
    assert len(whole.records) > 500
    assert whole.records == read("a.csv", TABLE).records[: len(whole.records)]
    assert read("a.csv.gz", bytes(packed), size=7).records == whole.records
