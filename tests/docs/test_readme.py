"""What the README says is what the code does."""

import json
import re

from local.commands.command_line import COMMANDS
from shared.settings import SETTINGS
from testing.paths import PROJECT
from testing.world import World

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_names_every_setting_with_its_default() -> None:
    table = README.partition("<!-- settings")[2].partition("<!-- end of settings -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", table, flags=re.MULTILINE)

    said = {name: default.strip("`") for name, default in rows}

    assert said == {setting.name: "required" if setting.required else setting.default or "none" for setting in SETTINGS}


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if not link.startswith("http")]

    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_the_readme_names_every_command_of_dev_py() -> None:
    assert {"demo", "test", "up", "drop", "services", "bench"} <= COMMANDS.keys()
    for name, command in COMMANDS.items():
        assert f"| `python3 dev.py {name}" in README
        usage = command.usage.replace("...", "…")
        assert name in ("test", "bench") or f"`python3 dev.py {name} {usage}".strip() in README


def test_what_the_demo_is_shown_to_print_is_what_it_prints() -> None:
    shown = README.partition("python3 dev.py demo\n```")[2].partition("```\n")[2].partition("```")[0]
    commands = PROJECT / "local" / "commands"
    printed = "".join((commands / f"{name}.py").read_text(encoding="utf-8") for name in ("demo", "showing", "drop"))

    for line in (
        "Starting storage (Azurite), the local",
        "Status page, while this runs: ",
        "Dropped ",
        "Results: ",
        "These answers",
    ):
        assert f"\n{line}" in f"\n{shown}"
        assert f'"{line}' in printed
    assert "·".join(["completed ", " 3 of 3 rows succeeded ", " 903 tokens, $0.0016"]) in shown


def test_the_example_of_job_settings_is_the_sample() -> None:
    example = json.loads(README.partition("```json\n")[2].partition("```")[0])
    sample = json.loads((PROJECT / "samples" / "tickets" / "_job.json").read_text(encoding="utf-8"))

    assert example.keys() == sample.keys()
    assert {**example, "system": ""} == {**sample, "system": ""}


class TestExamples:
    """The README's examples do what it says."""

    def test_the_example_table_is_answered(self, world: World) -> None:
        name = world.drop("example.csv", README.partition("```csv\n")[2].partition("```")[0])

        assert world.run(name)["rows"] == {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}
        assert isinstance(world.results(name)[1]["output"]["HeightInFeet"], int)

    def test_the_ticket_sample_is_answered_and_keeps_its_own_columns(self, world: World) -> None:
        for path in (PROJECT / "samples" / "tickets").iterdir():
            if path.name.startswith("_"):
                world.put(f"tickets/{path.name}", path.read_bytes())
        name = world.drop("tickets/tickets.csv", (PROJECT / "samples" / "tickets" / "tickets.csv").read_bytes())

        status = world.run(name)

        assert status["rows"]["succeeded"] == 4
        assert world.results(name)[0]["custom_id"] == "T-1001"
        assert world.results(name)[1]["input"]["Customer"] == "L. Brandt"
        assert "order.number" in world.table(name)[0]
