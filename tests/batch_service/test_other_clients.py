"""Clients of other makers, installed from their registries into a folder of the test's own: BATCH_SERVICE_CLIENTS=1."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.batch_service.server import running_service
from tests.batch_service.conftest import jsonl, rows

CLIENTS = Path(__file__).parent / "clients"
wanted = pytest.mark.skipif(
    os.environ.get("BATCH_SERVICE_CLIENTS") != "1", reason="downloads packages: set BATCH_SERVICE_CLIENTS=1"
)


def _install(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"could not be installed here: {done.stderr[-300:]}")


def _run(*command: str | Path, folder: Path) -> str:
    """Run a client's script against a service on whose files it needn't wait, and return what it printed."""
    (folder / "input.jsonl").write_bytes(jsonl(rows(3)))
    with running_service(processing=0, validating=0.1, running=0.1, finalizing=0.1) as service:
        done = subprocess.run(
            [*command, service.url, folder / "input.jsonl"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


@wanted
@pytest.mark.timeout(400)
def test_the_openai_package_for_node_runs_batches(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm")
    _install(npm, "install", "--no-audit", "--no-fund", "--prefix", tmp_path, "openai@7", folder=tmp_path)
    script = shutil.copy(CLIENTS / "openai_npm.mjs", tmp_path)
    assert _run("node", script, folder=tmp_path) == "completed 3\ncompleted 3\n"


@wanted
@pytest.mark.timeout(400)
def test_litellm_runs_batches(tmp_path: Path) -> None:
    _install(sys.executable, "-m", "venv", "venv", folder=tmp_path)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    _install(python, "-m", "pip", "install", "-q", "litellm>=1.110,<2", folder=tmp_path)
    found = _run(python, CLIENTS / "litellm_batch.py", folder=tmp_path)
    assert [line for line in found.splitlines() if line.startswith("completed")] == ["completed 3"] * 2
