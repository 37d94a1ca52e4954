"""Make .venv and install into it what the commands need, once. Standard library only, for Python 3.9."""

import hashlib
import os
import re
import sys
import time
from pathlib import Path
from typing import Tuple

from local.setup import pythons
from local.setup.children import probe, run
from local.setup.lock import locked

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv"
STAMP = VENV / ".installed"
LOCK = PROJECT / ".local" / "dev.lock"
UNFINISHED = PROJECT / ".local" / "venv-unfinished"
REQUIREMENTS = (PROJECT / "requirements.txt", PROJECT / "requirements-dev.txt")


class Failure(Exception):
    """Something went wrong that the user can fix; the message says what."""


def ready_python() -> Path:
    """Return .venv's Python, having made .venv and installed the requirements where that was still to do."""
    if not is_ready():
        with locked(LOCK):
            if not is_ready():
                make_venv(anew=UNFINISHED.exists())
                install()
    return venv_python(VENV)


def is_ready() -> bool:
    """Return whether .venv works and holds what the requirements say now; starts no process."""
    try:
        works = venv_version(VENV) >= pythons.NEEDED and not UNFINISHED.exists()
        return works and STAMP.read_text("utf-8") == requirements_hash()
    except (OSError, ValueError):
        return False


def requirements_hash() -> str:
    """Return a hash of all requirements, to compare with the one noted after the last installation."""
    digest = hashlib.sha256()
    for path in REQUIREMENTS:
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def venv_python(venv: Path) -> Path:
    """Return the path of a virtual environment's Python."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def venv_version(venv: Path) -> Tuple[int, ...]:
    """Return the Python version of a virtual environment; raise OSError or ValueError where it cannot work."""
    if not venv_python(venv).exists():  # follows the link: false as well where the Python behind it is gone
        raise ValueError("no Python in it")
    found = re.search(r"(?m)^version(?:_info)? *= *(\d+)\.(\d+)", (venv / "pyvenv.cfg").read_text("utf-8"))
    if not found:
        raise ValueError("no version in its pyvenv.cfg")
    return (int(found.group(1)), int(found.group(2)))


def make_venv(anew: bool) -> None:
    """Make .venv, unless there is one that works; `anew` even then, as its last installation was cut off midway."""
    try:
        works = venv_version(VENV) >= pythons.NEEDED and has_pip(venv_python(VENV))
    except (OSError, ValueError):
        works = False
    if works and not anew:
        return
    python = pythons.find_python()
    if python is None:
        raise Failure(pythons.NO_PYTHON)
    tell("Making .venv with {} ...".format(python))
    UNFINISHED.touch()
    if run([python, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise Failure("The virtual environment .venv could not be made with {}.".format(python))


def has_pip(python: Path) -> bool:
    """Return whether pip is installed for a Python, or could be now."""
    return probe([str(python), "-m", "pip", "--version"]) is not None or (
        probe([str(python), "-m", "ensurepip"]) is not None
    )


def install() -> None:
    """Install the requirements into .venv and note their hash there."""
    wanted = requirements_hash()
    tell("Installing the requirements (a minute the first time) ...")
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
    tell("Installed in {:.0f} s.".format(time.monotonic() - started))


def tell(line: str) -> None:
    """Say what goes on, on standard error: what a command prints for machines stays clean."""
    print(line, file=sys.stderr, flush=True)
