"""Workbooks as Excel itself writes them, part by part (tests/data/workbooks/excel): what a person sees is what is read.

The parts follow ECMA-376 and what Excel 365 puts into them; each row of the sheet shows one kind of cell.
"""

import io
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.domain.model import JobCode, RowBlock
from shared.prompt_file import form_of, open_prompt_file, xlsx_sheet
from shared.prompt_file.xlsx_package import Package
from testing.paths import DATA, PROJECT
from testing.reading import Reading, read

PARTS = DATA / "workbooks" / "excel"
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"

CELLS = {
    "rich text": "Who built the Shard?",
    "phonetic guide": "東京タワー",
    "spaces at both ends": "  two spaces  ",
    "line break of Alt+Enter and a carriage return": "first line\r\nsecond line",
    "markup and emoji": "<b> & \"quotes\" 'n' 🏙",
    "number as text": "00123",
    "formula as text": "=SUM(A1:A2)",
    "escaped escape": "keeps _x000D_ as it is",
    "long id as text": "1234567890123456789",
    "empty text": "",
    "inline text": "inline",
    "inline rich text": "in line",
    "whole number": "1",
    "whole number in the millions": "1234567",
    "fraction": "443.2",
    "binary noise": "0.3",
    "noise of a sum": "1454.1",
    "scientific": "1.23e+20",
    "small": "1.23e-07",
    "percentage": "0.5",
    "dollars": "1234.5",
    "euros": "-12.3",
    "leading zeros by format": "123",
    "fraction by format": "0.25",
    "unit by format": "309.6",
    "TRUE": "TRUE",
    "FALSE": "FALSE",
    "short date": "2024-01-02",
    "long date": "2024-01-02",
    "German date": "2024-01-02",
    "date and time": "2024-01-02 03:04:05",
    "time": "09:30:00",
    "duration": "30:05:00",
    "ISO date cell": "2024-01-02",
    "formula with a number": "2",
    "formula with a text": "ab",
    "formula with nothing": "",
    "formula with a truth": "TRUE",
    "error": "",
    "formula with an error": "",
    "merged over A and B, after empty rows": "seen",
}


def parts() -> dict[str, str]:
    """The workbook's parts by name."""
    files = (path for path in sorted(PARTS.rglob("*")) if path.is_file())
    return {path.relative_to(PARTS).as_posix(): path.read_text("utf-8").strip() for path in files}


def packed(changed: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in changed.items():
            archive.writestr(name, text)
    return out.getvalue()


def with_text(old: str, new: str) -> bytes:
    """The workbook with a text replaced in all its parts, once at least."""
    given = parts()
    assert any(old in text for text in given.values())
    return packed({name: text.replace(old, new) for name, text in given.items()})


def cells(reading: Reading) -> dict[str, str]:
    return {values["Custom ID"]: values["Cell"] for values in reading.values}


def test_every_kind_of_cell_is_read_as_a_person_sees_it_but_for_number_formats() -> None:
    reading = read("a.xlsx", packed(parts()))

    assert reading.headers == ("Custom ID", "Prompt", "Cell")
    assert cells(reading) == CELLS
    prompts = [values["Prompt"] for values in reading.values]
    assert prompts == ["Who built the Shard?"] * (len(CELLS) - 1) + [""], "a merged area has its first cell's value"
    assert reading.notes == (
        'The workbook has 2 sheets; only the first that is visible, "Prompts & more", was read. '
        "To have another one read, move it to the front.",
        'Column "Cell": each of 2 cells holds an error such as #N/A and was read as empty: correct the formula or the '
        "value in the workbook and save it.",
    )


def test_dates_of_the_1904_calendar_are_the_days_that_are_seen() -> None:
    found = cells(read("a.xlsx", with_text("<workbookPr ", '<workbookPr date1904="1" ')))

    assert found["short date"] == "2028-01-03"
    assert found["date and time"] == "2028-01-03 03:04:05"
    assert (found["time"], found["duration"]) == ("09:30:00", "30:05:00")


def test_a_strict_workbook_is_read_like_any() -> None:
    kept = parts()
    for old, new in (
        ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main"),
        (
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://purl.oclc.org/ooxml/officeDocument/relationships",
        ),
    ):
        kept = {name: text.replace(old, new) for name, text in kept.items()}

    assert cells(read("a.xlsx", packed(kept))) == CELLS


def test_names_of_parts_may_be_written_as_other_programs_do() -> None:
    shouted = {name.replace("sharedStrings", "SharedStrings"): text for name, text in parts().items()}
    absolute = {name: text.replace('Target="worksheets/', 'Target="/xl/worksheets/') for name, text in parts().items()}
    windows = {name.replace("/", "\\"): text for name, text in parts().items()}

    for given in (shouted, absolute, windows):
        assert cells(read("a.xlsx", packed(given))) == CELLS


def test_cells_without_a_place_stand_one_after_another() -> None:
    given = parts()
    given[SHEET] = re.sub(r'(<c|<row) r="[A-Z0-9]+"', r"\1", given[SHEET])

    assert list(cells(read("a.xlsx", packed(given))).values())[:40] == list(CELLS.values())[:40]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<v>4</v>", "<v>400</v>"),  # A text that the list does not have.
        ("<v>4</v>", "<v>four</v>"),
        ('r="C3"', 'r="3"'),
        ("<worksheet ", '<!DOCTYPE x [<!ENTITY a "b">]><worksheet '),
    ],
)
def test_a_value_that_cannot_be_is_a_fault_of_the_file(old: str, new: str) -> None:
    reading = read("a.xlsx", with_text(old, new))

    assert reading.fault is JobCode.INVALID_FILE
    assert "The file is not a readable .xlsx workbook" in reading.message


