"""Text tables: separators, quotes, headers, short and long rows."""

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain.errors import JobFault
from shared.domain.model import JobCode, RowCode
from shared.prompt_file import Form, Kind, lines, open_prompt_file
from shared.prompt_file.csv_row import CsvRow, CsvRowReader
from testing.reading import pieces, read


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "a,b\n1,2\n"),
        ("a.csv", "a;b\n1;2\n"),
        ("a.csv", "a\tb\n1\t2\n"),
        ("a.tsv", "a\tb\n1\t2\n"),
        ("a.tsv", "a,b\n1,2\n"),
        ("a.csv", "a,b\r\n1,2"),
        ("a.csv", "\n\r\n  \na,b\n\n1,2\n\n"),
        ("a.csv", '" a ","b"\n"1","2"\n'),
        ("a.csv", "sep=,\na,b\n1,2\n"),
    ],
)
def test_separator_line_ends_and_quotes_are_recognised(name: str, text: str) -> None:
    reading = read(name, text.encode())

    assert reading.headers == ("a", "b")
    assert reading.values == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("header", "headers"),
    [
        ("a,b;c", ("a", "b;c")),  # One of each: the comma is first in a .csv.
        ("a,b;c;d", ("a,b", "c", "d")),
        ('"a,b,c";d', ("a,b,c", "d")),
        ('"a\nb";c', ("a\nb", "c")),
        ('"a;\n;b",c,d,e', ("a;\n;b", "c", "d", "e")),
        ('Height 5",b', ('Height 5"', "b")),
        ("Prompt", ("Prompt",)),
    ],
)
def test_the_separator_is_the_one_that_cuts_the_header_into_most_columns(header: str, headers: tuple[str, ...]) -> None:
    assert read("a.csv", f"{header}\nx\n".encode()).headers == headers


def test_a_tie_goes_to_the_tab_in_a_tsv() -> None:
    assert read("a.tsv", b"a,b\tc\nx\n").headers == ("a,b", "c")


def test_missing_cells_at_the_end_are_empty() -> None:
    assert read("a.csv", b"a,b,c\n1\n1,2\n").values == [{"a": "1", "b": "", "c": ""}, {"a": "1", "b": "2", "c": ""}]


def test_a_row_with_more_cells_than_headers_is_that_rows_fault_and_keeps_its_text() -> None:
    reading = read("a.csv", b'a,b\n1,2\n1,"two\nlines",3\r\n3,4\n')

    assert [record.row for record in reading.records] == [1, 2, 3]
    wide = reading.records[1]
    assert wide.fault is not None
    assert wide.fault.code is RowCode.INVALID_REQUEST
    assert wide.fault.message == (
        "Row 2 has 3 cells, more than the header, which has 2. Put texts that hold a comma or a quote in double quotes."
    )
    assert (wide.values, wide.text) == ({}, '1,"two\nlines",3')
    assert reading.records[2].values == {"a": "3", "b": "4"}


def test_a_carriage_return_outside_of_quotes_is_that_rows_fault() -> None:
    reading = read("a.csv", b"a,b\n1,x\ry\n3,4\n")

    fault = reading.records[0].fault
    assert fault is not None
    assert fault.code is RowCode.INVALID_REQUEST
    assert "carriage return" in fault.message
    assert reading.records[0].text == "1,x\ry"
    assert reading.records[1].values == {"a": "3", "b": "4"}
    assert reading.records[1].row == 2


def test_blank_lines_and_lines_of_separators_are_not_counted() -> None:
    reading = read("a.csv", b'a,b\n\n1,2\n,\n   \n""\n3,\n,,,,\n')

    assert reading.values == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_white_space_within_cells_is_data() -> None:
    assert read("a.csv", b"a,b\n 1 ,\t\n").values == [{"a": " 1 ", "b": "\t"}]


def test_a_nul_is_data_like_any_other_character() -> None:
    assert read("a.csv", b"ab,b\nx\0y,z\n").values == [{"ab": "x\0y", "b": "z"}]


