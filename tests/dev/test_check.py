"""`check`: what would be sent, built by the app's own code, with nothing sent."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from local.commands import check
from local.commands.check import main
from shared.domain.ports import App
from testing.paths import PROJECT

TICKETS = PROJECT / "samples" / "tickets" / "tickets.csv"
MODEL = json.loads((TICKETS.parent / "_job.json").read_text("utf-8"))["model"]


@pytest.fixture(autouse=True)
def _here(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build in the tests' own storage."""
    monkeypatch.setattr("local.commands.running.interrupt_on_signals", lambda: None)
    monkeypatch.setattr(check, "building_app", lambda: nullcontext(app))


def checked(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = main(["check", *map(str, arguments)])
    return code, capsys.readouterr().out


def for_machines(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    _, printed = checked(capsys, *arguments, "--json")
    [line] = printed.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_good_file_shows_its_first_request_its_schema_warnings_and_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = checked(capsys, TICKETS)
    assert code == 0
    assert printed.startswith("tickets/tickets.csv\n")
    assert f"4 of 4 rows would be sent, in 1 batch, to {MODEL}" in printed
    assert "Customer M. Okafor wrote about order 88-1204" in printed
    assert '"enum": ["delivery", "refund", "product", "praise", "other"]' in printed
    assert '"additionalProperties": false' in printed
    assert "warning: the job's schema: $" in printed
    assert "input tokens" in printed
    assert "Nothing was sent." in printed


def test_the_same_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    found = for_machines(capsys, TICKETS, "--limit", "3")
    assert found["event"] == "check"
    assert found["rows"] == {"total": 4, "to_send": 3}
    assert found["errors"] == {"not_sent": 1}
    assert found["first_request"]["custom_id"] == "T-1001"
    assert found["schema"] == found["first_request"]["body"]["response_format"]["json_schema"]["schema"]
    assert found["estimate"]["input_tokens"] > 100
    assert (found["code"], found["batches"], found["models"]) == (None, 1, [MODEL])


def test_rows_that_cannot_be_sent_are_counted_by_code_with_the_first_few_of_each(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = ["a,x,Name", "a,y,Name", "c,,Name", "d,z,Name: wood", "e,w,Name: oak"]
    (tmp_path / "a.csv").write_text("\n".join(["Custom ID,Prompt,Required", *rows]))
    code, printed = checked(capsys, tmp_path / "a.csv")
    assert code == 1
    assert "1 of 5 rows would be sent" in printed
    assert "  1 duplicate_custom_id:\n    row 2: " in printed
    assert "  1 missing_prompt:\n    row 3: " in printed
    assert "  2 invalid_schema:\n    row 4: " in printed
    assert "wood" in printed
    assert "\n    row 5: " in printed
    found = for_machines(capsys, tmp_path / "a.csv")
    assert found["first_errors"]["invalid_schema"].startswith("row 4: ")


def test_where_no_row_can_be_sent_the_first_few_are_told_and_each_fault_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("Prompt,Required\nx,Name: wood\ny,Name: oak\nz,Name: oak\n")
    _, printed = checked(capsys, tmp_path / "a.csv")
    assert printed.count('"wood"') == printed.count('"oak"') == 1
    assert "  3 invalid_schema:\n    rows 2, 3: " in printed
    (tmp_path / "b.csv").write_text("Prompt,Required\n,Name\n,Name\n")
    _, printed = checked(capsys, tmp_path / "b.csv")
    assert printed.count("The row has no prompt") == 1


def test_a_fault_of_the_whole_file_is_said_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Ticket,Text\n1,x\n")
    code, printed = checked(capsys, tmp_path / "a.csv")
    assert code == 1
    assert printed.count("missing_column") == 1
    assert '"Ticket", "Text"' in printed


@pytest.mark.parametrize(
    ("model", "parameters", "line"),
    [
        ("gpt-4o", {}, r"the cost is unknown until there are answers \(max_completion_tokens would show the most\)"),
        ("gpt-4o", {"max_completion_tokens": 300}, r"at most 300 output tokens, at most \$0\.\d{4} at the batch price"),
        ("ours", {"max_completion_tokens": 300}, "at most 300 output tokens, no price is known for the model"),
    ],
)
def test_what_keeps_the_cost_unknown_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str, parameters: dict[str, int], line: str
) -> None:
    settings = {"model": model, "required": "City", "parameters": parameters}
    (tmp_path / "_job.json").write_text(json.dumps(settings))
    (tmp_path / "a.csv").write_text("Prompt\nWhere is the Shard?\n")
    _, printed = checked(capsys, tmp_path / "a.csv")
    assert re.search(rf"Estimate: about \d+ input tokens, {line}\n", printed)


@pytest.mark.parametrize("header", ["id", "ID", " I_d"])
def test_a_column_called_id_that_identifies_no_row_is_hinted_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, header: str
) -> None:
    (tmp_path / "a.csv").write_text(f"{header},Prompt,Required\n7,x,Name\n8,y,Name\n")
    code, printed = checked(capsys, tmp_path / "a.csv")
    assert code == 0
    assert f'hint: the column "{header.strip()}" is carried to the results' in printed
    assert f'"columns": {{"custom_id": "{header.strip()}"}}' in printed
    assert for_machines(capsys, tmp_path / "a.csv")["id_column"] == header.strip()
    (tmp_path / "_job.json").write_text(json.dumps({"columns": {"custom_id": header.strip()}}))
    assert "hint:" not in checked(capsys, tmp_path / "a.csv")[1]


@pytest.mark.parametrize("table", ["Custom ID,id,Prompt,Required\na,7,x,Name\n", "Prompt,Required\nx,Name\n"])
def test_without_need_no_column_is_hinted_at(capsys: pytest.CaptureFixture[str], tmp_path: Path, table: str) -> None:
    (tmp_path / "a.csv").write_text(table)
    assert "hint:" not in checked(capsys, tmp_path / "a.csv")[1]
    assert for_machines(capsys, tmp_path / "a.csv")["id_column"] is None


def test_a_trial_run_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = checked(capsys, TICKETS, "--limit", "1")
    assert code == 0
    assert "1 of 4 rows would be sent" in printed
    assert "3 not_sent: a trial run" in printed


def test_long_texts_are_cut_where_people_read_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"Prompt,Required\n{'word ' * 2000},Name\n")
    _, printed = checked(capsys, tmp_path / "a.csv")
    assert "… (10,000 characters)" in printed or "… (9,999 characters)" in printed
    assert len(printed) < 3000


def test_a_missing_file_is_told_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "samples/tickets/tikets.csv"]) == 1
    captured = capsys.readouterr()
    assert "Did you mean" in captured.err
    assert captured.out == ""
