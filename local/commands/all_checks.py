"""Lint, types and all tests."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence

from local.commands.command_line import parse
from local.screenshots.browser import PACKAGE, BrowserError, find_browser
from local.servers.processes import Interrupted, interrupt_on_signals, kill_group, signals_held_back
from local.servers.stack import PROJECT

_MOST_AT_ONCE = 8
"""Each process that tests has servers of its own, which take memory."""

_CHECKS = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("mypy", ["mypy"]),
)


def main(arguments: Sequence[str]) -> int:
    """Run every check, whatever the ones before it said; return 0 where all are well."""
    options = parse(arguments[0], arguments[1:]).rest
    interrupt_on_signals()
    try:
        provide_browser()
        # pytest is the last, so that its closing line is the last that is printed when all is well.
        checks = [*_CHECKS, ("pytest", ["pytest", *_parallel(options), *options])]
        failed = [name for name, command in checks if _run(name, command) != 0]
    except KeyboardInterrupt as interruption:
        print("\nStopped.", file=sys.stderr)
        return 128 + interruption.signum if isinstance(interruption, Interrupted) else 130
    if failed:
        print(f"Failed: {', '.join(failed)}.", flush=True)
    return 1 if failed else 0


def provide_browser() -> None:
    """Install Chromium for the tests of the status page, where it is missing and Debian has it."""
    try:
        find_browser()
    except BrowserError:
        if _is_debian_root():
            _install_browser()


def _install_browser() -> None:
    print("Installing Chromium for the tests of the status page ...", flush=True)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", PACKAGE]
    done = _quiet(install) or (_quiet(["apt-get", "update"]) and _quiet(install))
    if not done:
        print("Chromium could not be installed: the tests of the status page will be skipped.", flush=True)


def _is_debian_root() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


def _quiet(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return _status(command, environment, subprocess.DEVNULL) == 0


def _parallel(arguments: Sequence[str]) -> Sequence[str]:
    """Return pytest's options for tests side by side, unless the caller says how many.

    One more than there are processors, as many of them wait for servers. A process takes whole stretches of the files,
    so that few start the same servers, and gets some of another's tests when it has none left.
    """
    own = any(argument.startswith(("-n", "--numprocesses")) for argument in arguments)
    return () if own else ("-n", str(min((os.cpu_count() or 1) + 1, _MOST_AT_ONCE)), "--dist", "worksteal")


def _run(name: str, command: list[str]) -> int:
    print(f"--- {name}", flush=True)
    return _status([sys.executable, "-m", *command], dict(os.environ), None)


def _status(command: list[str], environment: dict[str, str], output: int | None) -> int:
    """Run a command in a group of its own, which is killed if anything interrupts; return its status."""
    with signals_held_back() as let_go:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=PROJECT,
            env=environment,
            start_new_session=os.name == "posix",
        )
        try:
            let_go()
            return process.wait()
        finally:
            if process.poll() is None:
                kill_group(process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
