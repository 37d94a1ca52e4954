"""Workbooks as other programs write them: the field's cases (tests/data/field), and parts made in each one's manner."""

import io
import zipfile
from typing import Any

import pytest

from shared.answer_schema.schema_list import SchemaList
from shared.domain.model import Fault, JobCode, RowCode
from shared.job_settings import JobSettings
from shared.prompt_file import form_of, open_prompt_file
from shared.requests import RequestBuilder
from testing.paths import DATA
from testing.reading import Reading, read

FIELD = DATA / "field"

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>Prompt</t></is></c><c r="B1" t="inlineStr"><is><t>V</t></is></c></row>'
)


def case(name: str) -> Reading:
    """Read a case's file, `folder/file`."""
    return read("a.xlsx", (FIELD / name).read_bytes())


def relations(*parts: tuple[str, str]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(parts, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}">{listed}</Relationships>'


def book(sheet: str, texts: str = "", styles: str = "", dates: str = "", **more: str) -> bytes:
    """Pack a workbook of one sheet, given by what stands within `sheetData`, or by the whole part."""
    whole = sheet if "worksheet" in sheet else f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>'
    parts = {
        "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{dates}<sheets>'
        '<sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            ("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")
        ),
        "xl/worksheets/sheet1.xml": whole,
    }
    if texts:
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{texts}</sst>'
    if styles:
        parts["xl/styles.xml"] = f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in {**parts, **more}.items():
            archive.writestr(name, text)
    return out.getvalue()


def cell(xml: str, styles: str = "", dates: str = "", texts: str = "") -> str:
    """Read the text of one cell under V."""
    row = f'<row r="2"><c r="A2" t="inlineStr"><is><t>x</t></is></c>{xml}</row>'
    (values,) = read("a.xlsx", book(HEADER + row, styles=styles, dates=dates, texts=texts)).values
    return str(values["V"])


def formats(*codes: str) -> str:
    """Make styles 0, 1, … of these format codes."""
    listed = "".join(f'<numFmt numFmtId="{200 + number}" formatCode="{code}"/>' for number, code in enumerate(codes))
    used = "".join(f'<xf numFmtId="{200 + number}"/>' for number in range(len(codes)))
    return f"<numFmts>{listed}</numFmts><cellXfs>{used}</cellXfs>"


# Formulas that were never calculated, and errors.


@pytest.mark.parametrize(
    ("file", "rows", "columns"),
    [
        ("closedxml-formula-rows-all.xlsx", 4, {"Prompt": 3, "Ort": 3}),
        ("closedxml-formula-rows.xlsx", 3, {"Prompt": 3}),
        ("epplus-formulas.xlsx", 4, {"Prompt": 2, "F": 4}),
        ("excel4node-more.xlsx", 5, {"Prompt": 1, "F": 2}),
        ("exceljs-formulas.xlsx", 7, {"Prompt": 1, "F": 2}),
        ("one-formula-row.xlsx", 3, {"Prompt": 1, "Ort": 1}),
        ("formula-with-empty-result.xlsx", 1, {}),
    ],
)
def test_rows_of_formulas_that_were_never_calculated_are_rows(file: str, rows: int, columns: dict[str, int]) -> None:
    reading = case(f"xlsx-rows-of-formulas-without-values/{file}")

    assert len(reading.values) == rows
    for column, count in columns.items():
        cells = "1 cell" if count == 1 else f"each of {count} cells"
        assert any(f'Column "{column}": {cells} holds a formula that was never calculated' in n for n in reading.notes)
    assert len([note for note in reading.notes if "never calculated" in note]) == len(columns)
    assert all("open the workbook in Excel and save it" in note for note in reading.notes if "calculated" in note)


