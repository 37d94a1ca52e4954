"""Show what became of jobs: their tables, or a line each where there are many, and what to do next."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from local.commands.fetching import fetch, file_names
from local.commands.first_faults import FAULTS_OF_ROWS, FirstFaults
from local.commands.job_words import Status, failures, left_out, one_line, summary, targets_of
from local.commands.results_table import results_table
from local.commands.screen import Screen
from shared.domain.model import RowCode
from shared.domain.ports import App

_FEW = 3
_FAULTS_OF_ROWS = frozenset(
    {
        RowCode.INVALID_JSON,
        RowCode.INVALID_REQUEST,
        RowCode.MISSING_PROMPT,
        RowCode.DUPLICATE_CUSTOM_ID,
        RowCode.INVALID_SCHEMA,
        RowCode.ROW_TOO_LARGE,
    }
)
"""What a retry finds again, as long as the rows and the settings are the same."""


@dataclass(frozen=True)
class Advice:
    """How the user goes on: by steering the job, or by running the demo again."""

    can_steer: bool
    option: str = ""
    """What the steering commands need besides."""

    def let_go(self, status: Status) -> str:
        """Return how a held job goes on."""
        if self.can_steer:
            job = f"{status['job_id']}{self.option}"
            return f"To let it go on:  python3 dev.py release {job}\nTo cancel it:  python3 dev.py cancel {job}"
        return "To release a job, run the servers with 'python3 dev.py up' and drop the file there."

    def send_rest(self, status: Status) -> str:
        """Return how to send what a trial run left out."""
        rest = f"{left_out(status):,} rows are left."
        if self.can_steer:
            return f"{rest} To send them:  python3 dev.py retry {status['job_id']}{self.option}"
        return f"{rest} To send all of them, run the demo again without --limit."

    def try_again(self, status: Status, errors: Path) -> str:
        """Return how to try failed rows again."""
        quoted = f'"{errors}"' if " " in str(errors) else str(errors)
        has_folder = "/" in status["prompt_file"]  # Only files with settings beside them go into one: see plan_drops.
        if not self.can_steer:
            settings = " copy the job settings (_*.json) beside it," if has_folder else ""
            return (
                "To try the failed rows again: correct errors.jsonl where its messages ask for it,"
                f"{settings} and drop it:\n  python3 dev.py demo {quoted}"
            )
        then = ", put that file beside your _job.json, and drop it" if has_folder else " and drop that file"
        correct = f"correct them in {quoted}{then}"
        retry = f"python3 dev.py retry {status['job_id']}{self.option}"
        if failures(status).keys() <= _FAULTS_OF_ROWS:
            return f"To try the failed rows again: {correct}\n(or, after a change of _job.json:  {retry})"
        return f"To try the failed rows again:  {retry}\n(or {correct})"


def show_results(
    app: App,
    statuses: Sequence[Status],
    screen: Screen,
    root: Path,
    advice: Advice,
    *,
    warnings: bool = False,
) -> int:
    """Fetch and print each job's results; return 0 where all jobs have completed, else 1."""
    is_few = len(statuses) <= _FEW
    for status in statuses:
        folder = fetch(app, status["prompt_file"], status["job_id"], root)
        screen.event("results", folder=str(folder), files=file_names(folder), status=status)
        if is_few and not screen.as_json:
            _show_one(status, folder, screen, advice, warnings=warnings)
    if not is_few:
        screen.console.print(_jobs_table(statuses))
        screen.say_whole(f"Results: {root}")
    return 0 if all(status["state"] == "completed" for status in statuses) else 1


def _show_one(status: Status, folder: Path, screen: Screen, advice: Advice, *, warnings: bool) -> None:
    screen.say("")
    table = folder / ("pilot.csv" if status["state"] == "held" else "results.csv")
    if status["rows"].get("succeeded") and table.exists():
        screen.console.print(results_table(table, status["prompt_file"], screen.console.width))
    screen.say(summary(status), "red" if status["state"] == "failed" else None)
    if targets_of(status):
        screen.say(f"  batches: {targets_of(status)}")
    for line in _faults(status, folder / "errors.jsonl"):
        screen.say(line)
    for warning in status.get("warnings") or () if warnings else ():
        screen.warn(f"warning: {one_line(warning, 600)}")
    screen.say_whole(f"Results: {folder}")
    screen.say(f"  {', '.join(file_names(folder))}", "dim")
    if status["state"] == "held":
        screen.say_whole(advice.let_go(status), "bold")
    if status["state"] in ("completed", "cancelled"):
        if left_out(status):
            screen.say_whole(advice.send_rest(status), "bold")
        if failures(status):
            screen.say_whole(advice.try_again(status, folder / "errors.jsonl"))


def _faults(status: Status, errors: Path) -> list[str]:
    """Return the first failed rows of each code, with their messages; none where the job's fault says it."""
    if (status["state"] == "failed" and status.get("code") not in FAULTS_OF_ROWS) or not errors.exists():
        return []
    faults = FirstFaults(failures(status))
    with errors.open("rb") as lines:
        for line in lines:
            if faults.are_complete:
                break
            error = json.loads(line).get("error") or {}
            faults.add(error.get("code"), error.get("row"), str(error.get("message")))
    return [f"  {line}" for line in faults.lines(status.get("message") or "")]


def _jobs_table(statuses: Sequence[Status]) -> Table:
    """Return a line for each job that did not go well, up to a screenful, and one for all others."""
    bad = [status for status in statuses if status["state"] != "completed" or failures(status)]
    table = Table(title=f"{len(statuses):,} jobs, {len(statuses) - len(bad):,} without a failed row")
    for name in ("prompt file", "state", "rows", "succeeded", "what failed"):
        table.add_column(name)
    for status in bad[:20] or statuses[:10]:
        faults = status.get("message") or ", ".join(f"{count} {code}" for code, count in failures(status).items())
        rows = status["rows"]
        cells = (status["prompt_file"], status["state"], str(rows.get("total") or ""), str(rows["succeeded"]), faults)
        table.add_row(*(escape(one_line(cell, 80)) for cell in cells))
    return table
