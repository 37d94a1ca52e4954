"""Which blobs are prompt files, and in which form."""

import pytest

from shared.prompt_file import FORMS, Form, Kind, form_of, is_prompt_file, stem_of


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", Form(Kind.JSON_LINES)),
        ("a.ndjson", Form(Kind.JSON_LINES)),
        ("a.json", Form(Kind.JSON_ARRAY)),
        ("folder.v2/a.csv", Form(Kind.CSV)),
        ("a.tsv", Form(Kind.TSV)),
        ("a.XLSX", Form(Kind.WORKBOOK)),
        ("A.Csv.GZ", Form(Kind.CSV, gzipped=True)),
        ("a.jsonl.gz", Form(Kind.JSON_LINES, gzipped=True)),
        ("report.2024.final.csv", Form(Kind.CSV)),
    ],
)
def test_the_extension_in_any_case_tells_the_form(name: str, form: Form) -> None:
    assert form_of(name) == form


@pytest.mark.parametrize(
    "name", ["a", "a.txt", "a.xls", "a.xlsx.gz", "a.gz", "a.csv.zip", "csv", "a.csv/b", "a.csv.", "", "a.gz.csv.gz.gz"]
)
def test_other_names_have_no_form(name: str) -> None:
    assert form_of(name) is None


def test_every_text_form_may_be_compressed_and_no_other() -> None:
    assert {extension for extension in FORMS if extension.endswith(".gz")} == {
        ".jsonl.gz",
        ".ndjson.gz",
        ".json.gz",
        ".csv.gz",
        ".tsv.gz",
    }


@pytest.mark.parametrize("name", ["a.csv", "x/y/a.csv", "scan.tiff", "no extension", "a_b.csv", "x_/y.csv"])
def test_any_blob_is_a_prompt_file_also_in_an_unsupported_form(name: str) -> None:
    assert is_prompt_file(name)


@pytest.mark.parametrize(
    "name",
    [
        f"x/scan.{extension}"
        for extension in ["png", "jpg", "JPEG", "webp", "gif", "PDF", "txt", "md", "html", "htm", "xml", "eml"]
    ],
)
def test_documents_are_never_prompt_files(name: str) -> None:
    assert not is_prompt_file(name)


@pytest.mark.parametrize(
    "name", ["_job.json", "x/_schema.json", "_drafts/a.csv", "x/.git/a.csv", ".a.csv", "x/", "x/y/", "x_$folder$", ""]
)
def test_hidden_names_and_folder_markers_are_no_prompt_files(name: str) -> None:
    assert not is_prompt_file(name)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("x/buildings.csv", "buildings"), ("b.jsonl.GZ", "b"), ("a.b.csv", "a.b"), ("x/none", "none"), ("a.txt", "a")],
)
def test_the_stem_has_no_folder_and_no_extension(name: str, stem: str) -> None:
    assert stem_of(name) == stem