def test_a_row_of_error_cells_is_a_row() -> None:
    reading = case("xlsx-rows-of-formulas-without-values/one-error-row.xlsx")

    assert [values["Ort"] for values in reading.values] == ["Ulm", "", "Wien"]
    assert [note for note in reading.notes if 'Column "Ort": 1 cell holds an error such as #N/A' in note]


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ('<c r="B2" t="e"><v>#SPILL!</v></c>', "an error"),
        ('<c r="B2" t="e"><v>#ÜBERLAUF!</v></c>', "an error"),
        ('<c r="B2" t="e"/>', "an error"),
        ('<c r="B2" t="e"><f>1/0</f></c>', "an error"),
        ('<c r="B2"><v>NaN</v></c>', "an error"),
        ('<c r="B2" t="n"><v>-INF</v></c>', "an error"),
        ('<c r="B2" t="n"><v>Infinity</v></c>', "an error"),
        ('<c r="B2"><v>1E999</v></c>', "an error"),
        ('<c r="B2"><f>NOW()</f></c>', "never calculated"),
        ('<c r="B2" t="str"><f>A2</f></c>', "never calculated"),
        ('<c r="B2"><f t="shared" si="0"/></c>', "never calculated"),
        ('<c r="B2"><f>1+1</f><v/></c>', "never calculated"),
        ('<c r="B2"><f>1+1</f><v></v></c>', "never calculated"),
    ],
)
def test_a_cell_without_a_value_says_why_and_counts_as_its_row(xml: str, said: str) -> None:
    reading = read("a.xlsx", book(f'{HEADER}<row r="2">{xml}</row>'))

    assert reading.values == [{"Prompt": "", "V": ""}]
    assert said in (reading.records[0].gaps or {})["V"]
    assert said in reading.notes[0]


@pytest.mark.parametrize("xml", ['<c r="B2"/>', '<c r="B2" t="str"><f>A9</f><v></v></c>', '<c r="B2" t="s"><v/></c>'])
def test_what_is_empty_in_excel_too_is_no_row(xml: str) -> None:
    assert read("a.xlsx", book(f'{HEADER}<row r="2">{xml}</row>')).fault is JobCode.EMPTY_FILE


# Numbers.


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("1234567890123456789", "1234567890123456789"),
        ("-1234567890123456789", "-1234567890123456789"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.2345678901234568E+18", "1234567890123456800"),
        ("12345678901234567.0", "12345678901234567"),
        ("9.007199254740993E15", "9007199254740993"),
        ("1E+21", "1e+21"),
        ("1.23456789012346E+18", "1.23456789012346e+18"),
        ("\n 7 \n", "7"),
        ("007", "7"),
        ("0.1", "0.1"),
        ("-0", "0"),
        (".5", "0.5"),
        ("abc", "abc"),
        ("1_000", "1_000"),
    ],
)
def test_whole_numbers_keep_all_the_digits_that_the_file_has(content: str, text: str) -> None:
    assert cell(f'<c r="B2"><v>{content}</v></c>') == text


def test_whole_numbers_that_the_workbook_holds_rounded_are_warned_of() -> None:
    reading = case("xlsx-long-whole-numbers/posts.xlsx")

    assert [values["Id"] for values in reading.values] == ["1294030472427835000"] * 2 + ["1294030472427836000"]
    assert 'Column "Id": each of 3 cells holds a whole number of more than 15 digits' in reading.notes[0]
    assert "Store such numbers as texts" in reading.notes[0]


def test_whole_numbers_that_the_workbook_holds_exactly_are_not_warned_of() -> None:
    rows = '<row r="2"><c r="A2"><v>1234567890123456789</v></c><c r="B2"><v>12345678901234567.0</v></c></row>'

    assert read("a.xlsx", book(HEADER + rows)).notes == ()


# Dates.


@pytest.mark.parametrize(
    ("file", "dates"),
    [
        (
            "openxmlsdk-isodates.xlsx",
            [
                "2026-03-29",
                "2026-12-31 23:59:58",
                "2026-03-29",
                "2026-03-29 13:05:00.250",
                "2026-03-29",
                "13:05:00",
                "2026-03-29 13:05:00",
                "29.03.2026",
            ],
        ),
        (
            "sheetjs-cellDates.xlsx",
            [
                "2026-03-29",
                "2026-12-31 23:59:58",
                "1900-02-28",
                "2026-03-29 13:05:07.250",
                "2024-02-29 12:00:00",
                "00:00:00",
            ],
        ),
    ],
)
def test_iso_dates_are_read_like_any_date(file: str, dates: list[str]) -> None:
    assert [values["Datum"] for values in case(f"xlsx-iso-date-cells/{file}").values] == dates


