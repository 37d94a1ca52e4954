#!/usr/bin/env python3
"""Development commands: python3 dev.py COMMAND.

  demo [FILE ...]   run the whole thing on this machine: storage, batch service, functions; drop FILE, show its results
  test [OPTION ...] lint, types and all tests; options go to pytest
  up                the same three servers, until Ctrl-C
  drop FILE ...     drop FILE into the running local storage and fetch its results
  services          storage and batch service only, for 'func start' of Azure Functions Core Tools
  bench             the benchmarks

Any Python from 3.9 starts this file. It finds a Python 3.13 or newer, makes .venv with it, installs what is needed and
goes on there. Standard library only.
"""

import signal
import sys

if __name__ == "__main__":  # Ctrl-C while the rest is being imported ends without a traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import contextlib
import glob
import hashlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv"
STAMP = VENV / ".installed"
LOCK = PROJECT / ".local" / "dev.lock"
UNFINISHED = PROJECT / ".local" / "venv-unfinished"
REQUIREMENTS = (PROJECT / "requirements.txt", PROJECT / "requirements-dev.txt")
NEEDED = (3, 13)
# The version that runs in Azure first, then newer ones.
TRIED = ("3.13", "3.14", "3.15", "3.16")
COMMANDS: Dict[str, List[str]] = {
    "demo": ["local.commands.demo"],
    "test": ["local.commands.checks"],
    "up": ["local.commands.up"],
    "drop": ["local.commands.drop"],
    "services": ["local.commands.up", "--services-only"],
    "bench": ["benchmarks"],
}
WINDOWS = os.name == "nt"
NO_PYTHON = """\
This project needs Python 3.13 or newer (with its venv module); none was found on this machine. Get one, for example:
  Windows        winget install Python.Python.3.13
  macOS          brew install python@3.13
  Debian/Ubuntu  apt install python3.13-venv, where your release has it
  anywhere       uv python install 3.13   (https://docs.astral.sh/uv)   or   pyenv install 3.13
  or             https://www.python.org/downloads
Then run the same command again: it is found by itself."""


class Failure(Exception):
    """Something went wrong that the user can mend; the message says what."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command named by the first argument and returns its exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        print("There is no command {!r}.\n\n{}".format(arguments[0], __doc__), file=sys.stderr)
        return 2
    if wants_help(arguments):
        print(__doc__)
        return 0
    catch_signals()
    try:
        python = ready_python()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 2 if str(failure) == NO_PYTHON else 1
    except OSError as failure:
        print("The project's folder cannot be prepared (may it be written to?): {}".format(failure), file=sys.stderr)
        return 1
    return go_on(python, COMMANDS[arguments[0]] + list(arguments[1:]))


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether a command is asked what it does: answered here, installing nothing; `bench` alone has more to say."""
    return arguments[0] != "bench" and any(argument in ("-h", "--help") for argument in arguments[1:])


def ready_python() -> Path:
    """Returns .venv's Python, having made .venv and installed the requirements where that was still to do."""
    if is_ready():
        return venv_python(VENV)
    with locked(LOCK):
        if not is_ready():
            make_venv(anew=UNFINISHED.exists())
            install()
    return venv_python(VENV)


def is_ready() -> bool:
    """Whether .venv works and holds what the requirements say now; starts no process."""
    try:
        works = venv_version(VENV) >= NEEDED and not UNFINISHED.exists()
        return works and STAMP.read_text("utf-8") == requirements_hash()
    except (OSError, ValueError):
        return False


def requirements_hash() -> str:
    """Returns a hash of all requirements, to compare with the one noted after the last installation."""
    digest = hashlib.sha256()
    for path in REQUIREMENTS:
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def venv_python(venv: Path) -> Path:
    """Returns the path of a virtual environment's Python."""
    return venv / "Scripts" / "python.exe" if WINDOWS else venv / "bin" / "python"


def venv_version(venv: Path) -> Tuple[int, ...]:
    """Returns the Python version of a virtual environment; OSError or ValueError where it is none that can work."""
    if not venv_python(venv).exists():  # follows the link: false as well where the Python behind it is gone
        raise ValueError("no Python in it")
    found = re.search(r"(?m)^version(?:_info)? *= *(\d+)\.(\d+)", (venv / "pyvenv.cfg").read_text("utf-8"))
    if not found:
        raise ValueError("no version in its pyvenv.cfg")
    return (int(found.group(1)), int(found.group(2)))