def test_columns_without_a_header_are_named_by_number_with_a_note() -> None:
    reading = read("a.csv", b",a, \n1,2,3\n")

    assert reading.values == [{"column 1": "1", "a": "2", "column 3": "3"}]
    assert reading.notes == ("Columns without a header were named by their number: column 1, column 3.",)


def test_the_same_header_twice_is_refused_with_both_places() -> None:
    reading = read("a.csv", b"Prompt,x, Prompt \n1,2,3\n")

    assert reading.fault is JobCode.INVALID_FILE
    assert reading.message == 'Columns 1 and 3 have the same header, "Prompt". Rename one of them.'


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b",,\n", b"\xef\xbb\xbf", b"\xff\xfe", b"a,b\n", b"a,b\n\n,\n"])
def test_a_table_without_a_row_is_an_empty_file(data: bytes) -> None:
    assert read("a.csv", data).fault is JobCode.EMPTY_FILE


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'a,b\n1,2\n3,"x\n4,5\n', "row 2"),
        (b'a,b\n1,"', "row 1"),
        (b'"a,b\n1,2\n', "the header"),
        (b'"a', "the header"),
    ],
)
def test_a_quote_that_is_never_closed_is_a_fault_of_the_file(data: bytes, where: str) -> None:
    reading = read("a.csv", data)

    assert reading.fault is JobCode.INVALID_FILE
    assert f"in {where} is never closed" in reading.message


def test_a_header_with_an_open_quote_is_not_searched_to_the_end_of_a_large_file() -> None:
    unread = pieces(b'"a,b\n' + b"x,y\n" * 500_000, 1000)

    with pytest.raises(JobFault, match="the header is never closed"):
        open_prompt_file(Form(Kind.CSV), unread)

    assert len(list(unread)) > 900