def test_iso_dates_of_the_day_before_the_calendar_are_times() -> None:
    values = case("xlsx-iso-date-cells/xlsx-js-style-cellDates.xlsx").values

    assert [value["Zeit"] for value in values][:2] == ["13:05:00", "00:00:01"]


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        ("yyyy-mm-dd", "-5", "-5"),
        ("yyyy-mm-dd", "2958466", "2958466"),
        ("yyyy-mm-dd", "2958465", "9999-12-31"),
        ("yyyy-mm-dd", "1e300", "1e+300"),
        ("[h]:mm:ss", "1e300", "1e+300"),
        ("[h]:mm:ss", "-0.5", "-12:00:00"),
        ("dd.mm.yyyy\\ hh:mm;@", "46110.5", "2026-03-29 12:00:00"),
        ("[$-407]d. mmmm yyyy", "46110", "2026-03-29"),
        ("[Red]0.00", "46110", "46110"),
        ('0 "days"', "46110", "46110"),
        ("0\\d", "46110", "46110"),
        ("0.00E+00", "46110", "46110"),
        ("General", "46110", "46110"),
        ("h:mm AM/PM", "0.5", "12:00:00"),
        ("yyyy", "60", "1900-02-28"),
        ("yyyy", "61", "1900-03-01"),
    ],
)
def test_a_number_is_a_date_where_its_format_shows_one_that_exists(code: str, number: str, text: str) -> None:
    assert cell(f'<c r="B2" s="0"><v>{number}</v></c>', formats(code.replace('"', "&quot;"))) == text


# Texts.


@pytest.mark.parametrize("file", ["closedxml-emoji.xlsx", "miniexcel-emoji.xlsx"])
def test_two_escaped_halves_are_one_character(file: str) -> None:
    values = case(f"xlsx-emoji-as-surrogate-escapes/{file}").values

    assert values[0]["Prompt"] == "Übersetze: Danke 😀👍"


def test_a_half_alone_is_replaced_and_other_escapes_are_what_they_stand_for() -> None:
    values = case("xlsx-emoji-as-surrogate-escapes/inline-and-half-pairs.xlsx").values

    assert values == [
        {"Prompt": "Hallo 😀 Welt", "Wert": "\ufffd halb"},
        {"Prompt": "\n Zeile", "Wert": "\ttab _x0041_"},
    ]
    assert case("xlsx-emoji-as-surrogate-escapes/formula-result.xlsx").values[0]["Prompt"] == "Hallo 😀 \n"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("_xDE00__xD83D_", "\ufffd\ufffd"),
        ("_xd83d__xde00_", "😀"),
        ("_xD83D_ _xDE00_", "\ufffd \ufffd"),
        ("_x12_", "_x12_"),
    ],
)
def test_halves_in_any_order_and_case(written: str, text: str) -> None:
    assert cell(f'<c r="B2" t="str"><v>{written}</v></c>') == text


def test_empty_shared_texts_count_among_the_others() -> None:
    texts = "<si/><si><t/></si><si><t></t></si><si><r><t>right</t></r></si>"

    assert cell('<c r="B2" t="s"><v>3</v></c>', texts=texts) == "right"
    assert cell('<c r="B2" t="s"><v>0</v></c>', texts=texts) == ""


def test_indentation_between_elements_is_no_text() -> None:
    sheet = f"""<?xml version="1.0"?>
    <x:worksheet xmlns:x="{MAIN}">
      <x:sheetData>
        <x:row r="1">
          <x:c r="A1" t="inlineStr">
            <x:is>
              <x:t>Prompt</x:t>
            </x:is>
          </x:c>
        </x:row>
        <x:row r="2">
          <x:c r="A2" t="s">
            <x:v>
              0
            </x:v>
          </x:c>
        </x:row>
      </x:sheetData>
    </x:worksheet>"""
    texts = '<si>\n  <t>\n    Who built it?\n  </t>\n</si><si><t xml:space="preserve"> kept </t></si>'

    assert read("a.xlsx", book(sheet.strip(), texts)).values == [{"Prompt": "Who built it?"}]
    assert cell('<c r="B2" t="s"><v>1</v></c>', texts=texts) == " kept "


