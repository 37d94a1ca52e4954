"""The package that is deployed: what .funcignore leaves of the project, and an environment with its requirements alone.

.funcignore has the syntax of .gitignore: https://learn.microsoft.com/azure/azure-functions/functions-core-tools-reference
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pathspec

from testing.paths import PROJECT

CACHE = PROJECT / ".local" / "package-venv"
_INSTALL_SECONDS = 600


def packaged_files(project: Path) -> list[str]:
    """The files that are deployed, as paths with slashes; folders that are ignored are not looked into."""
    ignored = pathspec.GitIgnoreSpec.from_lines((project / ".funcignore").read_text("utf-8").splitlines())
    found = []
    for folder, folders, files in os.walk(project):
        here = Path(folder).relative_to(project)
        folders[:] = [name for name in folders if not ignored.match_file(f"{(here / name).as_posix()}/")]
        found += [path for name in files if not ignored.match_file(path := (here / name).as_posix())]
    return sorted(found)


def build_package(project: Path, target: Path) -> Path:
    """Copy the files that are deployed to a folder, and return it."""
    for path in packaged_files(project):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / path, target / path)
    return target


def environment_python(requirements: Path) -> Path:
    """The Python of an environment that holds these requirements alone; made once for each version of their text.

    It is installed aside and then renamed: what is there is whole, and two test processes do not disturb each other.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    digest = hashlib.sha256(f"{version}\n{requirements.read_text('utf-8')}".encode()).hexdigest()[:16]
    home = CACHE / digest
    if not _python(home).exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = CACHE / f"{digest}-{os.getpid()}"
        try:
            _run(sys.executable, "-m", "venv", draft)
            _run(_python(draft), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", requirements)
            draft.rename(home)
        except OSError:
            if not _python(home).exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return _python(home)


def _python(environment: Path) -> Path:
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
