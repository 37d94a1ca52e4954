"""The package holds exactly what the app needs, and does the main job in an environment with its requirements alone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.batch_service.server import running_service
from testing.paths import PROJECT
from tests.deployment.package import build_package, environment_python, packaged_files
from tests.deployment.pages import sample_event

HOST = Path(__file__).with_name("package_host.py")
ACCEPTED_WARNINGS = {
    # The package is built in Azure, on the platform on which it runs.
    "check_native_dependency_risk",
    # Set by infra/functions.bicep, which is no part of the package.
    "check_app_insights",
    # It has done its work when the package is made.
    "check_funcignore",
}


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, in a folder of its own."""
    return build_package(PROJECT, tmp_path_factory.mktemp("package"))


def test_the_package_holds_the_app_and_nothing_else() -> None:
    app = [path for path in (PROJECT / "shared").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {"function_app.py", "host.json", "requirements.txt"}
    found = {path for path in packaged_files(PROJECT) if not path.startswith(".python_packages/")}
    assert found == expected | {path.relative_to(PROJECT).as_posix() for path in app}


def test_what_lies_about_on_a_developers_machine_is_left_out(tmp_path: Path) -> None:
    left = _left_of(
        tmp_path,
        "function_app.py",
        "shared/domain/model.py",
        "shared/__pycache__/model.cpython-313.pyc",
        "local.settings.json",
        ".azure/prod/.env",
        ".env",
        ".venv/bin/python",
        "venv/pyvenv.cfg",
        "structuredbatch_env/pyvenv.cfg",
        ".DS_Store",
        ".idea/workspace.xml",
        "__azurite_db_blob__.json",
        "__blobstorage__/0f",
        ".git/config",
        ".local/up/service.log",
        "tests/test_x.py",
    )
    assert left == ["function_app.py", "shared/domain/model.py"]


def test_packages_that_were_installed_beforehand_go_along_whole(tmp_path: Path) -> None:
    installed = [
        ".python_packages/lib/site-packages/certifi/tests/samples/local.py",
        ".python_packages/lib/site-packages/openai/env/scripts/docs.py",
    ]
    assert _left_of(tmp_path, "README.md", *installed) == installed


@pytest.mark.timeout(700)  # The first time, the requirements are installed.
def test_the_packaged_app_installed_alone_does_the_main_job(package: Path, azurite: str, tmp_path: Path) -> None:
    python = environment_python(PROJECT / "requirements.txt")
    with running_service(processing=0, validating=0, running=0, finalizing=0) as service:
        end = _run_package(python, package, _only_the_host(tmp_path), _settings(azurite, service.url))
    assert Path(end["shared"]).is_relative_to(package)
    assert end["answered"] == 202
    assert end["status"]["state"] == "completed", end["status"]
    assert end["status"]["rows"] == {"total": 1, "succeeded": 1, "failed": 0, "pending": 0, "reused": 0}
    assert [job["job_id"] for job in end["listed"]["jobs"]] == [end["status"]["job_id"]]
    assert {"submit_prompts", "submit_batch", "poll_batches", "complete_batch", "list_jobs"} <= set(end["functions"])


def test_the_package_is_indexed_with_an_empty_environment(package: Path, tmp_path: Path) -> None:
    python = environment_python(PROJECT / "requirements.txt")
    code = (
        "import sys; from pathlib import Path; from local.functions_host.worker import Worker; worker = Worker(); "
        "print(len(worker.index(Path(sys.argv[1])))); worker.close()"
    )
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP") if name in os.environ}
    done = subprocess.run(
        [python, "-c", code, package],
        env={**environment, "PYTHONPATH": str(_only_the_host(tmp_path)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    source = (PROJECT / "function_app.py").read_text("utf-8")
    assert int(done.stdout.splitlines()[-1]) == source.count("@app.function_name(")


def test_azure_functions_doctor_finds_nothing_wrong_with_the_package(package: Path) -> None:
    doctor = shutil.which("azure-functions-doctor", path=str(Path(sys.executable).parent))
    assert doctor is not None
    command = [doctor, "doctor", "--profile", "deploy", "--format", "json", "--path", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    items = [item for part in json.loads(done.stdout)["results"] for item in part["items"]]
    assert len(items) > 10
    faults = {item["rule_id"]: item["value"] for item in items if item["status"] not in ("pass", "skip")}
    assert faults.keys() <= ACCEPTED_WARNINGS, faults


def _left_of(folder: Path, *paths: str) -> list[str]:
    """Which of these files .funcignore leaves."""
    shutil.copyfile(PROJECT / ".funcignore", folder / ".funcignore")
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return packaged_files(folder)


def _settings(storage: str, service_url: str) -> dict[str, str]:
    """As infra/functions.bicep sets them, but for the way in: a local account and a local service."""
    return {
        "AzureWebJobsStorage": storage,
        "BatchStorage": storage,
        "AZURE_OPENAI_ENDPOINT": service_url,
        "AZURE_OPENAI_API_KEY": "local",
        "AZURE_OPENAI_DEPLOYMENT": "gpt-5.4-mini-batch",
        "PROMPTS_TRIGGER_SOURCE": "EventGrid",
        "PROMPTS_CONTAINER": "package-prompts",
        "RESULTS_CONTAINER": "package-results",
        "WORK_CONTAINER": "package-work",
        "JOBS_TABLE": "packagejobs",
        "SUBMISSIONS_QUEUE": "package-submissions",
        "COMPLETIONS_QUEUE": "package-completions",
        "BACKOFF_SECONDS": "0",
    }


def _event(container: str) -> dict[str, Any]:
    """The event of docs/core-tools.md, for a container of these tests' own."""
    event = sample_event()
    return {**event, "subject": event["subject"].replace("/prompts/", f"/{container}/")}


def _only_the_host(folder: Path) -> Path:
    """Copy local.functions_host and nothing else of the project, so that only the package can give the rest."""
    host = Path("local", "functions_host")
    shutil.copytree(PROJECT / host, folder / host, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PROJECT / "local" / "__init__.py", folder / "local" / "__init__.py")
    return folder


def _run_package(python: Path, package: Path, harness: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [python, HOST, package],
        input=json.dumps([settings, _event(settings["PROMPTS_CONTAINER"])]),
        env={**os.environ, "PYTHONPATH": str(harness), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=package,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
