"""The result files, read back with other people's readers."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from copy import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from python_calamine import load_workbook

from shared.answers.outcomes import read_line, to_line
from shared.domain.model import Batch, BatchState, FailedRow, Job, JobState, Outcome, RowCode, Usage
from shared.domain.status_report import report
from shared.prompt_file.header import column_letters
from shared.results import xlsx_writer
from shared.results.answer_columns import Field, fields_of, union
from shared.results.files import Layout, ResultFiles
from shared.results.table import header
from shared.results.xlsx_widths import line_count
from testing.paths import PROJECT
from tests.unit.test_json_codec import JSON, TEXTS

FILES = ("results.jsonl", "errors.jsonl", "results.csv", "results.xlsx")
CITY = fields_of({"type": "object", "properties": {"City": {"type": "string"}, "Height": {"type": "integer"}}})


def success(output: object, row: int = 1, **own: object) -> FailedRow:
    outcome = Outcome(
        row=row, custom_id=f"task-{row}", output=output, model="gpt-4o", usage=Usage(82, 27), attempts=1, schema=0
    )
    return FailedRow(custom_id=outcome.custom_id, input=own, outcome=outcome)


def failure(row: int = 1, message: str = "none", *, source: Any = None, paid: bool = False, **own: Any) -> FailedRow:
    outcome = Outcome(
        row=row,
        custom_id=f"task-{row}",
        code=RowCode.TRUNCATED if paid else RowCode.MISSING,
        message=message,
        text='{"Ci' if paid else None,
        finish_reason="length" if paid else "",
        model="gpt-4o" if paid else "",
        usage=Usage(5, 6) if paid else None,
        attempts=2,
    )
    request = {
        "custom_id": outcome.custom_id,
        "method": "POST",
        "url": "/chat/completions",
        "body": {"model": "m", "messages": []},
    }
    return FailedRow(
        custom_id=outcome.custom_id,
        input=own,
        outcome=outcome,
        request=None if source is not None else request,
        source=source,
    )


def add(files: ResultFiles, row: FailedRow) -> None:
    """Add a row; one that succeeded is taken from its line, as in a part."""
    if row.outcome.code is None:
        files.add_results([read_line(to_line(row.outcome))], [row.input], None if row.typed is None else [row.typed])
    else:
        files.add_error(row)


def written(
    rows: Sequence[FailedRow],
    own: Sequence[str] = (),
    fields: Sequence[Field] = CITY,
    names: Sequence[str] = FILES,
    *,
    guard: bool = True,
    separator: str = ",",
) -> tuple[dict[str, bytes], list[str]]:
    chunks: dict[str, list[bytes]] = {name: [] for name in names}
    layout = Layout(own=own, fields=fields, guard=guard, separator=separator)
    files = ResultFiles(layout, {name: chunks[name].append for name in names})
    for row in rows:
        add(files, row)
    closed = files.close()
    kept = {name: b"".join(parts) for name, parts in chunks.items() if name not in closed.left_out}
    return kept, list(closed.warnings)


def table(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def sheet(data: bytes) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(io.BytesIO(data)).active]


def test_a_result_line_is_as_the_contract_shows_it() -> None:
    files, _warnings = written([success({"City": "Zürich", "Height": 5}, Note="n")], own=["Note"])
    assert files["results.jsonl"].decode() == (
        '{"row":1,"custom_id":"task-1","output":{"City":"Zürich","Height":5},"input":{"Note":"n"},"model":"gpt-4o",'
        '"attempts":1,"usage":{"input_tokens":82,"output_tokens":27}}\n'
    )
    assert files["errors.jsonl"] == b""


def test_half_a_surrogate_pair_is_shown_as_the_replacement_character_everywhere() -> None:
    halved, whole = (
        written([success({"City": city}, Note=city), failure(2, city, paid=True, Note=city)], own=["Note"])[0]
        for city in ("Danke \ud83d, \udfff", "Danke \ufffd, \ufffd")
    )
    assert halved == whole


def test_a_half_in_an_answer_as_the_model_escaped_it_is_shown_so_too() -> None:
    outcome = read_line(
        to_line(success({"City": "x"}).outcome).replace(b'"x"', b'"Danke \\uD83D \\ud83d\\ude00 \\\\ud8"')
    )
    chunks: list[bytes] = []
    files = ResultFiles(Layout(own=[], fields=CITY), {"results.jsonl": chunks.append})
    files.add_results([outcome], [{}])
    files.close()
    assert json.loads(b"".join(chunks).decode("utf-8", "strict"))["output"] == {"City": "Danke \ufffd 😀 \\ud8"}
    assert b"\\ud83d" not in b"".join(chunks).lower()


def test_the_paid_answer_of_an_error_line_holds_no_half_either() -> None:
    row = failure(paid=True)
    row = row._replace(outcome=row.outcome._replace(text='{"City": "Danke \ud83d'))
    line = written([row])[0]["errors.jsonl"]
    assert json.loads(line)["answer"]["text"] == '{"City": "Danke \ufffd'


def test_an_error_line_is_the_request_with_its_error() -> None:
    files, _warnings = written([failure(3, Note="n")], own=["Note"])
    assert files["errors.jsonl"].decode() == (
        '{"custom_id":"task-3","method":"POST","url":"/chat/completions","body":{"model":"m","messages":[]},'
        '"input":{"Note":"n"},"error":{"code":"missing","message":"none","row":3,"attempts":2}}\n'
    )
    assert files["results.jsonl"] == b""


def test_an_error_line_keeps_the_answer_that_was_paid() -> None:
    files, _warnings = written([failure(paid=True)])
    assert json.loads(files["errors.jsonl"])["answer"] == {
        "text": '{"Ci',
        "finish_reason": "length",
        "model": "gpt-4o",
        "usage": {"input_tokens": 5, "output_tokens": 6},
    }


@pytest.mark.parametrize("source", [{"Prompt": "x", "n": 1}, '{"broken'])
def test_a_row_that_never_became_a_request_shows_its_source(source: object) -> None:
    files, _warnings = written([failure(source=source)])
    line = json.loads(files["errors.jsonl"])
    assert list(line) == ["custom_id", "source", "input", "error"]
    assert line["source"] == source


def test_the_table_has_every_row_with_a_bom_crlf_and_quotes() -> None:
    rows = [success({"City": 'a "b", c', "Height": 5}, 1, Note="1\n2"), failure(2, "no, none", Note=None)]
    files, _warnings = written(rows, own=["Note"])
    assert files["results.csv"].decode() == (
        "\ufeffcustom_id,Note,City,Height,status,error_code,error_message\r\n"
        'task-1,"1\n2","a ""b"", c",5,ok,,\r\n'
        'task-2,,,,error,missing,"no, none"\r\n'
    )


def test_plain_values_lists_and_nothing_are_shown_each_in_their_way() -> None:
    fields = [Field((name,)) for name in "abcdefg"]
    output = {"a": True, "b": False, "c": None, "d": 1.5, "e": [1, "ü"], "f": {"x": None}}
    files, _warnings = written([success(output, Own=[1], Flag=True)], own=["Own", "Flag"], fields=fields)
    assert table(files["results.csv"])[1] == (
        ["task-1", "[1]", "true", "true", "false", "", "1.5", '[1,"ü"]', '{"x":null}', "", "ok", "", ""]
    )


@pytest.mark.parametrize(
    ("own", "fields", "names"),
    [
        (["a"], ["b"], "a b"),
        (["City"], ["City"], "input.City City"),
        (["status", "custom_id"], [], "input.status input.custom_id"),
        ([], ["status", "error_code"], "output.status output.error_code"),
        (["status"], ["status"], "input.status output.status"),
        (["output.status"], ["status"], "input.output.status output.status"),
        (["status", "input.status"], [], "input.input.status input.status"),
        (["Status"], ["STATUS"], "input.Status output.STATUS"),
        (["text"], ["Text"], "input.text Text"),
        (["Ort", "ort"], [], "Ort input.ort"),
        ([], ["City", "CITY"], "City output.CITY"),
        (["straße", "STRASSE"], [], "straße input.STRASSE"),
        (["Custom_ID"], [], "input.Custom_ID"),
        ([], ["a.b", "a.b"], "a.b output.a.b"),
    ],
)
def test_clashing_columns_are_told_apart(own: list[str], fields: list[str], names: str) -> None:
    found = header(own, [Field((name,)) for name in fields])
    assert found == ["custom_id", *names.split(), "status", "error_code", "error_message"]
    assert len({name.casefold() for name in found}) == len(found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+A1", "'+A1"),
        ("-A1", "'-A1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-5+cmd", "'-5+cmd"),
        ("-", "'-"),
        ("+٣", "'+٣"),
        ("-5\n", "'-5\n"),
        ("-5", "-5"),
        ("+3.2e1", "+3.2e1"),
        ("-.5", "-.5"),
        ("+5.", "+5."),
        (" =1", " =1"),
        ("1-1", "1-1"),
        ("", ""),
    ],
)
def test_texts_that_a_spreadsheet_would_run_are_guarded(text: str, shown: str) -> None:
    rows = [success({"City": text, "Height": -5}, Note=text), failure(2, text)]
    guarded = table(written(rows, own=["Note"])[0]["results.csv"])
    assert guarded[1][1:4] == [shown, shown, "-5"]
    assert guarded[2][6] == shown
    bare = table(written(rows, own=["Note"], guard=False)[0]["results.csv"])
    assert bare[1][1:4] == [text, text, "-5"]


def test_headers_are_guarded_too() -> None:
    files, _warnings = written([], own=["=1+1"], fields=[Field(("@x",))])
    assert table(files["results.csv"]) == [["custom_id", "'=1+1", "'@x", "status", "error_code", "error_message"]]


def test_only_the_files_asked_for_are_written() -> None:
    assert written([success({})], names=["results.csv"])[0].keys() == {"results.csv"}
    assert written([success({})], names=[])[0] == {}


def test_files_are_written_in_chunks_of_about_a_mebibyte() -> None:
    sizes: dict[str, list[int]] = {name: [] for name in FILES}
    sinks: dict[str, Any] = {name: lambda data, n=name: sizes[n].append(len(data)) for name in FILES}
    files = ResultFiles(Layout(own=[], fields=CITY), sinks)
    for row in range(1, 4001):
        add(files, success({"City": f"{row * 7919 % 10007}" * 200}, row))
    files.close()
    assert len(sizes["results.jsonl"]) == len(sizes["results.csv"]) == 4
    assert all(size < 1.1 * 1024 * 1024 for found in sizes.values() for size in found)


def test_the_sheet_has_typed_cells_and_a_frozen_header() -> None:
    fields = [Field((name,)) for name in "abcdefg"]
    output = {"a": True, "b": -5, "c": 1.5, "d": "=1+1", "e": "https://example.com", "f": [1], "g": 10**20}
    files, warnings = written([success(output), failure(2)], fields=fields)
    book = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"]))
    page = book.active
    assert page is not None
    assert (page.freeze_panes, page.sheet_view.pane.state) == ("A2", "frozen")
    cells = list(page[2])
    assert [cell.value for cell in cells[1:8]] == [True, -5, 1.5, "=1+1", "https://example.com", "[1]", str(10**20)]
    assert [cell.data_type for cell in cells[1:8]] == ["b", "n", "n", "s", "s", "s", "s"]
    assert all(cell.hyperlink is None for cell in cells)
    assert [cell.value for cell in page[3]][-3:] == ["error", "missing", "none"]
    assert page["A1"].font.b
    assert page.auto_filter.ref == "A1:K3"
    assert warnings == []


@pytest.mark.parametrize(
    ("number", "cell"),
    [(10**15 - 1, 10**15 - 1), (1 - 10**15, 1 - 10**15), (10**15, str(10**15)), (-(10**15), str(-(10**15)))],
)
def test_the_sheet_keeps_every_digit_of_a_whole_number(number: int, cell: object) -> None:
    files, _warnings = written([success({"Height": number})])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    assert cell in [found.value for found in page[2]]


def test_the_same_rows_give_the_same_sheet() -> None:
    rows = [success({"City": "x"}), failure(2)]
    assert written(rows) == written(rows)


@pytest.mark.parametrize(
    "text",
    ['a & b <c> "d"', " spaces ", "two\nlines", "\ttab", "\x00\x01\x1f", "_x0041_", "__x000D_", "\u2028"],
)
def test_the_sheet_keeps_any_text(text: str) -> None:
    files, _warnings = written([success({"City": text})])
    (found,) = load_workbook(io.BytesIO(files["results.xlsx"])).get_sheet_by_index(0).to_python()[1:]
    assert found[1] == text


def test_what_is_beyond_excel_s_limits_is_left_out_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_writer, "COLUMN_LIMIT", 4)
    rows = [success({"City": "\U0001f600" * 20_000, "Height": row}, row) for row in range(1, 3)]
    files, warnings = written(rows)
    found = sheet(files["results.xlsx"])
    assert [len(row) for row in found] == [4, 4, 4]
    assert found[1][1] == "\U0001f600" * 16_383
    assert [warning.split(" (")[0] for warning in warnings] == [
        "results.xlsx: 2 columns beyond Excel's limit of 4 columns were left out; results.csv holds all",
        "results.xlsx: 2 texts were cut at Excel's limit of 32,767 characters a cell; results.csv holds all",
    ]
    assert len(table(files["results.csv"])) == 3


@pytest.mark.parametrize(("limit", "value"), [("ROW_LIMIT", 500), ("SHEET_LIMIT", 3_000_000)])
def test_more_rows_than_a_sheet_can_have_leave_the_file_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(xlsx_writer, limit, value)
    files, warnings = written([success({"City": "x" * 10_000}, row) for row in range(1, 1001)])
    assert files.keys() == {"results.jsonl", "errors.jsonl", "results.csv"}
    assert len(warnings) == 1
    assert warnings[0].startswith("results.xlsx was left out: a sheet has room for ")
    assert len(table(files["results.csv"])) == 1001


@pytest.mark.parametrize(
    ("number", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_columns_are_named_as_spreadsheets_do(number: int, name: str) -> None:
    assert column_letters(number) == name


OWN = st.fixed_dictionaries({}, optional={"Note": JSON, "City": TEXTS})
ROWS = st.lists(
    st.one_of(
        st.tuples(st.just("ok"), st.dictionaries(st.sampled_from(["City", "Height", "more"]), JSON), OWN),
        st.tuples(st.just("error"), TEXTS, OWN),
    ),
    max_size=5,
)


@given(ROWS)
@example([("ok", {"City": "\u2028\u0085\ud800\0\r"}, {"Note": "\x1c"})])
def test_everything_written_can_be_read_back(drawn: list[tuple[str, Any, dict[str, Any]]]) -> None:
    rows = [
        success(what, number, **own) if kind == "ok" else failure(number, what, **own)
        for number, (kind, what, own) in enumerate(drawn, 1)
    ]
    files, _warnings = written(rows, own=["Note", "City"], guard=False)

    results = [json.loads(line) for line in files["results.jsonl"].split(b"\n")[:-1]]
    errors = [json.loads(line) for line in files["errors.jsonl"].split(b"\n")[:-1]]
    good = [row for row in rows if row.outcome.code is None]
    bad = [row for row in rows if row.outcome.code is not None]
    assert [[found["row"], found["output"], found["input"]] for found in results] == whole(
        [[row.outcome.row, row.outcome.output, row.input] for row in good]
    )
    assert [[found["error"]["row"], found["error"]["message"], found["input"]] for found in errors] == whole(
        [[row.outcome.row, row.outcome.message, row.input] for row in bad]
    )

    names, *lines = table(files["results.csv"])
    assert names == ["custom_id", "Note", "input.City", "City", "Height", "status", "error_code", "error_message"]
    assert [line[0] for line in lines] == [row.custom_id for row in rows]
    for row, line in zip(rows, lines, strict=True):
        output = row.outcome.output if isinstance(row.outcome.output, dict) else {}
        values = [row.input.get("Note"), row.input.get("City"), output.get("City"), output.get("Height")]
        for value, cell in zip(values, line[1:5], strict=True):
            assert plain(value, cell) in (cell, value)
    assert [line[5] for line in lines] == [kind for kind, _what, _own in drawn]

    page = load_workbook(io.BytesIO(files["results.xlsx"])).get_sheet_by_index(0).to_python()
    assert page[0] == names
    assert [line[5] for line in page[1:]] == [line[5] for line in lines]


def whole(value: Any) -> Any:
    """Replace halves of surrogate pairs in all texts of a JSON value."""
    if isinstance(value, dict):
        return {whole(key): whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return plain(value, "") if isinstance(value, str) else value


def plain(value: object, cell: str) -> object:
    """Say what a cell must read back as: a list or an object by its meaning, all else by its text."""
    if isinstance(value, dict | list):
        return value if json.loads(cell) == value else "something else"
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    return {"None": "", "True": "true", "False": "false"}.get(repr(value), repr(value))


def test_columns_of_several_schemas_stand_side_by_side() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    fields = union([CITY, fields_of({"type": "object", "properties": {"a": inner}})])
    files, _warnings = written([success({"City": "x"}), success({"a": {"b": 1}}, 2)], fields=fields)
    columns = [line[1:4] for line in table(files["results.csv"])]
    assert columns == [["City", "Height", "a.b"], ["x", "", ""], ["", "", "1"]]


@pytest.mark.parametrize("text", [" x", "x ", "\tx", "x\u00a0", " ", "\u3000x"])
def test_cells_with_white_space_at_an_end_are_quoted(text: str) -> None:
    rows = [success({"City": "plain"}), success({"City": text, "Height": 5}, 2)]
    lines = written(rows, guard=False)[0]["results.csv"].decode().split("\r\n")
    assert lines[1] == "task-1,plain,,ok,,"
    assert f'"{text}"' in lines[2]
    assert table("\r\n".join(lines).encode())[2][1:3] == [text, "5"]


def test_a_prompt_file_separated_by_semicolons_gets_semicolons() -> None:
    files, _warnings = written([success({"City": "a;b,c", "Height": 5})], separator=";")
    assert files["results.csv"].decode() == (
        '\ufeffcustom_id;City;Height;status;error_code;error_message\r\ntask-1;"a;b,c";5;ok;;\r\n'
    )


@pytest.mark.parametrize(
    ("text", "shown"), [("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("a\nb", "a\nb"), ("\r\r\n", "\n\n")]
)
def test_the_sheet_has_excels_own_line_breaks(text: str, shown: str) -> None:
    files, _warnings = written([success({"City": text}, Note=text)], own=["Note"], guard=False)
    assert sheet(files["results.xlsx"])[1][1:3] == [shown, shown]
    assert b"_x000D_" not in zipfile.ZipFile(io.BytesIO(files["results.xlsx"])).read("xl/worksheets/sheet1.xml")
    assert json.loads(files["results.jsonl"])["input"] == {"Note": text}
    assert table(files["results.csv"])[1][1] == text


TYPED: list[tuple[Any, Any, str]] = [
    (5, 5, "General"),
    (1.5, 1.5, "General"),
    (True, True, '"TRUE";"TRUE";"FALSE"'),
    (Decimal("12.340"), 12.34, "General"),
    (Decimal("12345678901234567.25"), "12345678901234567.25", "General"),
    (1234567890123456789, "1234567890123456789", "General"),
    (date(2026, 3, 29), datetime(2026, 3, 29), "yyyy\\-mm\\-dd"),  # noqa: DTZ001 - cells know no zone
    (date(1899, 1, 1), "1899-01-01", "General"),
    (datetime(2026, 3, 29, 13, 5), datetime(2026, 3, 29, 13, 5), "yyyy\\-mm\\-dd\\ hh:mm:ss"),  # noqa: DTZ001
    (datetime(2026, 3, 29, 13, 5, tzinfo=UTC), "2026-03-29 13:05:00+00:00", "General"),
    (time(9, 30), time(9, 30), "hh:mm:ss"),
    (timedelta(hours=30, minutes=5), timedelta(hours=30, minutes=5), "[h]:mm:ss"),
    (b"\x00\x01", "AAE=", "General"),
    ([1, None], "[1,null]", "General"),
    (None, None, "General"),
    ("00042", "00042", "General"),
]


@pytest.mark.parametrize(("value", "cell", "number_format"), TYPED)
def test_own_columns_have_the_types_that_the_prompt_file_gave_them(value: Any, cell: Any, number_format: str) -> None:
    good = success({"City": "x"}, V="shown")._replace(typed={"V": value})
    bad = failure(2, V="shown")._replace(typed={"V": value})
    files, _warnings = written([good, bad], own=["V"])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    assert [page["B2"].value, page["B3"].value] == [cell, cell]
    assert [page["B2"].number_format, page["B3"].number_format] == [number_format] * 2
    assert [line[1] for line in table(files["results.csv"])[1:]] == ["shown", "shown"]
    assert json.loads(files["results.jsonl"])["input"] == {"V": "shown"}


def test_failed_rows_are_marked_over_their_whole_width() -> None:
    files, _warnings = written([success({"City": "x"}), failure(2)])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    assert {cell.fill.fgColor.rgb for cell in page[3]} == {"FFFFC7CE"}
    assert {cell.fill.fill_type for cell in page[2]} == {None}


def test_columns_are_as_wide_as_their_content_and_longer_texts_are_wrapped() -> None:
    answers = [{"City": "x" * 30, "Height": 1}, {"City": "y" * 500, "Height": 2}, {"City": "日" * 25, "Height": 3}]
    files, _warnings = written([success(answer, row, Note="ab") for row, answer in enumerate(answers, 1)], own=["Note"])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    widths = {letter: page.column_dimensions[letter].width for letter in "BCD"}
    assert widths["C"] == pytest.approx(61.7)
    assert widths["B"] < 10
    assert widths["D"] < 12
    assert [bool(page[f"C{row}"].alignment.wrap_text) for row in (2, 3, 4)] == [False, True, False]
    assert [page.row_dimensions[row].height for row in (2, 3, 4)] == [None, 9 * 15, None]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 60, 1),
        ("word", 60, 1),
        (f"{'word ' * 12}ends", 60, 2),
        ("y" * 60, 60, 1),
        ("y" * 61, 60, 2),
        ("y" * 121, 60, 3),
        ("abcdef abcdef abcdef", 10, 3),
        ("ab abcdefghijkl cd", 10, 3),
        ("one\ntwo\n\nthree", 60, 4),
        ("日" * 61, 60, 3),
        ("日" * 31, 60, 2),
        ("ж" * 60, 60, 1),
    ],
)
def test_a_wrapped_text_takes_as_many_lines_as_its_words_and_wide_characters_need(
    text: str, width: int, lines: int
) -> None:
    assert line_count(text, width) == lines


def test_texts_of_wide_characters_are_wrapped_where_they_are_wider_than_the_column() -> None:
    answers = [{"City": "日" * 61, "Height": 1}, {"City": "日" * 31, "Height": 2}, {"City": "日" * 30, "Height": 3}]
    files, _warnings = written([success(answer, row) for row, answer in enumerate(answers, 1)])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    assert [bool(page[f"B{row}"].alignment.wrap_text) for row in (2, 3, 4)] == [True, True, False]
    assert [page.row_dimensions[row].height for row in (2, 3, 4)] == [3 * 15, 2 * 15, None]


@pytest.mark.parametrize(
    ("value", "side", "indent"),
    [
        (7, "right", 1),
        (-0.5, "right", 1),
        (Decimal("1.5"), "right", 1),
        (date(2026, 3, 1), "right", 1),
        (time(12), "right", 1),
        (True, "center", 0),
    ],
)
def test_numbers_keep_away_from_a_text_in_the_next_column(value: object, side: str, indent: int) -> None:
    rows = [success({"City": "x"}, V="shown"), failure(2, V="shown")]
    files, _warnings = written([row._replace(typed={"V": value}) for row in rows], own=["V"])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    for row in (2, 3):
        alignment = page[f"B{row}"].alignment
        assert (alignment.horizontal, alignment.indent) == (side, indent)
        assert page[f"A{row}"].alignment.horizontal is None


@pytest.mark.parametrize(
    ("value", "characters"),
    [
        (date(2026, 3, 1), 10),
        (datetime(2026, 3, 1), 19),  # noqa: DTZ001 - cells know no zone
        (datetime(2026, 3, 1, 10, 20, 30, 456000), 23),  # noqa: DTZ001
        (time(12), 8),
        (time(12, 0, 0, 456000), 12),
        (timedelta(days=1), 11),
    ],
)
def test_a_column_of_times_is_wide_enough_to_show_them(value: object, characters: int) -> None:
    files, _warnings = written([success({}, When=value)], own=["When"])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    assert page.column_dimensions["B"].width == pytest.approx(characters + 3.7)


def test_a_header_that_is_longer_than_its_column_makes_it_wider() -> None:
    files, _warnings = written([success({})], own=["How many floors it has"])
    page = openpyxl.load_workbook(io.BytesIO(files["results.xlsx"])).active
    assert page is not None
    assert 25 < page.column_dimensions["B"].width < 30


DOCS = (PROJECT / "docs" / "results.md").read_text("utf-8")


def example_of(name: str) -> str:
    """Take a file's example from the documentation."""
    return DOCS.split(f"## `{name}`")[1].split("```")[1].partition("\n")[2]


