"""Files that users reported (tests/data/field) and their kin: what is read, or what the message says."""

from typing import Any

import pytest

from shared.domain.model import JobCode, RowCode
from testing.paths import DATA
from testing.reading import Reading, read

FIELD = DATA / "field"
EXPORTED = [
    {"Ticket No": "00042", "Kunde": 'Müller & Söhne "GmbH"', "Prompt": "Wie hoch ist der Turm?\nBitte in Metern."},
    {"Ticket No": "1234567890123456", "Kunde": "Zoë, 😀; Straße", "Prompt": "Zeile 1\r\nZeile 2"},
    {"Ticket No": "7", "Kunde": "", "Prompt": "  letzte  "},
]

ROWS: dict[str, list[dict[str, Any]]] = {
    "csv-backslash-quotes/tickets.csv": [
        {"Id": "t1", "Text": 'She said "hello" twice', "Note": "a"},
        {"Id": "t2", "Text": 'Its screen is 7"', "Note": "b"},
        {"Id": "t3", "Text": "plain text", "Note": "c"},
        {"Id": "t4", "Text": "last", "Note": "d"},
    ],
    "csv-empty-cells-beyond-header/orders.csv": [
        {"Id": "t1", "Text": "Where is my order?"},
        {"Id": "t2", "Text": "Thank you!"},
        {"Id": "t3", "Text": "No comma here"},
    ],
    # Read as it is written: a text that Excel shows without the formula around it.
    "csv-excel-text-formulas/formula-excel.csv": [
        {"Prompt": "a", "Nr": '="00042"'},
        {"Prompt": "b", "Nr": '="00043"'},
    ],
    "csv-other-separators/pipe.csv": [{"Prompt": "Wie hoch?", "Ort": "Ulm"}],
    "csv-other-separators/tab-named-csv.csv": [{"Prompt": "Wie hoch?", "Ort, Land": "Ulm, DE"}],
    "csv-semicolons-and-commas-in-headers/produkte.csv": [
        {"Id (leer, falls neu)": "t1", "Text": "Lampe", "Preis (EUR, netto)": "3,50"}
    ],
    "csv-semicolons-and-commas-in-headers/umfrage.csv": [
        {"Id": "t1", "Text": "Alles gut", "Alter, Beruf": "34, Koch", "Ort, Land": "Bonn, DE"},
        {"Id": "t2", "Text": "Zu teuer", "Alter, Beruf": "51, Arzt", "Ort, Land": "Wien, AT"},
    ],
    "csv-space-before-quote/orders.csv": [
        {"Id": "t1", "Text": "Late, and broken", "Note": " x"},
        {"Id": "t2", "Text": "Fine", "Note": " y"},
    ],
    "invisible-characters-in-headers/feff-inside-header.csv": [{"Ort": "Ulm", "Prompt": "Wie hoch?"}],
    "invisible-characters-in-headers/feff-quoted-inside.csv": [{"Prompt": "Wie hoch?", "Ort": "Ulm"}],
    "invisible-characters-in-headers/nbsp-header.csv": [
        {"Ticket\xa0No": "1", "Prompt": "Wie hoch?", "Custom\xa0ID": "x-1"}
    ],
    "invisible-characters-in-headers/zwsp-header.csv": [{"Prompt": "Wie hoch?", "Ort": "Ulm"}],
    "json-object-around-the-rows/columns-lists.json": [{"Prompt": ["a", "b"], "Ort": ["x", "y"]}],
    "json-object-around-the-rows/data-wrapper.json": [{"Prompt": "a"}, {"Prompt": "b"}],
    "json-object-around-the-rows/rows-wrapper.json": [{"Prompt": "a"}, {"Prompt": "b"}],
    "json-trailing-comma-and-comments/trailing-comma.json": [{"Prompt": "a"}, {"Prompt": "b"}],
    "trailing-control-bytes/ctrl-z-line.csv": [{"Prompt": "Wie hoch?", "Ort": "Ulm"}],
    "trailing-control-bytes/ctrl-z.csv": [{"Prompt": "Wie hoch?", "Ort": "Ulm"}],
    "trailing-control-bytes/ctrl-z.jsonl": [{"Prompt": "a"}],
    "trailing-control-bytes/nul-in-cell.csv": [{"Prompt": "Wie\0hoch?", "Ort": "Ulm"}],
    "trailing-control-bytes/nul-tail.csv": [{"Prompt": "Wie hoch?", "Ort": "Ulm"}],
    "trailing-control-bytes/nul-tail.jsonl": [{"Prompt": "a"}],
}

