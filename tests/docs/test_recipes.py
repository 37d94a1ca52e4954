"""The recipes are short, name only what exists, and the first does what it says."""

import io
import json
import re
import shlex

import openpyxl  # type: ignore[import-untyped]
import pytest

from local.commands import command_line
from shared.settings import SETTINGS
from testing.paths import PROJECT
from testing.world import World

PAGE = (PROJECT / "docs" / "recipes.md").read_text("utf-8")
RECIPES = dict(re.findall(r"(?ms)^## (.+?)\n(.+?)(?=^## |\Z)", PAGE))
KNOWN = {setting.name: setting for setting in SETTINGS}
TASKS = (
    "500 tickets from Excel",
    "A trial, then the rest",
    "Retry what failed",
    "What the month has cost",
    "An Azure OpenAI account that exists",
    "Two environments",
    "Roll back",
    "Run with Core Tools",
    "Another model",
    "Erase a file's data",
)


def code(recipe: str) -> list[str]:
    """The lines of a recipe's code blocks."""
    blocks = re.findall(r"(?ms)^```\w*\n(.+?)^```", RECIPES[recipe])
    return [line for block in blocks for line in block.splitlines()]


def commands(first: str) -> list[list[str]]:
    """The commands of all recipes that begin with this word, split as a shell splits them."""
    lines = [line for recipe in RECIPES for line in code(recipe) if line.startswith(f"{first} ")]
    return [shlex.split(line) for line in lines]


def test_the_page_has_the_ten_tasks() -> None:
    assert tuple(RECIPES) == TASKS


@pytest.mark.parametrize("recipe", TASKS)
def test_a_recipe_has_ten_lines_at_most(recipe: str) -> None:
    assert 0 < len(code(recipe)) <= 10


def test_every_command_of_dev_py_is_one_that_it_understands() -> None:
    found = commands("python3")
    assert len(found) > 6
    for _, script, name, *arguments in found:
        assert script == "dev.py"
        command_line.parse(name, [argument.replace("$", "") or "x" for argument in arguments])


def test_every_choice_given_to_azd_exists_and_every_further_setting_is_well_formed() -> None:
    choices = set(re.findall(r"\$\{(\w+)", (PROJECT / "infra" / "main.parameters.json").read_text("utf-8")))
    given = {words[3]: words[4] for words in commands("azd") if words[1:3] == ["env", "set"]}
    assert given.keys() <= choices
    further = [words[4] for words in commands("azd") if words[3:4] == ["APP_SETTINGS"]]
    assert len(further) == 2
    for pair in ";".join(further).split(";"):
        name, _, value = pair.partition("=")
        KNOWN[name].parse(value)


def test_the_names_that_the_recipes_use_are_set_at_the_beginning() -> None:
    beginning = PAGE.partition("\n## ")[0]
    for name in set(re.findall(r"\$([A-Z]+)\b", PAGE)):
        assert f"\n{name}=$(" in beginning


def test_tickets_from_excel_are_sorted_as_the_first_recipe_says(world: World) -> None:
    settings = json.loads(RECIPES[TASKS[0]].partition("```json\n")[2].partition("```")[0])
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Ticket", "Customer", "Message"])
    for number in range(500):
        sheet.append([f"T-{number}", f"Customer {number}", "My parcel has not arrived."])
    content = io.BytesIO()
    book.save(content)

    name = world.drop("tickets/tickets.xlsx", content.getvalue(), model="gpt-5.4-mini-batch", **settings)
    status = world.run(name)

    assert (status["rows"]["succeeded"], status["warnings"]) == (500, [])
    first = world.results(name)[0]
    assert first["custom_id"] == "T-0"
    assert first["output"].keys() == {"Kind", "Urgent", "Summary"}
    assert first["output"]["Kind"] in ("delivery", "refund", "other")
