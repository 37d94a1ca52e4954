"""Image cells: web addresses, data URLs and paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.references import (
    InvalidReferenceError,
    Reference,
    ReferenceKind,
    blob_address,
    read_blob_address,
    read_reference,
)


@pytest.mark.parametrize(
    ("cell", "folder", "name"),
    [
        ("scan.png", "", "scan.png"),
        ("scan.png", "invoices/2026", "invoices/2026/scan.png"),
        ("pages/scan.png", "invoices", "invoices/pages/scan.png"),
        ("../scan.png", "invoices/2026", "invoices/scan.png"),
        ("./scan.png", "invoices", "invoices/scan.png"),
        ("/scan.png", "invoices", "scan.png"),
        ("100%25 wool #2.png", "", "100%25 wool #2.png"),
        ("Größe.png", "", "Größe.png"),
        ("a//b.png", "", "a//b.png"),
        ("blob:/a%23b.png", "elsewhere", "a#b.png"),
    ],
)
def test_a_path_is_taken_literally_from_the_prompt_files_folder_or_the_root(cell: str, folder: str, name: str) -> None:
    assert read_reference(cell, folder) == Reference(ReferenceKind.BLOB, name)


@pytest.mark.parametrize("cell", ["https://example.com/a.png", "HTTPS://example.com/a.png?x=1#y"])
def test_a_web_address_is_sent_as_it_is(cell: str) -> None:
    assert read_reference(cell, "f") == Reference(ReferenceKind.WEB, cell)


def test_a_data_url_is_sent_as_it_is() -> None:
    assert read_reference("data:image/png;base64,AAAA", "") == Reference(
        ReferenceKind.DATA, "data:image/png;base64,AAAA"
    )


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("http://example.com/a.png", "begins with http:"),
        ("ftp://example.com/a.png", "begins with ftp:"),
        ("file:///etc/passwd", "begins with file:"),
        ("https://user:secret@example.com/a.png", "credentials"),
        ("https://user@example.com/a.png", "credentials"),
        ("https:///a.png", "no host"),
        ("https://[::1/a.png", "cannot be read"),
        ("../../a.png", "leaves the container"),
        ("/../a.png", "leaves the container"),
        ("blob:/../a.png", "leaves the container"),
        ("blob:a.png", "blob:/path"),
        ("blob:/a.pdf#2", "page=3"),
        ("blob:/a.pdf#page=0", "page=3"),
        ("blob:/%ff.png", "UTF-8"),
        ("", "names no file"),
        ("folder/", "names no file"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_reason(cell: str, reason: str) -> None:
    with pytest.raises(InvalidReferenceError, match=reason):
        read_reference(cell, "f")


def test_a_secret_in_an_address_is_not_repeated() -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        read_reference("https://user:secret@example.com/a.png", "")
    assert "secret" not in str(caught.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 999))
def test_an_address_that_was_written_is_read_as_the_same_blob_and_page(name: str, page: int) -> None:
    segments = name.split("/")
    if segments[-1] in ("", ".", "..") or any(segment in (".", "..") for segment in segments) or name.startswith("/"):
        return
    assert read_blob_address(blob_address(name, page)) == Reference(ReferenceKind.BLOB, name, page)
