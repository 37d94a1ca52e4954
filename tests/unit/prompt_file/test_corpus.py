"""Files as real programs write them (made by us, in tests/data/prompt_files): what each gives, row by row."""

from typing import Any

import pytest

from shared.domain.model import JobCode
from testing.paths import DATA
from testing.reading import read

CORPUS = DATA / "prompt_files"

TOWERS = [
    {
        "Custom ID": "001",
        "Prompt": 'Who built "the Shard", and when?',
        "Höhe": "309.6",
        "Opened": "2012-07-05",
        "Note": "Two\nlines",
    },
    {"Custom ID": "2", "Prompt": "東京タワー?", "Höhe": "333", "Opened": "1958-12-23", "Note": ""},
]

ROWS: dict[str, list[dict[str, Any]]] = {
    "libreoffice.csv": TOWERS,
    "libreoffice.xlsx": TOWERS,
    "excel-utf8.csv": [
        {"Custom ID": "task-1", "Prompt": 'Who built the "Shard"?', "Note": "größte"},
        {"Custom ID": "task-2", "Prompt": "Two\nlines, one cell", "Note": ""},
    ],
    "excel-semicolon.csv": [
        {"Custom ID": "task-1", "Prompt": "Wer baute das Empire State Building, und wann?", "Höhe": "381,0"},
        {"Custom ID": "task-2", "Prompt": "Zwei; drei", "Höhe": "443,2"},
    ],
    "excel-sep-line.csv": [{"Custom ID": "a", "Prompt": "One, two, three"}],
    "excel-unicode-text.tsv": [
        {"Custom ID": "task-1", "Prompt": 'Café, "Zoë"'},
        {"Custom ID": "task-2", "Prompt": "東京タワー"},
    ],
    "powershell-5.csv": [{"Custom ID": "task-1", "Prompt": "Who built the Chrysler Building?"}],
    "powershell-5-big-endian.csv": [{"Custom ID": "task-1", "Prompt": "Where is the Burj?"}],
    "pandas-index.csv": [
        {"column 1": "0", "Prompt": "Hello, world", "score": "1.0"},
        {"column 1": "1", "Prompt": "Bye", "score": ""},
    ],
    "pandas-records.jsonl": [
        {"Prompt": "Café", "score": 1.5, "tags": None},
        {"Prompt": "a/b", "score": None, "tags": ["x", "y"]},
    ],
    "pandas-records.json": [{"Prompt": "Café", "score": 1.5}, {"Prompt": "}],[{", "score": None}],
    "json-tool-indented.json": [{"Prompt": "One", "tags": ["a", {"b": []}]}, {"Prompt": 'say "hi" \\'}],
    "google-sheets.csv": [
        {"Custom ID": "1", "Prompt": 'He said: "Hi, there"', "Notes": ""},
        {"Custom ID": "2", "Prompt": '=HYPERLINK("http://x")', "Notes": "a\nb"},
    ],
    "python-on-windows.csv": [{"Custom ID": "1", "Prompt": "One"}, {"Custom ID": "2", "Prompt": "Two"}],
    "double-bom.csv": [{"Prompt": "One"}],
    "unicode-line-ends.csv": [{"Prompt": "first\u2028second\u0085third", "Note": "x\x0cy"}],
    "powershell-5-out-file.jsonl": [{"prompt": "Where is the Burj?"}],
    "unicode-line-ends.jsonl": [{"Prompt": "first\u2028second\u0085third"}],
    "own-columns-named-error.jsonl": [
        {"Prompt": "One", "error": "E42", "source": "SAP"},
        {"Prompt": "Two", "error": {"code": 5}, "source": {"a": 1}},
    ],
    "two-members.jsonl.gz": [{"Prompt": "One"}, {"Prompt": "Two"}],
    "openpyxl.xlsx": [
        {
            "Custom ID": "1",
            "Prompt": "Empire State Building",
            "Floors": "102",
            "Opened": "1931-05-01",
            "Seen at": "2024-01-02 03:04:05",
            "Height": "443.2",
            "Open?": "TRUE",
            "Empty": "",
        },
        {
            "Custom ID": "2",
            "Prompt": "The Shard\nLondon",
            "Floors": "0.3",
            "Opened": "09:30:00",
            "Seen at": "30:05:00",
            "Height": "1e+21",
            "Open?": "FALSE",
            "Empty": "",
        },
    ],
    "xlsxwriter.xlsx": [{"Prompt": "One", "Formula": "2", "Error": ""}, {"Prompt": "Two", "Formula": "", "Error": ""}],
}

FAULTS: dict[str, tuple[JobCode, str]] = {
    "excel-macintosh.csv": (JobCode.INVALID_FILE, "the line ends of an old Mac? Save the file again as CSV UTF-8."),
    "excel-ansi.csv": (JobCode.NOT_UTF8, "line 2 holds a wrong byte"),
    "notepad-utf16-no-bom.csv": (JobCode.NOT_UTF8, "looks like UTF-16 without a byte order mark"),
    "header-only.csv": (JobCode.EMPTY_FILE, "The file has no rows."),
    "unclosed-quote.csv": (JobCode.INVALID_FILE, "A quote that opens in row 1 is never closed."),
    "half-written.json": (JobCode.INVALID_FILE, "ends before its array does, after 1 whole rows"),
    "lines-named-json.json": (JobCode.INVALID_FILE, "for one object a line, name it .jsonl"),
    "not-compressed.csv.gz": (JobCode.INVALID_FILE, "upload it without .gz in its name"),
    "cut-off.csv.gz": (JobCode.INVALID_FILE, "Upload it again, whole."),
    "old-excel-renamed.xlsx": (JobCode.INVALID_FILE, "it is an older .xls workbook"),
}

MIXED = {
    "mixed.jsonl": [None, None, "invalid_json", "invalid_json"],
    "errors.jsonl": [None, None, "invalid_json", None, None],
    "unquoted-commas.csv": ["invalid_request", None],
}


@pytest.mark.parametrize("name", ROWS)
def test_files_of_real_programs_are_read(name: str) -> None:
    assert read(name, (CORPUS / name).read_bytes()).values == ROWS[name]


@pytest.mark.parametrize("name", FAULTS)
def test_files_that_cannot_be_read_are_refused_with_what_to_do(name: str) -> None:
    reading = read(name, (CORPUS / name).read_bytes())

    code, message = FAULTS[name]
    assert reading.fault is code
    assert message in reading.message


@pytest.mark.parametrize("name", MIXED)
def test_a_faulty_row_does_not_harm_the_others(name: str) -> None:
    reading = read(name, (CORPUS / name).read_bytes())

    assert reading.fault is None
    assert [record.fault and record.fault.code for record in reading.records] == MIXED[name]
    assert [record.row for record in reading.records] == [*range(1, len(MIXED[name]) + 1)]


def test_every_file_of_the_corpus_is_expected_to_give_something() -> None:
    names = {path.name for path in CORPUS.iterdir() if not path.name.startswith(".")}

    assert names == {*ROWS, *FAULTS, *MIXED}
