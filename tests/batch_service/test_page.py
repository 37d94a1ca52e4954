"""The page at GET /, the docs and the tests say the same."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import httpx2
import pytest
from pydantic import BaseModel

from local.batch_service import behaviours, page, scenario
from local.batch_service.scenario import RowOutcome

TESTS = Path(__file__).parent


class _Text(HTMLParser):
    """The text of a page, cell by cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th", "h2"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def _tests() -> set[str]:
    return {
        f"{path.name}::{node.name}"
        for path in TESTS.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_each_row_of_the_table_of_behaviours_has_a_test_behind_it() -> None:
    named = [row.test for row in behaviours.BEHAVIOURS]
    assert set(named) - _tests() == set()
    assert len(named) == len(set(named)) > 80


def test_the_page_and_the_docs_show_the_same_tables(http: httpx2.Client) -> None:
    reply = http.get("/")
    assert reply.headers["content-type"].startswith("text/html")
    reader = _Text()
    reader.feed(reply.text)
    text = page.DOCS.read_text(encoding="utf-8")
    tables = text.split(page.BEGIN)[1].split(page.END)[0]
    cells = [
        cell.strip().replace("`", "").replace("\\|", "|")
        for line in tables.splitlines()
        if line.startswith(("| ", "## ")) and not line.startswith("| ---")
        for cell in (re.split(r"(?<!\\)\|", line)[1:-1] if line.startswith("|") else [line.removeprefix("## ")])
    ]
    # Where they differ: python -m local.batch_service.page
    assert cells == [cell.strip() for cell in reader.cells]


def test_every_source_that_is_named_by_a_key_is_explained() -> None:
    named = [row.source for row in behaviours.BEHAVIOURS] + [row.source for row in behaviours.DIFFERENCES]
    named += [row.source for row in behaviours.ABSENT]
    keys = {part.strip() for source in named for part in source.split(",")}
    assert {key for key in keys if key.isupper() or key == "V1"} == set(behaviours.SOURCES)


FORMS = [found for found in vars(scenario).values() if isinstance(found, type) and issubclass(found, BaseModel)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_docs_name_every_key_of_the_scenario_form(form: type[BaseModel]) -> None:
    text = page.DOCS.read_text(encoding="utf-8")
    assert [name for name in form.model_fields if f"`{name}`" not in text] == []


def test_the_docs_name_every_outcome_of_a_row() -> None:
    text = page.DOCS.read_text(encoding="utf-8")
    assert [name for name in get_args(RowOutcome) if f"`{name}`" not in text] == []


def test_the_examples_in_the_docs_are_scenarios() -> None:
    text = page.DOCS.read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        scenario.Scenario.model_validate_json(example)
