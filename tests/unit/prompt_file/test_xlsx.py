"""Workbooks: the first sheet a person sees, its cells as a person would type them."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.model import JobCode, RowCode
from shared.prompt_file import xlsx_package, xlsx_reader
from shared.prompt_file.xlsx_cells import text_of
from testing.reading import read


def workbook_of(*rows: list[Any], change: Callable[[Any], None] = lambda book: None) -> bytes:
    """Make a workbook of one sheet with these rows."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("text", "text"),
        (" kept ", " kept "),
        (1, "1"),
        (1.0, "1"),
        (-7, "-7"),
        (0, "0"),
        (1.5, "1.5"),
        (0.1 + 0.2, "0.3"),
        (123456789012345, "123456789012345"),
        (1234567890123456, "1234567890123456"),
        (9007199254740992, "9007199254740992"),
        (1e21, "1e+21"),
        (1e-7, "1e-07"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4, 5), "2024-01-02 03:04:05"),  # noqa: DTZ001 - cells know no zone
        (time(9, 30), "09:30:00"),
        (datetime(2024, 1, 2, 3, 4, 5, 250_000), "2024-01-02 03:04:05.250"),  # noqa: DTZ001
        (datetime(2024, 1, 2), "2024-01-02"),  # noqa: DTZ001
        (timedelta(hours=30, minutes=5), "30:05:00"),
        (-timedelta(hours=12, minutes=14, seconds=24), "-12:14:24"),
        (None, ""),
        ("two\nlines", "two\nlines"),
        ("#N/A", ""),
        ("=1+1", ""),  # A formula that no spreadsheet has calculated yet.
    ],
)
def test_a_cell_is_read_as_a_person_would_type_it(cell: object, text: str) -> None:
    assert read("a.xlsx", workbook_of(["Prompt", "Cell"], ["x", cell])).values == [{"Prompt": "x", "Cell": text}]


def test_empty_rows_and_columns_around_and_between_are_ignored() -> None:
    data = workbook_of([], [None, "a", "b"], [], [None, 1, None], [None, "", None], [None, None, 2], [None])

    reading = read("a.xlsx", data)

    assert reading.headers == ("a", "b")
    assert reading.values == [{"a": "1", "b": ""}, {"a": "", "b": "2"}]


def test_headers_follow_the_rules_of_all_tables() -> None:
    reading = read("a.xlsx", workbook_of([" Prompt ", None, 2024], ["x", "y", "z"]))

    assert reading.values == [{"Prompt": "x", "column 2": "y", "2024": "z"}]
    assert reading.notes == ("Columns without a header were named by their number: column 2.",)
    assert read("a.xlsx", workbook_of(["a", "a"], ["x", "y"])).fault is JobCode.INVALID_FILE


def test_cells_beyond_the_header_are_their_rows_fault() -> None:
    first, second, third = read("a.xlsx", workbook_of(["a", "b"], [1, 2], [1, 2, None, "far"], [3, 4, ""])).records

    assert (first.fault, third.fault) == (None, None)
    assert second.fault is not None
    assert second.fault.code is RowCode.INVALID_REQUEST
    assert "Row 2 has cells beyond the last of the 2 columns" in second.fault.message
    assert second.text == "1\t2\t\tfar"
    assert third.values == {"a": "3", "b": "4"}


def test_of_several_sheets_the_first_is_read_and_named() -> None:
    reading = read("a.xlsx", workbook_of(["a"], ["1"], change=lambda book: book.create_sheet("Other").append(["b"])))

    assert reading.values == [{"a": "1"}]
    assert reading.notes == (
        'The workbook has 2 sheets; only the first, "Sheet", was read. To have another one read, move it to the front.',
    )


def test_hidden_sheets_and_charts_are_passed_over() -> None:
    def change(book: Any) -> None:
        book.create_sheet("Hidden", 0).sheet_state = "hidden"
        book.create_chartsheet("Chart", 0)

    reading = read("a.xlsx", workbook_of(["a"], ["1"], change=change))

    assert reading.values == [{"a": "1"}]
    assert reading.notes == (
        'The workbook has 2 sheets; only the first that is visible, "Sheet", was read. '
        "To have another one read, move it to the front.",
    )


