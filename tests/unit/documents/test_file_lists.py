"""`.files` lists: which blobs become rows, and in which order."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared.documents.file_lists import InvalidPatternError, matching, read_patterns
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

    def under(prefix: str) -> Iterator[BlobInfo]:
        return (
            BlobInfo(name, "e", 1, datetime(2026, 1, 1, tzinfo=UTC))
            for name in sorted(names)
            if name.startswith(prefix)
        )

    return [blob.name for blob in matching(read_patterns(text, folder), under)]


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


@pytest.mark.parametrize(("text", "reason"), [("a\n../b", "line 2"), ("/", "names no file"), ("./", "names no file")])
def test_a_line_that_is_no_pattern_is_named_by_its_number(text: str, reason: str) -> None:
    with pytest.raises(InvalidPatternError, match=reason):
        read_patterns(text, "f")