FAULTS: dict[str, tuple[JobCode, str]] = {
    "csv-is-another-format/html-named.csv": (JobCode.INVALID_FILE, "The file is HTML or XML, not a table of texts."),
    "csv-is-another-format/json-array-named.csv": (JobCode.INVALID_FILE, "is a JSON array, not a table of texts. Name"),
    "csv-is-another-format/jsonl-named.csv": (JobCode.INVALID_FILE, "Name it .jsonl if each line is one object"),
    "csv-is-another-format/nul-all.csv": (JobCode.EMPTY_FILE, "holds only NUL or control bytes. Upload it again"),
    "csv-old-mac-line-ends/fast-cr.csv": (JobCode.INVALID_FILE, "the line ends of an old Mac?"),
    "csv-old-mac-line-ends/mac-cr.csv": (JobCode.INVALID_FILE, "the line ends of an old Mac?"),
    "json-array-named-jsonl/indented.jsonl": (JobCode.INVALID_FILE, "The file is a JSON array, not one object a line."),
    "json-object-around-the-rows/comment-before.json": (JobCode.INVALID_FILE, "a comment, which JSON does not have"),
    "jsonl-pretty-printed/pretty.jsonl": (JobCode.INVALID_FILE, "spread over several lines. Write each on one line"),
    "jsonl-pretty-printed/ps-lines-pretty.jsonl": (JobCode.INVALID_FILE, "in PowerShell: ConvertTo-Json -Compress"),
}

_STRAIGHT = "in double quotes. Use straight double quotes (\"), not “ ” or '."
ROW_FAULTS: dict[str, list[str | None]] = {
    "csv-curly-quotes/curly-cell.csv": [_STRAIGHT, None],
    "csv-curly-quotes/curly-quotes.csv": [_STRAIGHT],
    "csv-curly-quotes/single-quotes.csv": [_STRAIGHT],
    "csv-old-mac-line-ends/mac-cr.jsonl": ["holds a carriage return between objects: end each line with a line feed"],
    "csv-old-mac-line-ends/mixed-ends.csv": [None, "holds a carriage return outside of quotes", None],
    "json-array-named-jsonl/one-line.jsonl": ["is a list and not a JSON object: if the file is a JSON array, name it"],
    "json-trailing-comma-and-comments/comments.json": ["has a comment, which JSON does not have"] * 2,
    "json-trailing-comma-and-comments/single-quotes.json": ["has single quotes at character 2; JSON has double"],
    "json-trailing-comma-and-comments/trailing-comma-object.json": [
        "illegal trailing comma before end of object",
        None,
    ],
    "jsonl-pretty-printed/concatenated.jsonl": ["holds several objects: write each on its own line"] * 2,
    "jsonl-pretty-printed/newline-in-string.jsonl": ["does not end in this line; write a line break as \\n", "", None],
}


def read_case(name: str) -> Reading:
    return read(name, (FIELD / name).read_bytes())


@pytest.mark.parametrize("name", ROWS)
def test_reported_files_are_read_as_their_authors_mean(name: str) -> None:
    assert read_case(name).values == ROWS[name]


@pytest.mark.parametrize("name", FAULTS)
def test_reported_files_that_cannot_be_read_are_refused_with_what_to_do(name: str) -> None:
    reading = read_case(name)

    assert reading.fault is FAULTS[name][0]
    assert FAULTS[name][1] in reading.message