@pytest.mark.parametrize("rows", [[], [["a", "b"]], [["a"], [None], [""]]])
def test_a_sheet_without_a_row_is_an_empty_file(rows: list[list[Any]]) -> None:
    assert read("a.xlsx", workbook_of(*rows)).fault is JobCode.EMPTY_FILE


@pytest.mark.parametrize(
    ("rows", "named"),
    [([], 'only the first that holds anything, "Data", was read'), ([["a", "b"]], 'only the first, "Sheet", was read')],
)
def test_the_sheet_without_a_row_is_named_where_there_are_others(rows: list[list[Any]], named: str) -> None:
    reading = read("a.xlsx", workbook_of(*rows, change=lambda book: book.create_sheet("Data").append(["a"])))

    assert reading.fault is JobCode.EMPTY_FILE
    assert named in reading.message


def test_no_bytes_are_an_empty_file() -> None:
    assert read("a.xlsx", b"").fault is JobCode.EMPTY_FILE


def zip_of(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"Prompt\nOne\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        zip_of(a=b"x"),
        zip_of(**{"xl/workbook.xml": b"<a>", "[Content_Types].xml": b"<a/>"}),
        workbook_of(["a"], ["1"])[:-100],
        b"PK\x05\x06" + bytes(18),
    ],
    ids=["csv", "xls", "zip", "broken xml", "cut short", "empty zip"],
)
def test_what_is_no_workbook_is_refused_with_the_remedy(data: bytes) -> None:
    reading = read("a.xlsx", data)

    assert reading.fault is JobCode.INVALID_FILE
    assert "Save it again as Excel Workbook (.xlsx) or as CSV UTF-8" in reading.message


def test_a_workbook_that_unpacks_to_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_package, "MAX_UNPACKED", 100_000)
    data = workbook_of(["a"], ["1"], change=lambda book: book.active.append(["x" * 30_000] * 5))

    assert len(data) < 10_000
    reading = read("a.xlsx", data)
    assert reading.fault is JobCode.INVALID_FILE
    assert "unpacks to more than" in reading.message


def test_a_workbook_of_too_many_bytes_is_refused_before_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_reader, "MAX_PACKED", 1000)

    assert "has more than" in read("a.xlsx", workbook_of(["a"], ["1"]), size=100).message


def test_a_stray_cell_far_out_is_its_rows_fault_and_takes_no_memory() -> None:
    def change(book: Any) -> None:
        book.active["XFD1048576"] = "stray"

    first, stray = read("a.xlsx", workbook_of(["a"], ["1"], change=change)).records

    assert first.values == {"a": "1"}
    assert stray.fault is not None
    assert "cells beyond the last of the 1 columns" in stray.fault.message
    assert "XFD1048576" in stray.fault.message


def test_a_format_far_out_is_no_cell() -> None:
    def change(book: Any) -> None:
        book.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)

    assert read("a.xlsx", workbook_of(["a"], ["1"], change=change)).values == [{"a": "1"}]


def test_the_extent_of_other_sheets_does_not_matter() -> None:
    def change(book: Any) -> None:
        book.create_sheet("Far")["XFD1048576"] = "x"

    assert read("a.xlsx", workbook_of(["a"], ["1"], change=change)).values == [{"a": "1"}]


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_in_15_digits_without_needless_ones(number: float) -> None:
    text = text_of(number)

    whole = number.is_integer() and abs(number) <= 2**53
    assert float(text) == (number if whole else float(f"{number:.15g}"))
    assert not text.endswith(".0")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=10)
            .filter(lambda text: not text.startswith(("=", "#")))
            .filter(lambda text: "_x" not in text),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_openpyxl_writes_is_read_back(rows: list[list[str]]) -> None:
    assert read("a.xlsx", workbook_of(["a", "b"], *rows)).values == [
        {"a": first, "b": second} for first, second in rows
    ]
