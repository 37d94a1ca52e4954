"""What is printed of ended jobs: the table, the faults, the way on."""

from pathlib import Path
from typing import Any

import pytest

from local.commands.fetching import fetch
from local.commands.results_table import results_table
from local.commands.screen import Screen
from local.commands.showing import Advice, show_results
from shared.domain.ports import App
from tests.dev.conftest import Shown, put_result, status


def table(folder: Path, width: int = 200) -> str:
    shown = Shown(width)
    shown.screen.console.print(results_table(folder / "results.csv", "a.csv", width))
    return shown.text


def show(app: App, folder: Path, last: dict[str, Any], advice: Advice | None = None) -> str:
    """What is printed of a job's results."""
    shown = Shown()
    show_results(app, [last], shown.screen, folder, advice or Advice(can_steer=True))
    return shown.text


def test_results_are_fetched_and_shown_with_the_first_of_the_users_own_columns(app: App, tmp_path: Path) -> None:
    header = "\ufeffcustom_id,Note,Mood,Third,City,Height,status,error_code,error_message\r\n"
    lines = (f"row-{row},mine,good,not this,[Paris {row}],300,ok,,\r\n" for row in range(1, 31))
    content = header + "".join(lines)
    prefix = "towers/a.csv/job-4"
    put_result(app, f"{prefix}/results.csv", content)
    put_result(app, f"{prefix}/results.jsonl", '{"row": 1, "input": {"Note": "mine", "Mood": 1, "Third": 2}}\n')
    put_result(app, f"{prefix}/status.json", "{}")
    folder = fetch(app, "towers/a.csv", "job-4", tmp_path)
    assert folder == tmp_path / "towers" / "a.csv" / "job-4"
    assert sorted(path.name for path in folder.iterdir()) == ["results.csv", "results.jsonl", "status.json"]
    assert (folder / "results.csv").read_bytes() == content.encode()
    shown = table(folder, 100)
    assert "[Paris 20]" in shown
    assert "[Paris 21]" not in shown
    assert "10 more rows" in shown
    assert "mine" in shown
    assert "good" in shown
    assert "not this" not in shown
    assert "error_code" not in shown


