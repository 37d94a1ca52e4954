"""docs/prompt-files.md: its examples are read, its links lead to tests, its table of keys is the JSON Schema's.

`python -m tests.docs.test_prompt_files` writes the table and docs/job-settings.schema.json anew.
"""

import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.job_settings import SCHEMA, resolve
from shared.job_settings.templates import Template
from shared.prompt_file import FORMS
from testing.paths import PROJECT
from testing.reading import read

PAGE = PROJECT / "docs" / "prompt-files.md"
TEXT = PAGE.read_text(encoding="utf-8")

EXAMPLES = dict(
    re.findall(r"<!-- example: (\S+) -->\n(.*?)\n\n", re.sub(r"(```.*?)\n\n(.*?```)", r"\1\n\2", TEXT), re.DOTALL)
)
ROWS = {
    name: json.loads(rows)
    for name, rows in re.findall(
        r"<!-- example: (\S+) -->\n(?:(?!<!-- example).)*?<!-- rows -->\n```json\n(.*?)\n```", TEXT, re.DOTALL
    )
}


def content_of(name: str) -> bytes:
    """An example as the bytes of a blob; a Markdown table becomes a workbook, or Parquet."""
    block = EXAMPLES[name]
    if name.endswith(".xlsx"):
        return workbook_of(block)
    if name.endswith(".parquet"):
        return parquet_of(block)
    return "\n".join(block.split("\n")[1:-1]).encode() + b"\n"


def workbook_of(table: str) -> bytes:
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n"))
    book = openpyxl.Workbook()
    book.active.append(header)
    for row in rows:
        book.active.append([typed(cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet_of(table: str) -> bytes:
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n"))
    columns = zip(*(map(typed, row) for row in rows), strict=True)
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(header, map(list, columns), strict=True))), out)
    return out.getvalue()


def typed(cell: str) -> Any:
    """A cell as Excel would take it from a person's typing."""
    if cell.isdecimal():
        return int(cell)
    return date.fromisoformat(cell) if re.fullmatch(r"\d{4}-\d\d-\d\d", cell) else cell


def keys_table() -> str:
    """The table of `_job.json`'s keys, from its JSON Schema."""
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, part in SCHEMA["properties"].items():
        if key != "$schema":
            default = f"`{json.dumps(part['default'])}`" if "default" in part else ""
            rows.append(f"| `{key}` | {kind_of(part)} | {default} | {meaning_of(part)} |")
    return "\n".join(rows)


def kind_of(part: dict[str, Any]) -> str:
    """Say what values a key takes."""
    if "enum" in part:
        return " or ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    if "enum" in part.get("items", {}):
        return f"list of {' or '.join(f'`{json.dumps(value)}`' for value in part['items']['enum'])}"
    least = f" from {part['minimum']}" if "minimum" in part else ""
    names = {"string": "text", "array": "list", "integer": "whole number", "boolean": "true or false"}
    return " or ".join(str(names.get(name, name)) for name in types) + least


def meaning_of(part: dict[str, Any]) -> str:
    example = f" For example `{json.dumps(part['examples'][0])}`." if "examples" in part else ""
    return f"{part['description']}{example}".replace("|", "\\|")


@pytest.mark.parametrize("name", ROWS)
def test_each_example_is_read_as_the_page_says(name: str) -> None:
    assert read(name, content_of(name)).values == ROWS[name]


def test_there_is_an_example_for_each_form() -> None:
    # Named with .csv and .jsonl; lists of documents have a page of their own.
    shown = {Path(name).suffix for name in ROWS} | {".tsv", ".ndjson", ".files"}

    assert {f".{extension.split('.')[1]}" for extension in FORMS} == shown
    assert all(f"`{extension}`" in TEXT for extension in FORMS)


def test_the_example_of_job_settings_is_valid_and_its_template_names_columns() -> None:
    settings = resolve([("_job.json", content_of("_job.json"))], lambda folder, name: b'{"type": "object"}')

    assert settings.limit == 10
    assert Template.parse(settings.prompt or "").columns == ("Building Name", "city")


def test_each_cell_of_the_table_of_features_links_to_a_test() -> None:
    table = TEXT.split("<!-- features -->\n")[1].split("\n\n")[0]
    cells = [cell.strip() for line in table.split("\n")[2:] for cell in line.strip("|").split("|")[1:]]
    links = dict(re.findall(r"^\[(\S+)\]: (.*)$", TEXT, re.MULTILINE))

    used = [match[1] for cell in cells if (match := re.fullmatch(r"\[[a-z ]+\]\[(\S+)\]", cell))]
    assert len(used) + cells.count("-") == len(cells) > 40
    assert {*used} == {*links}
    for link in links.values():
        path, test = link.split(" ")
        code = (PAGE.parent / path).read_text(encoding="utf-8")
        assert f"\ndef {test.strip(chr(34))}(" in code


def test_the_table_of_keys_is_the_schemas() -> None:
    assert f"<!-- keys -->\n{keys_table()}\n<!-- end of keys -->" in TEXT


if __name__ == "__main__":
    schema = json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"
    (PAGE.parent / "job-settings.schema.json").write_text(schema, encoding="utf-8")
    start, rest = TEXT.split("<!-- keys -->\n")
    page = f"{start}<!-- keys -->\n{keys_table()}\n<!-- end of keys -->{rest.split('<!-- end of keys -->')[1]}"
    PAGE.write_text(page, encoding="utf-8")
