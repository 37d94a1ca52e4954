"""Fetches the results of jobs into a local folder and shows them as tables."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from azure.storage.blob import BlobServiceClient
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.commands.follow import RESULTS, Job, Status
from local.servers.stack import LOCAL

SHOWN_ROWS = 20
SHOWN_COLUMNS = 8
_FIXED = ("status", "error_code", "error_message")


def show_results(
    storage: BlobServiceClient, jobs: Sequence[Job], statuses: Sequence[Status], console: Console, command: str
) -> int:
    """Fetches and prints each job's results; returns 0 where all jobs have completed, else 1.

    `command` is the one of dev.py that would drop the failed rows again.
    """
    for job, status in zip(jobs, statuses, strict=True):
        folder = fetch(storage, job, LOCAL / "results")
        console.print()
        if status["rows"].get("total") and (folder / "results.csv").exists():
            console.print(results_table(folder, job.blob))
        console.print(escape(_summary(job, status)))
        console.print(f"Results: {escape(str(folder))}", soft_wrap=True)
        if status["rows"].get("failed"):
            console.print(escape(_how_to_retry(job, folder / "errors.jsonl", command)), soft_wrap=True)
    return 0 if all(status["state"] == "completed" for status in statuses) else 1


def fetch(storage: BlobServiceClient, job: Job, folder: Path) -> Path:
    """Downloads all result files of a job below `folder` and returns where they lie."""
    prefix = f"{job.blob}/{job.job_id}/"
    container = storage.get_container_client(RESULTS)
    target = folder / job.blob / job.job_id
    for blob in container.list_blobs(name_starts_with=prefix):
        path = target / blob.name.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            container.download_blob(blob.name).readinto(file)
    return target


def results_table(folder: Path, title: str) -> Table:
    """Builds a table of the first rows of results.csv: custom_id, the answers' fields, and errors if there are any."""
    with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(islice(reader, SHOWN_ROWS))
        more = sum(1 for _ in reader)
    own = _own_columns(folder)
    columns = [name for name in reader.fieldnames or () if name not in own and name not in _FIXED]
    failed = any(row["status"] != "ok" for row in rows)
    hidden = len(columns[SHOWN_COLUMNS:])
    columns = columns[:SHOWN_COLUMNS] + (list(_FIXED) if failed else [])
    left_out = [_count(number, "more " + noun) for number, noun in ((more, "row"), (hidden, "column")) if number]
    table = Table(title=escape(title), caption=f"and {', '.join(left_out)}" if left_out else None)
    for name in columns:
        table.add_column(escape(name), overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[name] or "") for name in columns))
    return table


def _how_to_retry(job: Job, errors: Path, command: str) -> str:
    # Only files with settings beside them are dropped into a folder: see plan_drops.
    settings = " copy the job settings (_*.json) beside it," if "/" in job.blob else ""
    quoted = f'"{errors}"' if " " in str(errors) else str(errors)
    return (
        f"To try the failed rows again: correct errors.jsonl where its messages ask for it,{settings} and drop it:\n"
        f"  python3 dev.py {command} {quoted}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _own_columns(folder: Path) -> set[str]:
    """Returns the names under which results.csv carries the user's own columns, as far as the first rows show."""
    own = {name for line in _first_lines(folder) for name in json.loads(line).get("input") or {}}
    return own | {f"input.{name}" for name in own}


def _first_lines(folder: Path) -> Iterator[bytes]:
    for name in ("results.jsonl", "errors.jsonl"):
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                yield from islice(file, SHOWN_ROWS)


def _summary(job: Job, status: Status) -> str:
    rows, usage, cost = status["rows"], status.get("usage") or {}, (status.get("cost") or {}).get("usd")
    parts = [f"{job.blob}: {status['state']}"]
    if rows.get("total") is not None:
        parts.append(f"{rows['succeeded']:,} of {rows['total']:,} rows succeeded")
    if status.get("errors"):
        parts.append("errors: " + ", ".join(f"{count} {code}" for code, count in status["errors"].items()))
    if status.get("code"):
        parts.append(str(status["code"]))
    if status.get("message"):
        parts.append(str(status["message"]))
    if usage.get("total_tokens"):
        parts.append(f"{usage['total_tokens']:,} tokens" + (f", {_money(cost)}" if cost else ""))
    return " · ".join(parts)


def _money(usd: float) -> str:
    return f"${usd:.4f}" if usd >= 0.0001 else "less than $0.0001"