# Where parts lie, and which sheet is read.


def test_the_workbooks_part_may_lie_anywhere() -> None:
    assert case("xlsx-workbook-part-elsewhere/export.xlsx").values == [
        {"Id": "t1", "Text": "Where is my order?"},
        {"Id": "t2", "Text": "Thank you!"},
    ]


@pytest.mark.parametrize(
    "target", ["/Deep/Er/S 1.xml", "../Deep/Er/S%201.xml", "..\\Deep\\Er\\S 1.xml", "/deep/er/s 1.XML"]
)
def test_a_sheets_part_may_lie_anywhere(target: str) -> None:
    data = book(
        "",
        **{
            "xl/_rels/workbook.xml.rels": relations(("worksheet", target)),
            "Deep/Er/S 1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{HEADER}<row><c><v>1</v></c></row></sheetData>'
            "</worksheet>",
        },
    )

    assert read("a.xlsx", data).values == [{"Prompt": "1", "V": ""}]


@pytest.mark.parametrize(
    ("file", "rows"),
    [("empty-ref", 1), ("epplus-far-styles", 6), ("epplus-last-row", 6), ("whole-rows", 1), ("with-dollars", 1)],
)
def test_the_dimension_is_a_hint(file: str, rows: int) -> None:
    assert len(case(f"xlsx-dimension-of-whole-columns/{file}.xlsx").values) == rows


@pytest.mark.parametrize("ref", ["A1", "A1:A1", "nonsense", "XFD1048576:A1"])
def test_a_dimension_that_is_wrong_limits_nothing(ref: str) -> None:
    row = '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c></row>'
    sheet = f'<worksheet xmlns="{MAIN}"><dimension ref="{ref}"/><sheetData>{HEADER}{row}</sheetData></worksheet>'

    assert read("a.xlsx", book(sheet)).values == [{"Prompt": "1", "V": "2"}]


MOVE_IT = "To have another one read, move it to the front."


def test_an_empty_sheet_first_is_passed_over_and_a_cover_sheet_is_named() -> None:
    empty = case("xlsx-empty-or-cover-sheet-first/closedxml-cover-empty-first.xlsx")
    cover = case("xlsx-empty-or-cover-sheet-first/closedxml-cover-first.xlsx")

    assert len(empty.values) == 6
    assert (
        empty.notes[0] == f'The workbook has 2 sheets; only the first that holds anything, "Daten", was read. {MOVE_IT}'
    )
    assert cover.headers == ("Auswertung",)
    assert cover.notes[0] == f'The workbook has 2 sheets; only the first, "Deckblatt", was read. {MOVE_IT}'


def test_a_stray_blank_far_out_is_no_row() -> None:
    assert len(case("xlsx-stray-blank-far-out/closedxml-space-at-GR200000.xlsx").values) == 6


def test_a_stray_cell_left_of_the_header_is_its_rows_fault_if_it_comes_late() -> None:
    header = '<row r="1"><c r="B1" t="str"><v>Prompt</v></c></row>'
    rows = "".join(f'<row r="{number}"><c r="B{number}"><v>1</v></c></row>' for number in range(2, 700))
    late = '<row r="700"><c r="A700"><v>5</v></c><c r="B700"><v>1</v></c></row>'

    *others, last = read("a.xlsx", book(header + rows + late)).records

    assert not any(record.fault for record in others)
    assert last.fault is not None
    assert "A700" in last.fault.message


def test_an_index_column_without_a_header_is_kept() -> None:
    header = '<row r="1"><c r="B1" t="str"><v>Prompt</v></c></row>'
    row = '<row r="2"><c r="A2"><v>0</v></c><c r="B2" t="str"><v>x</v></c></row>'

    assert read("a.xlsx", book(header + row)).values == [{"column 1": "0", "Prompt": "x"}]


