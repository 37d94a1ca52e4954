"""`.files` lists: which blobs become rows, and in which order."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared.documents.file_lists import FileList, InvalidPatternError, read_patterns
from shared.domain.model import BlobInfo

NAMES = [
    "a.pdf",
    "invoices/.hidden.pdf",
    "invoices/1.pdf",
    "invoices/2.PNG",
    "invoices/2026/07/3.pdf",
    "invoices/2026/4.pdf",
    "invoices/[x].pdf",
    "invoices/_draft.pdf",
    "invoices/_old/5.pdf",
    "invoices/all.files",
    "invoices/notes.txt",
    "invoices/table.csv",
    "invoices/table.csv.gz",
    "other/6.pdf",
]


def matched(text: str, folder: str = "invoices", names: list[str] = NAMES) -> list[str]:
    """The names of the blobs that a list in `folder` matches."""
    return [blob.name for blob in file_list(text, folder, names).blobs()]


def warned(text: str, *names: str) -> list[str]:
    """The warnings about a list in the folder `f`."""
    found = file_list(text, "f", list(names))
    list(found.blobs())
    return found.warnings


def file_list(text: str, folder: str, names: list[str]) -> FileList:
    """A list in `folder`, of a container with blobs of these names."""

    def under(prefix: str) -> Iterator[BlobInfo]:
        return (
            BlobInfo(name, "e", 1, datetime(2026, 1, 1, tzinfo=UTC))
            for name in sorted(names)
            if name.startswith(prefix)
        )

    return FileList(read_patterns(text, folder), under)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*.pdf", ["invoices/1.pdf", "invoices/[x].pdf"]),
        ("?.pdf", ["invoices/1.pdf"]),
        ("[12].*", ["invoices/1.pdf", "invoices/2.PNG"]),
        ("**/*.pdf", ["invoices/1.pdf", "invoices/2026/07/3.pdf", "invoices/2026/4.pdf", "invoices/[x].pdf"]),
        ("2026/**", ["invoices/2026/07/3.pdf", "invoices/2026/4.pdf"]),
        ("*", ["invoices/1.pdf", "invoices/2.PNG", "invoices/[x].pdf", "invoices/notes.txt"]),
        ("*.csv", ["invoices/table.csv"]),
        ("*.csv.gz", ["invoices/table.csv.gz"]),
        ("_*", ["invoices/_draft.pdf"]),
        (".*", ["invoices/.hidden.pdf"]),
        ("_old/*.pdf", ["invoices/_old/5.pdf"]),
        ("/*.pdf", ["a.pdf"]),
        ("/other/6.pdf", ["other/6.pdf"]),
        ("[[]x].pdf", ["invoices/[x].pdf"]),
        ("nothing*", []),
        ("# a comment\n\n  1.pdf  \r\n", ["invoices/1.pdf"]),
    ],
)
def test_a_pattern_takes_the_blobs_that_it_spells_out(text: str, expected: list[str]) -> None:
    assert matched(text) == expected


def test_rows_come_in_the_order_of_the_lines_and_each_blob_once() -> None:
    assert matched("2026/4.pdf\n*.pdf\n**/*.pdf") == [
        "invoices/2026/4.pdf",
        "invoices/1.pdf",
        "invoices/[x].pdf",
        "invoices/2026/07/3.pdf",
    ]


def test_a_list_in_the_root_is_relative_to_the_root() -> None:
    assert matched("*.pdf", folder="") == ["a.pdf"]


def test_a_folder_that_looks_like_a_pattern_is_taken_literally() -> None:
    assert matched("*.pdf", folder="[ab]", names=["[ab]/1.pdf", "a/2.pdf"]) == ["[ab]/1.pdf"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[#]1.pdf", "#1.pdf"),
        ("./#1.pdf", "#1.pdf"),
        ("Invoice #12.pdf", "Invoice #12.pdf"),
        ("50%25.pdf", "50%25.pdf"),
        ("a  b.pdf", "a  b.pdf"),
        ("a ?.pdf", "a b.pdf"),
        ("[!a-c]*.png", "d.png"),
        ("März*.pdf", "März 1.pdf"),
        ("Ma\u0308rz.pdf", "Ma\u0308rz.pdf"),
        ("{1}.pdf", "{1}.pdf"),
        ("a[b.pdf", "a[b.pdf"),
        ("**", "deep/er/x.pdf"),
        ("a/**/b.pdf", "a/b.pdf"),
        ("a.pdf\r", "a.pdf"),
        ("list.FILES", "list.FILES"),
        ("X.CSV", "X.CSV"),
        ("*.csv", "a b#%.csv"),
    ],
)
def test_odd_names_and_patterns_are_taken_as_they_are_written(pattern: str, name: str) -> None:
    assert matched(pattern, "f", [f"f/{name}"]) == [f"f/{name}"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[!a-c]*.png", "b.png"),
        ("M\u00e4rz.pdf", "Ma\u0308rz.pdf"),
        ("50%25.pdf", "50%.pdf"),
        ("**", "data.csv"),
        ("**", "data.jsonl.gz"),
        ("*.gz", "data.jsonl.gz"),
        ("**", "sub/"),
        ("*", "sub_$folder$"),
        ("**/*", "_old/1.pdf"),
        ("**/*.pdf", ".git/1.pdf"),
        ("_*", ".x.pdf"),
    ],
)
def test_what_a_pattern_does_not_mean_is_left_out(pattern: str, name: str) -> None:
    assert matched(pattern, "f", [f"f/{name}"]) == []


def test_patterns_that_match_nothing_are_warned_of_by_their_lines() -> None:
    assert warned("# all\n*.pdf\n*.tiff\n", "f/1.pdf") == ["1 pattern of the list matched no file: line 3."]
    assert warned("".join(f"{number}.pdf\n" for number in range(9)), "f/1.pdf") == [
        "8 patterns of the list matched no file: lines 1, 3, 4 and 5 more."
    ]
    assert warned("*.pdf\n*.png # scans", "f/1.pdf") == [
        "1 pattern of the list matched no file: line 2. A comment needs a line of its own."
    ]


def test_a_line_whose_files_all_came_before_is_not_warned_of() -> None:
    assert warned("*.pdf\n1.*\n", "f/1.pdf") == []


def test_files_that_differ_from_the_patterns_in_case_alone_are_warned_of() -> None:
    (warning,) = warned("*.pdf", "f/1.pdf", "f/2.PDF", "f/3.Pdf", "f/4.png", "f/_5.PDF")
    assert warning == (
        "2 files were left out, as the list's patterns differ in capital and small letters: /f/2.PDF, /f/3.Pdf."
    )
    assert warned("*.pdf\n*.PDF", "f/1.pdf", "f/2.PDF") == []
    assert warned("*.PDF\n*.pdf", "f/1.pdf", "f/2.PDF") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\n../b", "line 2"),
        ("/", "names no file"),
        ("./", "names no file"),
        ("**.pdf", "alone between slashes"),
        ("a/b**/c", "alone between slashes"),
        ("a.pdf\n\x01*.pdf", "line 2: no file can have such a name"),
        ("a\0.pdf", "no file can have such a name"),
        ("a" * 1025, "no file can have such a name"),
    ],
)
def test_a_line_that_is_no_pattern_is_named_by_its_number(text: str, reason: str) -> None:
    with pytest.raises(InvalidPatternError, match=reason):
        read_patterns(text, "f")
