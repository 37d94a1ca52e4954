"""Find a Python that is new enough, wherever it lies on this machine. Standard library only, for Python 3.9."""

import glob
import os
import shutil
import sys
from pathlib import Path
from typing import Iterator, List, Optional

from local.setup.children import probe

NEEDED = (3, 13)
# The version that runs in Azure first, then newer ones.
TRIED = ("3.13", "3.14", "3.15", "3.16")
WINDOWS = os.name == "nt"
NO_PYTHON = """\
This project needs Python 3.13 or newer (with its venv module); none was found on this machine. Get one, for example:
  Windows        winget install Python.Python.3.13
  macOS          brew install python@3.13
  Debian/Ubuntu  apt install python3.13-venv, where your release has it
  anywhere       uv python install 3.13   (https://docs.astral.sh/uv)   or   pyenv install 3.13
  or             https://www.python.org/downloads
Then run the same command again: it is found by itself."""


def find_python() -> Optional[str]:
    """Return the first Python that is new enough and can make virtual environments, None if there is none."""
    for command in candidates():
        answer = probe([*command, "-c", "import ensurepip, sys, venv; print(*sys.version_info[:2], sys.executable)"])
        if answer:
            major, minor, path = answer.split(maxsplit=2)
            if (int(major), int(minor)) >= NEEDED:
                return path
    return None


def candidates() -> Iterator[List[str]]:
    """Yield commands that may start a Python: this one, PATH's, the py launcher's, pyenv's, uv's."""
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
    """Yield where pyenv and uv keep their Pythons, as patterns."""
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
