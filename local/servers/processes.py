"""Child processes that never outlive this one.

Every child runs in a process group of its own, so that Ctrl-C reaches this process alone, which then stops the
children in order. Its standard input is a pipe that it watches (lifeline.py and lifeline.js beside it): were this
process killed without a chance to clean up, the pipe would end and the child with it.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_ENDING_SIGNALS = ("SIGTERM", "SIGHUP", "SIGBREAK")
_STARTING_SECONDS = 1
_IS_POSIX = os.name == "posix"
_NEW_GROUP: int = 0 if _IS_POSIX else getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class ServerError(Exception):
    """A server could not be started; the message says which and shows the end of its log."""


class Interrupted(KeyboardInterrupt):
    """The process was asked to end by a signal other than Ctrl-C."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Server:
    """A server running as a child process, with its output in a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start `command` in `folder` (by default the current one); `environment` is added to this process's own."""
        self.name = name
        self.log = log
        self._is_ready = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
                start_new_session=_IS_POSIX,
                creationflags=_NEW_GROUP,
            )

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child is still alive."""
        return self._process.poll() is None

    def wait_for_line(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Wait until a line of the log matches `pattern`; raise ServerError if the child ends first or time is up."""
        deadline = time.monotonic() + seconds
        while True:
            alive = self.running
            found = re.search(pattern, self._read_log(), re.MULTILINE)
            if found:
                self._is_ready = True
                return found
            if not alive:
                raise ServerError(f"{self.name} stopped while starting.{self._log_end()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} was not ready after {seconds:.0f} seconds.{self._log_end()}")
            time.sleep(0.03)

    def check(self) -> None:
        """Raise ServerError where the child has ended."""
        if not self.running:
            raise ServerError(f"{self.name} has stopped.{self._log_end()}")

    def stop(self, seconds: float = 15) -> None:
        """Ask the child to end, wait, and end its process group by force where asking does not help.

        One that is still starting has nothing to finish, and cannot always hear: Node is deaf while it loads modules.
        """
        if self._process.stdin:
            try:
                self._process.stdin.close()
            except OSError:
                pass  # the child was gone already
        try:
            self._process.wait(seconds if self._is_ready else min(seconds, _STARTING_SECONDS))
        except subprocess.TimeoutExpired:
            pass
        finally:
            kill_group(self._process)

    def _read_log(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def _log_end(self) -> str:
        lines = self._read_log().splitlines()[-15:]
        return "\n".join([f" The end of {self.log}:", *(f"    {line}" for line in lines)]) if lines else ""


def run_to_end(command: Sequence[str | Path], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command in a group of its own and return its outcome; kill the group if anything interrupts.

    Raises subprocess.TimeoutExpired after `seconds`.
    """
    with signals_held_back() as let_go:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=_IS_POSIX,
            creationflags=_NEW_GROUP,
        )
        try:
            let_go()
            output, _ = process.communicate(timeout=seconds)
        finally:
            kill_group(process)
            if process.stdout:
                process.stdout.close()
    return subprocess.CompletedProcess(process.args, process.returncode, output, None)


@contextmanager
def signals_held_back() -> Iterator[Callable[[], None]]:
    """Hold signals to end back until the yielded function is called, which delivers the first that came.

    For the moment between a child's birth and the `try` that ends it: an interruption there would leave it running.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals do not reach this thread anyway
        return
    came: list[int] = []
    known = [getattr(signal, name) for name in ("SIGINT", *_ENDING_SIGNALS) if hasattr(signal, name)]
    former = {signum: signal.getsignal(signum) for signum in known}
    for signum in [signum for signum in known if former[signum] is not signal.SIG_IGN]:
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


def kill_group(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill what is left of the process group of a child that was started in a group of its own."""
    if sys.platform == "win32":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # no process is left (macOS says "permission" where only a zombie is)
    process.wait()


def interrupt_on_signals() -> None:
    """Make a request to end (SIGTERM, a closed terminal) unwind this process like Ctrl-C does.

    Ctrl-C itself too: a shell starts its background jobs with SIGINT ignored. An ignored SIGHUP (nohup) stays ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _ENDING_SIGNALS:
        signum = getattr(signal, name, None)
        if signum and not (name == "SIGHUP" and signal.getsignal(signum) is signal.SIG_IGN):
            signal.signal(signum, _interrupt)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let clean-up finish: for the length of a with-block, further signals to end are ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals do not reach this thread anyway
        return
    known = [getattr(signal, name) for name in ("SIGINT", *_ENDING_SIGNALS) if hasattr(signal, name)]
    former = {signum: signal.signal(signum, signal.SIG_IGN) for signum in known}
    try:
        yield
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


def _interrupt(signum: int, _frame: FrameType | None) -> None:
    raise Interrupted(signum)
