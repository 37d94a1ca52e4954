"""Run programs to their end before anything is installed. Standard library only, for Python 3.9."""

import contextlib
import os
import signal
import subprocess
import sys
from typing import Callable, Iterator, List, Optional


def probe(command: List[str]) -> Optional[str]:
    """Run a short command and return its output, None where it fails or hangs."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def run(command: List[str]) -> int:
    """Run a command to its end and return its status; if anything interrupts, nothing of it goes on running."""
    flags: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # known on Windows alone
    with signals_held_back() as let_go:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=os.name != "nt", creationflags=flags
        )
        try:
            let_go()
            return process.wait()
        except BaseException:
            if sys.platform == "win32":
                process.kill()
            else:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


@contextlib.contextmanager
def signals_held_back() -> Iterator[Callable[[], None]]:
    """Hold signals to end back until the yielded function is called: see local/servers/processes.py."""
    came: List[int] = []
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    former = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    for signum, handler in former.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, lambda number, _frame: came.append(number))

    def let_go() -> None:
        while former:
            signal.signal(*former.popitem())
        if came:
            signal.raise_signal(came.pop(0))

    try:
        yield let_go
    finally:
        let_go()


def catch_signals() -> None:
    """Make a request to end unwind this process as Ctrl-C does, so that nothing it started goes on.

    Ctrl-C itself too: a shell starts its background jobs with SIGINT ignored. An ignored SIGHUP (nohup) stays ignored.
    """

    def stop(signum: int, _frame: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        signum = getattr(signal, name, None)
        if signum and not (name == "SIGHUP" and signal.getsignal(signum) is signal.SIG_IGN):
            signal.signal(signum, stop)
