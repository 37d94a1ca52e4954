"""List the newest jobs as a table, and the targets where there is a choice of them or one is left alone."""

import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import tee

from rich import box
from rich.table import Table
from rich.text import Text

from local.commands.command_line import did_you_mean, parse
from local.commands.job_words import ENDED, Status, failures, left_out, one_line, rows_done
from local.commands.place import place_of
from local.commands.running import run_command
from local.commands.screen import Screen, fail
from shared.domain.model import JobState
from shared.pipeline.listing import list_jobs
from shared.pipeline.target_table import TargetState, target_table

_STYLES = {"waiting": "yellow", "held": "yellow", "failed": "red", "completed": "green"}
_MOST = 500


def main(arguments: Sequence[str]) -> int:
    """Print the newest jobs; return 0, also where there are none."""
    options = parse(arguments[0], arguments[1:])
    screen = Screen(as_json=options.json)
    states = [state.value for state in JobState]
    if options.state and options.state not in states:
        meant = did_you_mean(options.state, states) or f" There are {', '.join(states)}."
        return fail(f"There is no state '{options.state}'.{meant}") + 1

    def work() -> int:
        app = place_of(options.account).app
        limit = min(options.limit, _MOST)
        for_jobs, for_targets = tee(app.store.all_listed())
        state, prefix = options.state or "", options.prefix or ""
        jobs, more = list_jobs(app, state=state, prefix=prefix, limit=limit, cursor="", opened=for_jobs)
        targets = target_table(app, for_targets)
        for status in jobs:
            screen.event("job", **status)
        for target in targets:
            screen.event("target", **target)
        if jobs:
            screen.console.print(_table(jobs))
        if targets:
            screen.console.print(_targets(targets))
        screen.say(_closing(len(jobs), bool(more)))
        return 0

    return run_command(work, account=options.account)


def _closing(count: int, is_more: bool) -> str:
    if not count:
        return "There are no jobs here yet. Drop a file:  python3 dev.py drop FILE"
    older = f"Older ones: --limit {count * 2}.  " if is_more else ""
    return f"{older}To look at one:  python3 dev.py results JOB"


def _table(jobs: Sequence[Status]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("job", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("succeeded", "failed", "cost"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("prompt file, and what to know", overflow="fold")
    for status in jobs:
        style = _STYLES.get(status["state"], "")
        news = _news(status)
        about = Text(status["prompt_file"])
        if news:
            about.append(f"\n{one_line(news, 200)}", "dim")
        state, failed = Text(status["state"], style), Text(_failed(status), "red")
        table.add_row(status["job_id"], state, _succeeded(status), failed, _cost(status), about)
    return table


def _targets(targets: Sequence[TargetState]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("target", "open batches", "waiting until"):
        table.add_column(name, justify="right" if name == "open batches" else "left", overflow="fold")
    table.add_column("last refusal", overflow="fold")
    for target in targets:
        refusal = target["last_refusal"]
        about = Text(f"{_local(refusal['at'])}: {one_line(refusal['message'], 400)}" if refusal else "", "dim")
        until = Text(_local(target["waiting_until"]) if target["waiting_until"] else "", "yellow")
        table.add_row(target["target"], str(target["open_batches"]), until, about)
    return table


def _local(time: str) -> str:
    """Return a time of a status in the time of this machine."""
    return f"{datetime.fromisoformat(time).astimezone():%d %b, %H:%M}"


def _cost(status: Status) -> str:
    """Return what a job has cost: nothing where all answers were reused, empty where nothing is known yet."""
    cost = status.get("cost") or {}
    if usd := cost.get("usd"):
        return f"${usd:,.4f}" if usd >= 0.0001 else "<$0.0001"
    is_free = status["state"] in ENDED and status["rows"].get("reused") and not cost.get("unpriced_rows")
    return "$0" if is_free else ""


def _succeeded(status: Status) -> str:
    """Return how many of a job's rows succeeded, or, while it runs, how many were answered and have not failed."""
    done, total = rows_done(status)
    return "" if total is None else f"{done - _count_failed(status):,}/{total:,}"


def _failed(status: Status) -> str:
    """Return how many rows failed, empty where none did."""
    failed = _count_failed(status)
    return f"{failed:,}" if failed else ""


def _count_failed(status: Status) -> int:
    return int(status["rows"].get("failed") or 0) - left_out(status)


def _news(status: Status) -> str:
    """Return what a person should know of a job: its message, what failed or was reused, or that it was a trial."""
    unsent = left_out(status)
    trial = f"trial run, {unsent:,} rows not sent" if unsent else ""
    failed = ", ".join(f"{count:,} {code}" for code, count in failures(status).items())
    reused = f"{status['rows']['reused']:,} rows reused" if status["rows"].get("reused") else ""
    return " · ".join(part for part in (trial, failed, reused, "" if unsent else status.get("message")) if part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
