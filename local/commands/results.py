"""Fetch jobs' results and show them; a job that still runs is followed to its end first."""

import json
import sys
from collections.abc import Sequence

from local.commands.command_line import parse
from local.commands.fetching import results_root
from local.commands.follow import SETTLED, follow, later
from local.commands.job_names import find_job, is_job_id, stored_page
from local.commands.job_words import Status
from local.commands.place import Place, place_of
from local.commands.running import run_command
from local.commands.screen import Screen
from local.commands.showing import Advice, show_results
from local.commands.uploading import Dropped
from shared.domain import blob_names
from shared.domain.ports import Container


def main(arguments: Sequence[str]) -> int:
    """Show the named jobs' results; return 0 where all of them have completed."""
    options = parse(arguments[0], arguments[1:])
    jobs: list[Dropped] = []

    def work() -> int:
        place = place_of(options.account)
        jobs.extend(_job(place, word) for word in options.jobs)
        return _show(place, jobs, Screen(as_json=options.json), options.out)

    return run_command(
        work, lambda: later(jobs, f" --account {options.account}" if options.account else ""), options.account
    )


def _show(place: Place, jobs: Sequence[Dropped], screen: Screen, out: str | None) -> int:
    statuses = {job: _status(place, job) for job in jobs}
    running = [job for job, status in statuses.items() if status is None or status["state"] not in SETTLED]
    statuses |= zip(running, follow(place, running, screen), strict=True)
    known = [status for status in statuses.values() if status is not None]
    advice = Advice(can_steer=True, option=" --app URL --key KEY" if place.option else "")
    shown = show_results(place.app, known, screen, results_root(out), advice, warnings=not running)
    return shown if len(known) == len(statuses) else 1


def _job(place: Place, word: str) -> Dropped:
    job = place.app.store.job(word) if is_job_id(word) else None
    if job is not None:
        return Dropped(job.prompt_file, job.job_id)
    status = find_job(word, lambda cursor: stored_page(place.app, cursor))
    return Dropped(status["prompt_file"], status["job_id"])


def _status(place: Place, job: Dropped) -> Status | None:
    found = place.app.files.load(Container.RESULTS, blob_names.status_file(job.blob, job.job_id))
    return json.loads(found[0]) if found else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
