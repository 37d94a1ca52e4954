"""Drop prompt files into storage, follow their jobs to the end and fetch their results."""

import sys
from collections.abc import Sequence

from local.commands.answers import answer_with, look_for
from local.commands.command_line import parse
from local.commands.fetching import results_root
from local.commands.follow import follow, later
from local.commands.place import Place, place_of
from local.commands.prompt_paths import PROMPTS, DropPlan, plan_drops
from local.commands.running import run_command
from local.commands.screen import Screen
from local.commands.showing import Advice, show_results
from local.commands.uploading import Dropped, replaced, upload
from local.servers.running import read_running


def main(arguments: Sequence[str]) -> int:
    """Drop the named files; return 0 where all their jobs have completed."""
    options = parse(arguments[0], arguments[1:])
    screen = Screen(as_json=options.json)
    dropped: list[Dropped] = []

    def work() -> int:
        plan = plan_drops(options.paths, options.limit)
        look_for(options.answers)
        place = place_of(options.account)
        if options.answers and (running := read_running()):
            answer_with(running.service_url, options)
            screen.say(f"Until these servers stop, {options.model} at {options.answers} answers the rows.")
        dropped.extend(drop(place, plan, screen))
        statuses = follow(place, dropped, screen)
        known = [status for status in statuses if status is not None]
        advice = Advice(can_steer=True, option=" --app URL --key KEY" if options.account else "")
        shown = show_results(place.app, known, screen, results_root(options.out), advice)
        return shown if len(known) == len(statuses) else 1

    return run_command(
        work, lambda: later(dropped, f" --account {options.account}" if options.account else ""), options.account
    )


def drop(place: Place, plan: DropPlan, screen: Screen) -> list[Dropped]:
    """Upload what was planned and say so; raises DropError or AppError."""
    for name in replaced(place.app, plan):
        screen.warn(f"Replacing {PROMPTS}/{name}, which was different.")
    dropped = upload(place.app, plan)
    for one in dropped:
        screen.event("dropped", prompt_file=one.blob, job_id=one.job_id)
    for one in dropped[:8]:
        screen.say_whole(f"Dropped {PROMPTS}/{one.blob} (job {one.job_id})")
    if len(dropped) > 8:
        screen.say(f"… and {len(dropped) - 8:,} more")
    return dropped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