@pytest.mark.parametrize("name", ROW_FAULTS)
def test_reported_rows_say_what_is_wrong_with_them(name: str) -> None:
    reading = read_case(name)

    assert reading.fault is None
    assert len(reading.records) == len(ROW_FAULTS[name])
    for record, said in zip(reading.records, ROW_FAULTS[name], strict=True):
        assert (record.fault is None) == (said is None)
        if record.fault is not None:
            assert str(said) in record.fault.message


@pytest.mark.parametrize(
    "name",
    [
        "csv-powershell-type-line/ps-typeinfo.csv",
        "csv-powershell-type-line/ps-typeinfo-culture.csv",
        "csv-powershell-type-line/ps51-redirect.csv",
        "csv-other-separators/ps-pipe.csv",
    ],
)
def test_what_powershell_exports_is_read(name: str) -> None:
    values = read_case(name).values

    assert [{key: row[key] for key in ("Ticket No", "Kunde", "Prompt")} for row in values] == EXPORTED
    assert len(values[0]) == 7


@pytest.mark.parametrize("name", ["ps-single.json", "ps-single-in-array.json"])
def test_one_object_is_one_row(name: str) -> None:
    (row,) = read_case(f"json-object-around-the-rows/{name}").values

    assert row["Prompt"] == "Wie hoch ist der Turm?\nBitte in Metern."


OWN: list[tuple[str, str, list[list[str]]]] = [
    # Quotes within a quoted cell: not escaped, escaped, at its end, over lines, in the last row.
    ("inner", 'a,b,c\n1,"say "hi" now",x\n2,"y",z\n', [["1", 'say "hi" now', "x"], ["2", "y", "z"]]),
    ("inch at the end", 'a,b,c\n1,"size 5"",x\n2,"y",z\n', [["1", 'size 5"', "x"], ["2", "y", "z"]]),
    ("inch in the last row", 'a,b,c\n1,"size 5"",x\n', [["1", 'size 5"', "x"]]),
    ("inch before plain rows", 'a,b\n1,"5""\n2,x\n3,y\n', [["1", '5"'], ["2", "x"], ["3", "y"]]),
    (
        "over lines",
        'a,b,c\n1,"one\nsaid "two" here",x\n2,y,z\n',
        [["1", 'one\nsaid "two" here', "x"], ["2", "y", "z"]],
    ),
    ("doubled over lines", 'a,b\n1,"x ""hi"",\nthen "y" ok"\n2,z\n', [["1", 'x "hi",\nthen "y" ok'], ["2", "z"]]),
    ("escaped at the end", 'a,b\n1,"7\\""\n2,"8\\""\n3,"z"\n', [["1", '7"'], ["2", '8"'], ["3", "z"]]),
    ("escaped backslash", 'a,b\n1,"C:\\\\ \\"x\\""\n', [["1", 'C:\\ "x"']]),
    ("json, escaped", 'a,b\n1,"{\\"k\\": \\"v, w\\"}"\n2,x\n', [["1", '{"k": "v, w"}'], ["2", "x"]]),
    ("a path is no escape", 'a,b\n1,"C:\\"\n2,x\n', [["1", "C:\\"], ["2", "x"]]),
    ("one column", 'Prompt\n"Say "hi" to him\nand go"\n"next"\n', [['Say "hi" to him\nand go'], ["next"]]),
    # White space around quoted cells.
    ("space after", 'a,b\n"1" ,"x, y"\t\n', [["1", "x, y"]]),
    ("spaces before", 'a, "b"\n1,   "x, ""y"""\n', [["1", 'x, "y"']]),
    ("tab before", 'a,b\n1,\t"x, y"\n', [["1", "x, y"]]),
    ("semicolons", 'a;b\n1; "x; y"\n2; "z"\n', [["1", "x; y"], ["2", "z"]]),
    ("a cell of its own quotes", 'a,b\n1," ""x"" "\n', [["1", ' "x" ']]),
    # Cells beyond the header.
    ("a separator more in each row", "a,b,\n1,2,\n3,4,\n", [["1", "2", ""], ["3", "4", ""]]),
    ("many", "a,b\n1,2,,,,\n3,4, \n", [["1", "2"], ["3", "4"]]),
    ("tabs", "a\tb\n1\t2\t\t\n", [["1", "2"]]),
    # Separators.
    ("sep line of any kind", "sep=^\na^b\n1^2\n", [["1", "2"]]),
    ("sep line after a type line", "#TYPE X\nsep=;\na;b,c\n1;2,3\n", [["1", "2,3"]]),
    ("type line after a sep line", '"sep=;"\n#TYPE X\na;b,c\n1;2,3\n', [["1", "2,3"]]),
    ("quoted type line", '"#TYPE X"\na,b\n1,2\n', [["1", "2"]]),
    ("sep line as excel saves it", "sep=;,,\na;b\n1;2\n", [["1", "2"]]),
    ("pipe in a tie with a meaning", "Prompt|a,x\nQ|1,2\n", [["Q", "1,2"]]),
    ("a tie that the rows decide", "a, b;c\n1;2\n", [["1", "2"]]),
    # A header again, where files were joined.
    ("header again", "a,b\n1,2\na,b\n3,4\n", [["1", "2"], ["3", "4"]]),
    ("header again with a mark", "a,b\n1,2\n\ufeffa,b\n3,4\n", [["1", "2"], ["3", "4"]]),
    ("quoted header again with a mark", '"a","b"\n"1","2"\n\ufeff"a","b"\n"3","4"\n', [["1", "2"], ["3", "4"]]),
    ("type line again", "#TYPE X\na,b\n1,2\n#TYPE X\na,b\n3,4\n", [["1", "2"], ["3", "4"]]),
    # Control characters.
    ("ctrl-z between joined files", "a,b\n1,2\n\x1a\n3,4\n\x1a", [["1", "2"], ["3", "4"]]),
    ("nuls and line ends", "a,b\n1,2\r\n\0\0\r\n\0", [["1", "2"]]),
    ("one column and nuls", "a\n1\n\0\0\n2\n", [["1"], ["2"]]),
]


