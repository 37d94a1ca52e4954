"""Whatever the bytes and however they are cut: rows, faults of rows, or one fault of the file, always the same."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testing.paths import DATA
from testing.reading import Reading, read

CORPUS = DATA / "prompt_files"
NAMES = ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.csv.gz", "a.jsonl.gz", "a.json.gz", "a.xlsx"]

FRAGMENTS = [
    *(bytes([byte]) for byte in b'"\n\r,;\t[]{}:\\ a1\0'),
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xc3",
    b"\xf0\x9f",
    b"\xe2\x80\xa8",
    b"a,b\n",
    b'[{"a":1}',
    b'{"a":1}\n',
    b'"a;b",c\r\n',
    b"sep=;\n",
    b"true",
    b"1e999",
    b"\\ud800",
    b'{"error":{"code":"x","row":1},"source":',
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"PK\x03\x04",
]
UGLY = st.binary(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(b"".join)


def outcome(reading: Reading) -> object:
    return (reading.headers, reading.records, reading.fault, reading.message, reading.notes)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), UGLY, st.integers(1, 9))
def test_any_bytes_end_in_rows_or_a_fault_and_the_cuts_do_not_matter(name: str, data: bytes, size: int) -> None:
    whole = read(name, data)

    assert whole.fault or whole.records
    assert outcome(read(name, data, size)) == outcome(whole)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["a.csv.gz", "a.jsonl.gz", "a.json.gz"]), UGLY, st.integers(1, 9), st.integers(0, 40))
def test_any_bytes_within_gzip_too(name: str, data: bytes, size: int, lost: int) -> None:
    packed = gzip.compress(data, mtime=0)
    packed = packed[: len(packed) - lost]
    whole = read(name, packed)

    assert whole.fault or whole.records
    assert outcome(read(name, packed, size)) == outcome(whole)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["openpyxl.xlsx", "xlsxwriter.xlsx"]),
    st.integers(0, 11),
    st.integers(0, 5000),
    st.binary(min_size=1, max_size=8),
)
def test_a_damaged_workbook_never_breaks_the_app(name: str, part: int, place: int, damage: bytes) -> None:
    """The parts of a workbook are damaged before they are packed, so that the damage reaches the XML parsers."""
    out = io.BytesIO()
    with zipfile.ZipFile(CORPUS / name) as old, zipfile.ZipFile(out, "w") as new:
        for number, entry in enumerate(old.infolist()):
            data = old.read(entry)
            if number == part % len(old.infolist()):
                place %= len(data)
                data = data[:place] + damage + data[place + len(damage) :]
            new.writestr(entry.filename, data)

    reading = read("a.xlsx", out.getvalue())

    assert reading.fault or reading.records


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir() if not path.name.startswith(".")))
def test_real_files_read_the_same_however_they_are_cut(name: str) -> None:
    data = (CORPUS / name).read_bytes()

    assert outcome(read(name, data, 1)) == outcome(read(name, data, 13)) == outcome(read(name, data))