# Excel tables.


@pytest.mark.parametrize(("file", "rows"), [("closedxml-listobject.xlsx", 6), ("exceljs-table-object.xlsx", 2)])
def test_a_tables_totals_are_no_row(file: str, rows: int) -> None:
    assert len(case(f"xlsx-totals-row-of-a-table/{file}").values) == rows


@pytest.mark.parametrize(
    ("tables", "rows"),
    [
        (['ref="A1:B3" totalsRowCount="1"'], 1),
        (['ref="A1:B3"'], 2),
        (['ref="A1:B3" totalsRowShown="1"'], 2),
        (['ref="A2:B3" totalsRowCount="1"'], 2),
        (['ref="A1:B3" totalsRowCount="1"', 'ref="D1:E3" totalsRowCount="1"'], 2),
    ],
)
def test_only_the_totals_of_the_only_table_under_the_header_are_left_out(tables: list[str], rows: int) -> None:
    sheet = HEADER + "".join(f'<row r="{row}"><c r="A{row}"><v>{row}</v></c></row>' for row in (2, 3))
    parts = {f"xl/tables/t{n}.xml": f'<table xmlns="{MAIN}" {given}/>' for n, given in enumerate(tables)}
    links = relations(*(("table", f"../tables/t{number}.xml") for number in range(len(tables))))

    assert len(read("a.xlsx", book(sheet, **parts, **{"xl/worksheets/_rels/sheet1.xml.rels": links})).values) == rows


# Other formats under the name.


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("csv", "give it the extension .csv"),
        ("html", "it is HTML or XML"),
        ("ods", "an OpenDocument file (.ods)"),
        ("password", "protected by a password. Remove the password"),
        ("xls", "an older .xls workbook"),
        ("xlsb", "a binary workbook (.xlsb)"),
    ],
)
def test_another_format_under_the_name_is_recognised(file: str, said: str) -> None:
    reading = case(f"xlsx-is-another-format/{file}.xlsx")

    assert reading.fault is JobCode.INVALID_FILE
    assert said in reading.message
    assert "Save it again as Excel Workbook (.xlsx) or as CSV UTF-8." in reading.message


@pytest.mark.parametrize(
    ("data", "said"),
    [(b'[{"Prompt": "x"}]', "it is JSON"), (b"\xff\xfeP\0r\0", "a text"), (b"\0\1\2\3", "damaged or half written")],
)
def test_other_bytes_under_the_name(data: bytes, said: str) -> None:
    assert said in read("a.xlsx", data).message


# Types for the results.


def test_cells_keep_the_types_that_the_file_gave_them_beside_their_texts() -> None:
    row = (
        '<row r="2"><c r="A2" t="b"><v>1</v></c><c r="B2" s="0"><v>46110</v></c></row>'
        '<row r="3"><c r="A3"><v>1.5</v></c><c r="B3"><f>1</f></c></row>'
    )
    form = form_of("a.xlsx")
    assert form is not None
    records: list[Any] = list(open_prompt_file(form, [book(HEADER + row, styles=formats("yyyy-mm-dd"))]).records)

    assert [record.values for record in records] == [{"Prompt": "TRUE", "V": "2026-03-29"}, {"Prompt": "1.5", "V": ""}]
    assert records[0].typed["Prompt"] is True
    assert records[0].typed["V"].isoformat() == "2026-03-29"
    assert records[1].typed["Prompt"] == 1.5


def test_the_fault_of_a_row_without_a_prompt_says_that_its_formula_was_never_calculated() -> None:
    reading = case("xlsx-rows-of-formulas-without-values/one-formula-row.xlsx")
    builder = RequestBuilder(
        JobSettings(require_schema=False),
        prompt_file="a.xlsx",
        headers=reading.headers,
        default_model="gpt-4o",
        schemas=SchemaList(lambda line: None),
    )

    fault = builder.build(reading.records[1])

    assert isinstance(fault, Fault)
    assert fault.code is RowCode.MISSING_PROMPT
    assert 'Its cell under "Prompt" holds a formula that was never calculated: open the workbook' in fault.message