def test_the_documentation_s_examples_are_what_is_written() -> None:
    inner = {"type": "object", "properties": {"City": {"type": "string"}}}
    types = {"BuildingName": {"type": "string"}, "HeightInFeet": {"type": "integer"}, "Address": inner}
    answer = {"BuildingName": "The Shard", "HeightInFeet": 1016, "Address": {"City": "London"}}
    good = replace(success(answer, Ticket="A-1"), custom_id="task-0")
    good = replace(good, outcome=replace(good.outcome, custom_id="task-0", model="gpt-4o-2024-08-06"))
    refused = Outcome(
        row=2,
        custom_id="task-1",
        code=RowCode.REFUSAL,
        message="The model refused to answer.",
        text="I'm sorry, I can't help with that.",
        finish_reason="stop",
        model="gpt-4o-2024-08-06",
        usage=Usage(80, 11),
        attempts=1,
    )
    body = {"model": "gpt-4o-batch", "messages": [{"role": "user", "content": "How high is it?"}]}
    request = {"custom_id": "task-1", "method": "POST", "url": "/chat/completions", "body": body}
    message = 'The row has no prompt: its cell under "Prompt" is empty, and the job has no template.'
    unsent = Outcome(row=3, custom_id="row-3", code=RowCode.MISSING_PROMPT, message=message)
    rows = [
        good,
        FailedRow(custom_id="task-1", input={"Ticket": "=A-2"}, outcome=refused, request=request),
        FailedRow(
            custom_id="row-3",
            input={"Ticket": "A-3"},
            outcome=unsent,
            source={"Prompt": "", "Ticket": "A-3"},
        ),
    ]
    files, _warnings = written(rows, ["Ticket"], fields_of({"type": "object", "properties": types}))
    for name in ("results.jsonl", "errors.jsonl"):
        assert files[name].decode() == example_of(name)
    assert files["results.csv"].decode("utf-8-sig").replace("\r\n", "\n") == example_of("results.csv")


def test_the_documentation_explains_every_code() -> None:
    explained = [line.split("`")[1] for line in DOCS.split("\n") if line.startswith("| `")]
    assert explained == [code.value for code in RowCode]


def test_the_documentation_s_status_has_the_keys_and_the_states_that_are_written() -> None:
    time = datetime(2026, 11, 22, tzinfo=UTC)
    job = Job(
        job_id="j",
        prompt_file="f",
        source_etag="e",
        state=JobState.RUNNING,
        created_at=time,
        updated_at=time,
        progress_at=time,
    )
    batch = Batch(job_id="j", index=0, attempt=1, state=BatchState.PREPARED, model="m", url="/", requests=1)
    status, shown = report(job, [batch], time), json.loads(example_of("status.json"))
    assert list(shown) == list(status)
    for part in ("rows", "usage", "cost"):
        assert list(shown[part]) == list(status[part])
    assert list(shown["batches"][0]) == list(status["batches"][0])
    explained = DOCS.split("## `status.json`")[1].split("## Why")[0]
    assert all(f"`{state.value}`" in explained for state in (*JobState, *BatchState))