def test_an_own_column_that_is_the_custom_id_is_not_shown_twice(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(
        "custom_id,Ticket,City,status,error_code,error_message\r\nT-1,T-1,Rome,ok,,\r\n"
    )
    (tmp_path / "results.jsonl").write_text('{"input": {"Ticket": "T-1"}}\n')
    shown = table(tmp_path)
    assert "custom_id" in shown
    assert "│ Ticket" not in shown
    assert "Rome" in shown


def test_failed_rows_show_their_codes_and_each_reason_once(app: App, tmp_path: Path) -> None:
    put_result(
        app,
        "a.csv/job-6/results.csv",
        "custom_id,City,status,error_code,error_message\r\na,,error,refusal,No thanks\r\nb,Rome,ok,,\r\n",
    )
    lines = (f'{{"error": {{"code": "refusal", "row": {row}, "message": "No thanks"}}}}\n' for row in (1, 3, 4))
    put_result(app, "a.csv/job-6/errors.jsonl", "".join(lines))
    text = show(app, tmp_path, status("completed", 1, 3, errors={"refusal": 3}))
    assert "│ refusal" in text
    assert text.count("No thanks") == 1
    assert "  3 refusal:\n    rows 1, 3, 4: No thanks\n" in text


def test_of_many_failed_rows_the_first_of_each_code_are_shown_and_how_many_more_there_are(
    app: App, tmp_path: Path
) -> None:
    lines = [f'{{"error": {{"code": "refusal", "row": {row}, "message": "No {row}"}}}}\n' for row in range(1, 8)]
    lines.append('{"error": {"code": "missing", "row": 9, "message": "None"}}\n')
    put_result(app, "a.csv/job-6/errors.jsonl", "".join(lines))
    text = show(app, tmp_path, status("completed", 1, 8, errors={"missing": 1, "refusal": 7}))
    assert "  7 refusal:\n    row 1: No 1\n" in text
    assert "    row 5: No 5\n    and 2 more\n" in text
    assert "No 6" not in text
    assert "  1 missing:\n    row 9: None\n" in text


def test_what_a_table_leaves_out_is_told(tmp_path: Path) -> None:
    fields = [f"field {number}" for number in range(9)]
    header = ",".join(["custom_id", *fields, "status", "error_code", "error_message"])
    row = ",".join(["a", *("x" for _ in fields), "ok", "", ""])
    (tmp_path / "results.csv").write_text("\r\n".join([header, *[row] * 21]), "utf-8-sig")
    assert "and 1 more row, 2 more columns" in table(tmp_path)


@pytest.mark.parametrize("width", [80, 100])
def test_long_texts_take_three_lines_and_a_table_never_more_than_the_screen(tmp_path: Path, width: int) -> None:
    header = "custom_id,Message,category,summary,reply,urgent,status,error_code,error_message\r\n"
    row = f"T-1,{'words of a customer ' * 30},delivery,{'word ' * 90},{'x' * 500},true,ok,,\r\n"
    (tmp_path / "results.csv").write_text(header + row)
    (tmp_path / "results.jsonl").write_text('{"input": {"Message": "…"}}\n')
    lines = table(tmp_path, width).splitlines()
    assert max(map(len, lines)) <= width
    assert len([line for line in lines if line.startswith("│")]) == 3
    assert "…" in lines[-2] + lines[-3]


def test_a_table_with_semicolons_is_read_as_such(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("custom_id;City;status;error_code;error_message\r\na;Rome, Italy;ok;;\r\n")
    assert "Rome, Italy" in table(tmp_path)


def test_what_is_piped_is_not_wrapped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    (tmp_path / "results.csv").write_text(
        f"custom_id,A,B,C,D,E,status,error_code,error_message\r\na,{','.join(['x' * 47] * 5)},ok,,\r\n"
    )
    screen.console.print(results_table(tmp_path / "results.csv", "a.csv", screen.console.width))
    screen.say("word " * 100)
    printed = capsys.readouterr().out
    assert printed.count("x" * 47) == 5
    assert "word " * 100 in printed


def test_a_job_without_rows_shows_its_message_once_and_no_empty_table(app: App, tmp_path: Path) -> None:
    put_result(app, "empty.csv/job-5/results.csv", "\ufeffcustom_id,status,error_code,error_message\r\n")
    rows = {"total": 0, "succeeded": 0, "failed": 0, "pending": 0}
    fault = {"code": "empty_file", "message": "The file has no rows."}
    ended = {**status("failed", prompt_file="empty.csv", job_id="job-5", rows=rows), **fault}
    shown = Shown()
    assert show_results(app, [ended], shown.screen, tmp_path, Advice(can_steer=True)) == 1
    assert "empty_file · The file has no rows." in shown.text
    assert shown.text.count("The file has no rows.") == 1
    assert "custom_id" not in shown.text


def test_a_job_in_which_no_row_succeeded_shows_no_table_of_nothing(app: App, tmp_path: Path) -> None:
    put_result(app, "a.csv/job-6/results.csv", "custom_id,status,error_code,error_message\r\na,error,refusal,No\r\n")
    put_result(app, "a.csv/job-6/errors.jsonl", '{"error": {"code": "refusal", "row": 1, "message": "No"}}\n')
    text = show(app, tmp_path, status("completed", 0, 4, errors={"refusal": 4}))
    assert "custom_id" not in text
    assert "  4 refusal:\n    row 1: No" in text


def test_failed_rows_of_a_demo_come_with_the_command_that_tries_them_again(app: App, tmp_path: Path) -> None:
    demo = Advice(can_steer=False)
    failed = status("completed", 3, 1, errors={"refusal": 1}, prompt_file="a b.csv")
    put_result(app, "a b.csv/job-6/errors.jsonl", "{}\n")
    put_result(app, "towers/a.csv/job-6/errors.jsonl", "{}\n")
    output = show(app, tmp_path, failed, demo)
    assert f'python3 dev.py demo "{tmp_path / "a b.csv" / "job-6" / "errors.jsonl"}"' in output
    assert "copy the job settings" not in output
    assert "copy the job settings" in show(app, tmp_path, {**failed, "prompt_file": "towers/a.csv"}, demo)
    assert "dev.py demo" not in show(app, tmp_path, status("completed", 4, prompt_file="a b.csv"), demo)


def test_failed_rows_of_a_drop_come_with_retry(app: App, tmp_path: Path) -> None:
    text = show(app, tmp_path, status("completed", 3, 1, errors={"refusal": 1}))
    assert "python3 dev.py retry job-6\n" in text
    remote = Advice(can_steer=True, option=" --app URL --key KEY")
    assert "retry job-6 --app URL --key KEY" in show(
        app, tmp_path, status("completed", 3, 1, errors={"refusal": 1}), remote
    )


def test_rows_that_would_fail_again_are_to_be_corrected_before_a_retry(app: App, tmp_path: Path) -> None:
    errors = tmp_path / "a.csv" / "job-6" / "errors.jsonl"
    text = show(app, tmp_path, status("completed", 3, 3, errors={"missing_prompt": 2, "invalid_schema": 1}))
    assert f"again: correct them in {errors} and drop that file\n" in text
    assert "(or, after a change of _job.json:  python3 dev.py retry job-6)" in text
    mixed = show(app, tmp_path, status("completed", 3, 3, errors={"missing_prompt": 2, "expired": 1}))
    assert f"again:  python3 dev.py retry job-6\n(or correct them in {errors} and drop that file)" in mixed
    in_folder = status("completed", 3, 1, errors={"expired": 1}, prompt_file="towers/a.csv")
    assert "errors.jsonl, put that file beside your _job.json, and drop it)" in show(app, tmp_path, in_folder)


def test_a_held_job_shows_its_pilot_and_both_ways_on(app: App, tmp_path: Path) -> None:
    put_result(app, "a.csv/job-6/pilot.csv", "custom_id;City;status;error_code;error_message\r\na;Rome;ok;;\r\n")
    text = show(app, tmp_path, status("held", 2))
    assert "│ Rome" in text
    many = ",".join(f"mine {number}" for number in range(9))
    values = ",".join("x" * 9)
    header = f"custom_id,{many},City,status,error_code,error_message"
    put_result(app, "a.csv/job-6/pilot.csv", f"{header}\r\na,{values},Rome,ok,,\r\n")
    assert "│ Rome" in show(app, tmp_path, status("held", 2))
    assert "To let it go on:  python3 dev.py release job-6\nTo cancel it:  python3 dev.py cancel job-6\n" in text


def test_a_trial_run_is_called_one_and_tells_how_to_send_the_rest(app: App, tmp_path: Path) -> None:
    put_result(
        app,
        "a.csv/job-6/results.csv",
        "custom_id,City,status,error_code,error_message\r\na,Rome,ok,,\r\nb,,error,not_sent,The limit\r\n",
    )
    put_result(app, "a.csv/job-6/errors.jsonl", '{"error": {"code": "not_sent", "row": 2, "message": "The limit"}}\n')
    last = status("completed", 1, 3, errors={"not_sent": 3}, message="Trial run: 1 of 4 rows sent.")
    text = show(app, tmp_path, last)
    assert "trial run: 1 of 4 rows sent" in text
    assert "3 rows are left. To send them:  python3 dev.py retry job-6" in text
    for noise in ("not_sent", "The limit", "try the failed rows again", "Trial run"):
        assert noise not in text
    assert "without --limit" in show(app, tmp_path, last, Advice(can_steer=False))


def test_a_job_that_failed_is_not_called_a_trial_run_and_says_why(app: App, tmp_path: Path) -> None:
    fault = {"code": "missing_column", "message": "There is no column Prompt.", "errors": {"not_sent": 4}}
    text = show(app, tmp_path, {**status("failed", 0, 4), **fault})
    assert "trial" not in text
    assert "missing_column · There is no column Prompt." in text


def test_many_jobs_are_shown_as_one_table_of_what_went_wrong(app: App, tmp_path: Path) -> None:
    jobs = [status("completed", 4, prompt_file=f"{number}.csv") for number in range(30)]
    jobs.append(status("failed", prompt_file="bad [x].csv", code="empty_file", message="The file has no rows."))
    shown = Shown()
    assert show_results(app, jobs, shown.screen, tmp_path, Advice(can_steer=True)) == 1
    assert "31 jobs, 30 without a failed row" in shown.text
    assert "bad [x].csv" in shown.text
    assert "The file has no rows." in shown.text
    assert len(shown.lines) < 12


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (12.5, ", $12.5000"),
        (0.0001, ", $0.0001"),
        (0.00001, ", less than $0.0001"),
        (0, "tokens"),
        (None, "tokens"),
    ],
)
def test_a_cost_however_small_is_never_shown_as_nothing(app: App, tmp_path: Path, usd: float | None, text: str) -> None:
    paid = status("completed", 4, usage={"total_tokens": 82}, cost={"usd": usd, "unpriced_rows": 0})
    assert any(line.endswith(text) for line in show(app, tmp_path, paid).splitlines())