@pytest.mark.parametrize("row", [b"1,2\n", b"\n1,2\n", b'"1\n",2\n', b"1,2,3\n", b"1,x\ry\n"])
def test_the_limit_of_a_row_does_not_limit_the_file(row: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_ROW", 100)
    monkeypatch.setattr("shared.prompt_file.csv_reader.MAX_AT_ONCE", 50)
    reading = read("a.csv", b"a,b\n" + row * 100, size=30)

    assert reading.fault is None
    assert len(reading.records) == 100


@pytest.mark.parametrize(
    "data",
    [
        b"a\n" + b"x" * 3000,  # An endless line.
        b'a\n"' + b"x\n" * 1500,  # An endless row of many lines.
        b"a\n" + b"\n" * 3000,  # Endless blank lines.
        b"\n" * 3000 + b"a\n1\n",
        b"a,b\n" + b",\n" * 1500,
    ],
)
def test_a_file_without_a_rows_end_is_given_up(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_ROW", 2000)
    monkeypatch.setattr("shared.prompt_file.csv_reader.MAX_AT_ONCE", 100)
    reading = read("a.csv", data, size=100)

    assert reading.fault is JobCode.INVALID_FILE
    assert "without the end of a row" in reading.message


def test_many_blank_lines_are_not_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.prompt_file.csv_reader.MAX_AT_ONCE", 1000)  # What comes after that is read row by row.
    taken: list[CsvRow | None] = []
    read_row = CsvRowReader.read

    def noting(self: CsvRowReader) -> CsvRow | None:
        taken.append(read_row(self))
        return taken[-1]

    monkeypatch.setattr(CsvRowReader, "read", noting)
    reading = read("a.csv", b"a,b\n1,2\n" + b"\r\n" * 50_000 + b"3,4\n", size=1000)

    assert reading.values == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [record.row for record in reading.records] == [1, 2]
    assert len(taken) < 2000


@pytest.mark.parametrize("header", ["a,Prompt", '"a",Prompt', '"a ""b""",Prompt', '"""",""""""'])
def test_a_header_in_the_middle_of_a_file_is_no_row(header: str) -> None:
    text = f"{header}\n" + "1,2\n" * 600 + f"{header}\n3,4\n"

    assert [[*row.values()] for row in read("a.csv", text.encode()).values] == [["1", "2"]] * 600 + [["3", "4"]]


def test_a_cell_may_be_larger_than_the_csv_modules_own_limit() -> None:
    assert read("a.csv", b"a\n" + b"x" * 1_000_000 + b"\n").values == [{"a": "x" * 1_000_000}]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")],
)
def test_the_encodings_of_the_contract_are_read(encoding: str, mark: bytes) -> None:
    text = 'Prompt,Größe\n"東京\u2028タワー",🗼\n'

    assert read("a.csv", mark + text.encode(encoding)).values == [{"Prompt": "東京\u2028タワー", "Größe": "🗼"}]


@pytest.mark.parametrize(
    "data",
    [
        "Prompt\ngröße\n".encode("latin-1"),
        "Prompt\ngröße\n".encode("utf-16-le"),
        "Prompt\ngröße\n".encode("utf-16-be"),
        b"\xff\xfe\0\0" + "Prompt\nx\n".encode("utf-32-le"),
        b"\0\0\xfe\xff" + "Prompt\nx\n".encode("utf-32-be"),
        b"\xff\xfe" + "Prompt\nx\n".encode("utf-16-le")[:-1],
        b"\xff\xfe" + "Prompt\n".encode("utf-16-le") + b"\x00\xd8" + "x\n".encode("utf-16-le"),
        b"Prompt\n\xed\xa0\x80\n",
        b"Prompt\ncut \xf0\x9f\x97",
    ],
)
def test_other_encodings_are_refused_with_the_remedy(data: bytes) -> None:
    reading = read("a.csv", data)

    assert reading.fault is JobCode.NOT_UTF8
    assert "CSV UTF-8" in reading.message


def test_a_wrong_byte_is_named_by_its_line_and_place_however_the_bytes_are_cut() -> None:
    data = b"\xef\xbb\xbfPrompt\nfine\nnot \xe4 fine\n"

    for size in (1, 3, 100):
        reading = read("a.csv", data, size)
        assert reading.message.startswith(
            "The file is not valid UTF-8: line 3 holds a wrong byte (number 17 of the file, byte order mark"
        )
        assert [record.values for record in reading.records] == [{"Prompt": "fine"}]


CELLS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", '"', ",", ";", "\t", "\n", "\r", "\r\n", "\u2028", "\x85", "\0", ' "x" ', "a,b\nc"]
)
HEADERS = st.lists(st.from_regex(r"[A-Za-z]{2,8}", fullmatch=True), min_size=1, max_size=5, unique=True)


@settings(deadline=None)
@given(
    table=HEADERS.flatmap(
        lambda headers: st.tuples(
            st.just(headers),
            st.lists(st.lists(CELLS, min_size=len(headers), max_size=len(headers)), min_size=1, max_size=6),
        )
    ),
    separator=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    size=st.integers(1, 50),
)
def test_what_pythons_csv_module_writes_is_read_back(
    table: tuple[list[str], list[list[str]]], separator: str, line_end: str, encoding: str, quoting: int, size: int
) -> None:
    headers, rows = table
    if len(headers) == 1:
        quoting = csv.QUOTE_ALL  # A header of one column shows no separator, so the others would need no quotes.
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(headers)
    writer.writerows(rows)
    blank = [not any(row) or (len(row) == 1 and not row[0].strip(lines.BLANK)) or row == headers for row in rows]
    # Unquoted at the end of the file, these are what old programs leave there.
    assume(quoting == csv.QUOTE_ALL or not rows[-1][-1].endswith(("\0", "\x1a")))
    expected = [dict(zip(headers, row, strict=True)) for row, skipped in zip(rows, blank, strict=True) if not skipped]

    reading = read("a.csv", out.getvalue().encode(encoding), size)

    if expected:
        assert reading.values == expected
    else:
        assert reading.fault is JobCode.EMPTY_FILE
