"""The main job on this machine alone: python -m local.commands.demo [FILE ...]."""

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from rich.console import Console

from local.commands.drop import Drop, DropError, plan_drops, upload
from local.commands.follow import follow
from local.commands.results import show_results
from local.servers.processes import Interrupted, ServerError, interrupt_on_signals
from local.servers.stack import LOCAL, PROJECT, PROMPTS, running_servers

SAMPLE = PROJECT / "samples" / "buildings.csv"
_RUNS = LOCAL / "demo"
_KEPT_SECONDS = 24 * 3600
# Job codes for which the servers' logs have more to say than the job itself; the others name a fault of the file.
_UNEXPLAINED = ("poisoned", "gave_up", "batch_failed")
_MADE_UP = "These answers are made up by the local batch service; real ones come in Azure."


def main(arguments: Sequence[str]) -> int:
    """Runs the demo; returns 0 where all jobs have completed.

    The servers' data and logs are deleted at the end, but for those of a run that failed for no fault of a file.
    """
    interrupt_on_signals()
    if arguments and arguments[0].startswith("-"):
        print("usage: python3 dev.py demo [FILE ...]", file=sys.stderr)
        return 2
    try:
        drops = plan_drops([Path(argument) for argument in arguments] or [SAMPLE])
    except DropError as failure:
        print(failure, file=sys.stderr)
        return 1
    console = Console(highlight=False)
    _RUNS.mkdir(parents=True, exist_ok=True)
    _remove_old_runs()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=_RUNS))
    status, explained = 1, False
    try:
        status, explained = _run(folder, drops, console)
    except (ServerError, AzureError) as failure:
        print(failure, file=sys.stderr)
    except KeyboardInterrupt as interruption:
        explained = True
        status = 128 + interruption.signum if isinstance(interruption, Interrupted) else 130
        print("Stopped.", file=sys.stderr)
    if not explained:
        print(f"The servers' logs are in {folder}.", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return status


def _run(folder: Path, drops: Sequence[Drop], console: Console) -> tuple[int, bool]:
    """Returns the exit status, and whether it needs no explanation by the servers' logs."""
    console.print("Starting storage (Azurite), the local batch service and the functions ...")
    with running_servers(folder) as servers:
        console.print(f"Status page, while this runs: {servers.status_page}", soft_wrap=True)
        storage = BlobServiceClient.from_connection_string(servers.connection_string)
        dropped = upload(storage, drops)
        for drop in dropped:
            console.print(f"Dropped {PROMPTS}/{drop.blob}", markup=False)
        statuses = follow(storage, dropped, console, servers.check)
        outcome = show_results(storage, dropped, statuses, console, "demo")
        if any(status["rows"].get("succeeded") for status in statuses):
            console.print(_MADE_UP)
        return outcome, all(status.get("code") not in _UNEXPLAINED for status in statuses)


def _remove_old_runs() -> None:
    """Deletes what failed runs of earlier days have left."""
    for folder in _RUNS.glob("run-*"):
        if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
