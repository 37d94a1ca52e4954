#!/usr/bin/env python3
"""Start a command: python3 dev.py COMMAND. Any Python from 3.9 will do, with its standard library alone.

It finds a Python 3.13 or newer, makes .venv with it, installs what is needed and goes on there. What each command
takes is in local/commands/command_line.py.
"""

import signal
import sys

if __name__ == "__main__":  # Ctrl-C while the rest is being imported ends without a traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import os
import subprocess
from pathlib import Path
from typing import List, Sequence

from local.commands.command_line import COMMANDS, check_arguments, overview
from local.setup.children import catch_signals
from local.setup.environment import PROJECT, VENV, Failure, ready_python
from local.setup.pythons import NO_PYTHON


def main(arguments: Sequence[str]) -> int:
    """Run the command named by the first argument and return its exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if arguments else 2
    check_arguments(arguments)  # exits where help is asked for, or something is not understood: installing nothing
    command = COMMANDS[arguments[0]]
    catch_signals()
    try:
        python = ready_python()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 2 if str(failure) == NO_PYTHON else 1
    except OSError as failure:
        print("The project's folder cannot be prepared (may it be written to?): {}".format(failure), file=sys.stderr)
        return 1
    return go_on(python, [command.module, *arguments])


def go_on(python: Path, command: List[str]) -> int:
    """Run a module of the project with .venv's Python, in place of this process where the system can do that."""
    environment = dict(os.environ, PYTHONUTF8="1", VIRTUAL_ENV=str(VENV))
    scripts = str(python.parent)
    environment["PATH"] = scripts + os.pathsep + environment.get("PATH", "")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT), environment.get("PYTHONPATH")]))
    environment.pop("PYTHONHOME", None)
    arguments = [str(python), "-m", "local.commands.start", *command]
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform != "win32":
        # A new interpreter shows a traceback for a Ctrl-C while it starts: local/commands/start.py lets it through.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.execve(arguments[0], arguments, environment)
    process = subprocess.Popen(arguments, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass  # the child got it too and ends by itself


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nStopped. The same command begins anew.", file=sys.stderr)
        sys.exit(130)
