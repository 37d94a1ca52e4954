"""The main job on this machine alone: start all servers, drop files, show their results, stop."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from local.commands.answers import answer_with, look_for
from local.commands.command_line import parse
from local.commands.drop import drop
from local.commands.fetching import results_root
from local.commands.follow import follow
from local.commands.place import Place, local_place
from local.commands.prompt_paths import DropPlan, plan_drops
from local.commands.running import run_command
from local.commands.screen import Screen
from local.commands.showing import Advice, show_results
from local.servers.running import running_of
from local.servers.stack import LOCAL, PROJECT, running_servers

SAMPLE = PROJECT / "samples" / "buildings.csv"
_KEPT_SECONDS = 24 * 3600
# Job codes for which the servers' logs have more to say than the job itself; the others name a fault of the file.
_UNEXPLAINED = ("poisoned", "gave_up", "batch_failed")
_MADE_UP = "These answers are made up by the local batch service; real ones come in Azure, or with --answers."


def main(arguments: Sequence[str]) -> int:
    """Run the demo; return 0 where all jobs have completed.

    The servers' data and logs are deleted at the end, but for those of a run that failed for no fault of a file.
    """
    options = parse(arguments[0], arguments[1:])
    demo = _Demo(options)
    status = run_command(demo.run)
    demo.clean_up(status)
    return status


class _Demo:
    """One run of the demo, with a folder of its own for the servers."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._screen = Screen(as_json=options.json)
        self._folder: Path | None = None
        self._is_explained = False

    def run(self) -> int:
        """Start the servers and do the job in them; return the exit status."""
        plan = plan_drops(self._options.paths or [SAMPLE], self._options.limit)
        look_for(self._options.answers)
        runs = LOCAL / "demo"
        runs.mkdir(parents=True, exist_ok=True)
        _remove_old(runs)
        self._folder = Path(tempfile.mkdtemp(prefix="run-", dir=runs))
        self._screen.say("Starting storage (Azurite), the local batch service and the functions ...")
        with running_servers(self._folder) as servers:
            self._screen.say_whole(f"Status page, while this runs: {servers.status_page}")
            if self._options.answers:
                answer_with(servers.service_url, self._options)
            place = replace(local_place(running_of(servers)), check=servers.check)
            return self._follow(place, plan)

    def _follow(self, place: Place, plan: DropPlan) -> int:
        dropped = drop(place, plan, self._screen)
        statuses = [status for status in follow(place, dropped, self._screen) if status is not None]
        root = results_root(self._options.out)
        shown = show_results(place.app, statuses, self._screen, root, Advice(can_steer=False))
        if any(status["rows"].get("succeeded") for status in statuses):
            self._screen.say(self._source_of_answers())
        is_whole = len(statuses) == len(dropped)
        self._is_explained = is_whole and all(status.get("code") not in _UNEXPLAINED for status in statuses)
        return shown if is_whole else 1

    def _source_of_answers(self) -> str:
        if self._options.answers:
            return f"These answers come from {self._options.model} at {self._options.answers}."
        return _MADE_UP

    def clean_up(self, status: int) -> None:
        """Delete the servers' folder, but for one that explains a failure."""
        if self._folder is None:
            return
        if status == 1 and not self._is_explained:
            print(f"The servers' logs are in {self._folder}.", file=sys.stderr)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)


def _remove_old(runs: Path) -> None:
    """Delete what failed runs of earlier days have left."""
    for folder in runs.glob("run-*"):
        if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
