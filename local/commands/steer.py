"""Retry, release or cancel jobs through the functions' HTTP API."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from local.commands.command_line import parse
from local.commands.http_api import HttpApi, RefusedError
from local.commands.job_names import find_job, is_job_id
from local.commands.job_words import left_out
from local.commands.place import NOT_RUNNING
from local.commands.running import run_command
from local.commands.screen import Screen, fail
from local.servers.processes import ServerError
from local.servers.running import read_running


def main(arguments: Sequence[str]) -> int:
    """Do what the command's name says to each job; return 0 where the app has taken all of it."""
    action = arguments[0]
    options = parse(action, arguments[1:])
    screen = Screen(as_json=options.json)

    def work() -> int:
        api = _api(options)
        refused = 0
        for word in options.jobs:
            known = None if is_job_id(word) else find_job(word, api.page)
            try:
                status = api.steer(known["job_id"] if known else word, action)
            except RefusedError as refusal:
                refused = fail(f"{word}: {refusal}")
                continue
            screen.event(action, **status)
            screen.say_whole(_told(action, status, known, remote=bool(options.app)))
        return refused

    return run_command(work)


def _api(options: argparse.Namespace) -> HttpApi:
    """Return the app that was named, or the one that runs on this machine; raises ServerError where none does."""
    if options.app:
        return HttpApi(options.app, options.key)
    running = read_running()
    if running is None:
        raise ServerError(NOT_RUNNING)
    return HttpApi(running.api_url, running.function_key)


def _told(action: str, status: Mapping[str, Any], known: Mapping[str, Any] | None, *, remote: bool) -> str:
    job = f"{status['prompt_file']} (job {status['job_id']})"
    results = f"python3 dev.py results {status['job_id']}{' --account NAME' if remote else ''}"
    if action == "retry":
        what = "the rest is being sent" if known and left_out(known) else "rows without an answer are being tried again"
        return f"{job}: {what}. To follow it and fetch the results:\n  {results}"
    if action == "release":
        return f"{job}: released, it goes on. To follow it and fetch the results:\n  {results}"
    return f"{job}: being cancelled; what was answered is collected. Its results, once it has ended:\n  {results}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