@pytest.mark.parametrize(("text", "cells"), [case[1:] for case in OWN], ids=[case[0] for case in OWN])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_tables_of_the_same_kinds_are_read_as_they_are_meant(text: str, cells: list[list[str]], size: int) -> None:
    name = "a.tsv" if "\t2" in text else "a.csv"

    assert [list(row.values()) for row in read(name, text.encode(), size).values] == cells


@pytest.mark.parametrize(
    ("text", "faults", "ids"),
    [
        ('a,b,c\n1,"open,x\n2,"y",z\n3,p,q\n', [1], ["2", "3"]),
        ('a,b,c\n1,"say "hi" now,x\n2,"y",z\n', [1], ["2"]),
        ('a,b,c\n1,"x" y "z,w\n2,"y",z\n3,"k","l"\n', [1], ["2", "3"]),
        ('a,b\n1,"x"y","z"w"\n2,u\n', [1], ["2"]),
    ],
)
def test_a_row_whose_quotes_make_no_sense_is_its_own_fault_and_takes_no_other_row(
    text: str, faults: list[int], ids: list[str]
) -> None:
    for size in (1, 1 << 20):
        reading = read("a.csv", text.encode(), size)
        assert reading.fault is None
        faulty = [record for record in reading.records if record.fault]
        assert [record.row for record in faulty] == faults
        assert {record.fault.code for record in faulty if record.fault} == {RowCode.INVALID_REQUEST}
        assert [record.values["a"] for record in reading.records if not record.fault] == ids