def make_venv(anew: bool) -> None:
    """Makes .venv, unless there is one that works; `anew` even then, as its last installation was cut off midway."""
    try:
        works = venv_version(VENV) >= NEEDED and has_pip(venv_python(VENV))
    except (OSError, ValueError):
        works = False
    if works and not anew:
        return
    python = find_python()
    if python is None:
        raise Failure(NO_PYTHON)
    print("Making .venv with {} ...".format(python), flush=True)
    UNFINISHED.touch()
    if run([python, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise Failure("The virtual environment .venv could not be made with {}.".format(python))


def has_pip(python: Path) -> bool:
    """Whether pip is installed for a Python, or could be now."""
    return probe([str(python), "-m", "pip", "--version"]) is not None or (
        probe([str(python), "-m", "ensurepip"]) is not None
    )


def install() -> None:
    """Installs the requirements into .venv and notes their hash there."""
    wanted = requirements_hash()
    print("Installing the requirements (a minute the first time) ...", flush=True)
    started = time.monotonic()
    UNFINISHED.touch()
    pip = [str(venv_python(VENV)), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    status = run([*pip, "--requirement", str(REQUIREMENTS[-1])])
    UNFINISHED.unlink()  # pip ended by itself: it leaves no package half installed
    if status != 0:
        raise Failure(
            "pip could not install the requirements: its messages above say why. If the package index cannot be\n"
            "reached, check the network, or name a proxy in HTTPS_PROXY or a mirror in PIP_INDEX_URL. Then run the\n"
            "same command again."
        )
    STAMP.write_text(wanted, "utf-8")
    print("Installed in {:.0f} s.".format(time.monotonic() - started), flush=True)


def find_python() -> Optional[str]:
    """Returns the first Python that is new enough and can make virtual environments, None if there is none."""
    for command in candidates():
        answer = probe([*command, "-c", "import ensurepip, sys, venv; print(*sys.version_info[:2], sys.executable)"])
        if answer:
            major, minor, path = answer.split(maxsplit=2)
            if (int(major), int(minor)) >= NEEDED:
                return path
    return None


def candidates() -> Iterator[List[str]]:
    """Yields commands that may start a Python: this one, PATH's, the py launcher's, pyenv's, uv's."""
    if sys.version_info >= NEEDED:
        yield [getattr(sys, "_base_executable", None) or sys.executable]
    for name in ["python" + version for version in TRIED] + ["python3", "python"]:
        found = shutil.which(name)
        if found:
            yield [found]
    launcher = shutil.which("py") if WINDOWS else None
    if launcher:
        for version in TRIED:
            yield [launcher, "-" + version]
    for pattern in folder_patterns():
        for found in sorted(glob.glob(pattern)):
            yield [found]
    uv = shutil.which("uv")
    if uv:
        found = probe([uv, "python", "find", "--no-python-downloads", ">=3.13"])
        if found:
            yield [found]


def folder_patterns() -> Iterator[str]:
    """Yields where pyenv and uv keep their Pythons, as patterns."""
    home = Path.home()
    pyenvs = [os.environ.get("PYENV_ROOT"), str(home / ".pyenv"), str(home / ".pyenv" / "pyenv-win")]
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    uvs = [os.environ.get("UV_PYTHON_INSTALL_DIR"), str(data / "uv" / "python")]
    if os.environ.get("APPDATA"):
        uvs.append(os.path.join(os.environ["APPDATA"], "uv", "python"))
    program = ["python.exe"] if WINDOWS else ["bin", "python3"]
    for version in TRIED:
        for root in filter(None, pyenvs):
            yield os.path.join(glob.escape(root), "versions", version + "*", *program)
        for root in filter(None, uvs):
            yield os.path.join(glob.escape(root), "cpython-" + version + "*", *program)


def probe(command: List[str]) -> Optional[str]:
    """Runs a short command and returns its output, None where it fails or hangs."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def run(command: List[str]) -> int:
    """Runs a command to its end and returns its status; if anything interrupts, nothing of it goes on running."""
    flags: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # known on Windows alone
    with signals_held_back() as let_go:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=not WINDOWS, creationflags=flags
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
    """Holds signals to end back until the yielded function is called: see local/servers/processes.py."""
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


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps out other processes that would install at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        told = False
        while not try_lock(file.fileno()):
            if not told:
                print("Waiting for another dev.py that is installing ...", flush=True)
                told = True
            time.sleep(0.2)
        yield  # closing the file gives the lock back, as does the end of the process


def try_lock(descriptor: int) -> bool:
    """Takes the lock on an open file if it is free."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def go_on(python: Path, command: List[str]) -> int:
    """Runs a module of the project with .venv's Python, in place of this process where the system can do that."""
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


def catch_signals() -> None:
    """Makes a request to end unwind this process as Ctrl-C does, so that nothing it started goes on.

    Ctrl-C itself too: a shell starts its background jobs with SIGINT ignored. An ignored SIGHUP (nohup) stays ignored.
    """

    def stop(signum: int, _frame: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        signum = getattr(signal, name, None)
        if signum and not (name == "SIGHUP" and signal.getsignal(signum) is signal.SIG_IGN):
            signal.signal(signum, stop)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nStopped. The same command begins anew.", file=sys.stderr)
        sys.exit(130)