def test_a_part_that_is_longer_than_the_directory_says_is_refused() -> None:
    data = packed(parts())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry, text = archive.getinfo(STRINGS), archive.read(STRINGS)
    for said, false in ((entry.file_size, len(text) - 9), (entry.CRC, zlib.crc32(text[:-9]))):
        assert data.count(said.to_bytes(4, "little")) == 2, "in the part's own header, and in the directory"
        data = data.replace(said.to_bytes(4, "little"), false.to_bytes(4, "little"))

    with pytest.raises(zipfile.BadZipFile):
        list(Package(data).blocks(STRINGS))
    assert read("a.xlsx", data).fault is JobCode.INVALID_FILE


def test_a_part_that_is_there_twice_is_refused() -> None:
    out = io.BytesIO(packed(parts()))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(STRINGS.upper(), parts()[STRINGS])

    assert read("a.xlsx", out.getvalue()).fault is JobCode.INVALID_FILE


def test_styles_without_end_are_refused_unread() -> None:
    given = parts() | {"xl/styles.xml": "<styleSheet>" + " " * (17 * 2**20) + "</styleSheet>"}

    assert "has a part xl/styles.xml of more than 16 MB" in read("a.xlsx", packed(given)).message


def bomb(text: int, copies: int, inline: int = 0) -> bytes:
    """A workbook of a few kilobytes: a text of so many characters, that so many cells share, or that one holds."""
    given = parts()
    given[STRINGS] = given[STRINGS].replace("two spaces", "x" * text)
    start, _, end = given[SHEET].partition("</sheetData>")
    given[SHEET] = f"{start}{'<row><c t="s"><v>6</v></c></row>' * copies}</sheetData>{end}".replace(
        "<is><t>inline</t></is>", f"<is><t>{'y' * inline or 'inline'}</t></is>"
    )
    return packed(given)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: bomb(65 * 2**20, 1), "a cell with more than 64 MB of text"),
        (lambda: bomb(10, 1, inline=65 * 2**20), "a cell with more than 64 MB of text"),
        (lambda: bomb(2**20, 2000), ""),
    ],
    ids=["shared text", "inline text", "copies"],
)
def test_long_texts_do_not_fill_the_memory(tmp_path: Path, data: Callable[[], bytes], said: str) -> None:
    """In a process of its own, as the peak of memory is the process's."""
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(data())
    code = (
        "import resource, sys; from testing.reading import read\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "reading = read('a.xlsx', open(sys.argv[1], 'rb').read())\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, reading.fault, reading.message)"
    )
    root = PROJECT
    run = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, text=True, timeout=120)

    taken, fault, message = run.stdout.split(" ", 2)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    assert path.stat().st_size < 2**20
    assert int(taken) // unit < 150
    assert fault == ("invalid_file" if said else "None")
    assert said in message


def test_shared_texts_that_memory_cannot_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_sheet, "MAX_TEXTS", 2**20)

    assert "it has more than" in read("a.xlsx", bomb(2**20, 1)).message


def test_rows_of_long_texts_come_a_few_at_a_time() -> None:
    form = form_of("a.xlsx")
    assert form is not None
    blocks = list(open_prompt_file(form, [bomb(2**17, 40)]).row_blocks)

    assert max(len(block.rows) for block in blocks if isinstance(block, RowBlock)) < 50


def test_a_long_text_that_memory_holds_is_read() -> None:
    found = cells(read("a.xlsx", bomb(2**20, 20)))

    assert len(found["spaces at both ends"]) > 2**20