def test_many_odd_rows_cost_no_more_than_a_few_looks_each() -> None:
    reading = read("a.csv", b"Id,Text,Note\n" + b't,"Its screen is 7\\"",b\n' * 5000)

    assert [row["Text"] for row in reading.values] == ['Its screen is 7"'] * 5000


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a": 1},', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'\x1e{"a": 1}', {"a": 1}),
        (b',{"a": 1} ,', {"a": 1}),
        (b'{"a": 1}\x1e', {"a": 1}),
    ],
)
def test_what_joined_files_leave_around_a_line_does_not_count(line: bytes, value: dict[str, object]) -> None:
    assert read("a.jsonl", b'{"a": 0}\n' + line + b'\n{"a": 2}\n').values == [{"a": 0}, value, {"a": 2}]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_in_utf_16_with_a_mark_is_read(name: str, encoding: str) -> None:
    text = '{"a": "東京🗼"}\r\n'
    for size in (1, 5, 1 << 20):
        assert read(name, f"\ufeff{text}".encode(encoding), size).values == [{"a": "東京🗼"}]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": 1}', [{"a": 1}]),
        (' {"items": [ {"a": 1}, {"a": 2} ], "next": null, "errors": []} \n', [{"a": 1}, {"a": 2}]),
        ('{"x": [1], "items": [{"a": "]}"}]}', [{"a": "]}"}]),
        ('{"items": [{"a": 1}], "Prompt": "Q"}', [{"items": [{"a": 1}], "Prompt": "Q"}]),
        ('{"a": [{"x": 1}], "b": [{"y": 1}]}', [{"a": [{"x": 1}], "b": [{"y": 1}]}]),
        ('{"tags": [{"x": 1}], "url": "u", "body": {}}', [{"tags": [{"x": 1}], "url": "u", "body": {}}]),
        ('{"rows": [{"a": 1},]}', [{"a": 1}]),
    ],
)
def test_an_object_is_the_one_array_of_objects_in_it_or_a_row(text: str, values: list[dict[str, object]]) -> None:
    for size in (1, 1 << 20):
        assert read("a.json", text.encode(), size).values == values


@pytest.mark.parametrize("text", ['{"a": 1', '{"a": [{"b": 1}', '{"a": "x', '{"rows": [{"a": 1}]} {', '{"a": 1}]'])
def test_an_object_that_is_cut_off_or_goes_on_is_refused(text: str) -> None:
    assert read("a.json", text.encode()).fault is JobCode.INVALID_FILE


@pytest.mark.parametrize("text", ["{]}", '{"a" 1}', '{"a": 1,, "b": 2}', '{"a": "\t"}', "{1: 2}", '{"a": }'])
def test_an_object_that_is_no_json_is_one_row_with_a_fault(text: str) -> None:
    reading = read("a.json", text.encode())

    assert reading.fault is JobCode.INVALID_FILE or [record.fault is not None for record in reading.records] == [True]


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ('{"a": NaN}', "NaN is not a JSON value: write null"),
        ('{"a": None}', "None at character 7 is not a JSON value: write null"),
        ('{"a": True}', "True at character 7 is not a JSON value: write true"),
        ('{"a": “x”}', "it has curly quotes at character 7"),
        ('{"a": "\\ud800"}', "half a surrogate pair"),
        ('{"a": 1} # done', "goes on after its end"),
    ],
)
def test_habits_of_other_languages_are_named(element: str, said: str) -> None:
    record = read("a.jsonl", f'{{"n": 1}}\n{element}\n'.encode()).records[1]

    assert record.fault is not None
    assert said in record.fault.message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "is compressed with gzip: add .gz to its name"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0", "name a workbook .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an old Excel workbook (.xls)"),
        (b"PAR1\x15\x04\x15\x10", "is a Parquet file"),
        (b"%PDF-1.7\n", "is a PDF"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json"])
def test_binary_files_under_a_texts_name_are_told_their_own(name: str, data: bytes, said: str) -> None:
    for size in (1, 1 << 20):
        reading = read(name, data, size)
        assert reading.fault is JobCode.NOT_UTF8
        assert said in reading.message


def test_objects_over_several_lines_are_one_fault_but_a_broken_first_line_is_its_own() -> None:
    nested = b'{\n  "messages": [\n    {"role": "user"}\n  ]\n}\n'
    assert read("a.jsonl", nested * 3, 5).fault is JobCode.INVALID_FILE

    reading = read("a.jsonl", b'{\n{"a": 1}\n{"a": 2}\n', 5)
    assert reading.fault is None
    assert [record.fault is not None for record in reading.records] == [True, False, False]
