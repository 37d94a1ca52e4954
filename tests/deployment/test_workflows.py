"""The workflows for tests, release and deployment: pinned, with the least rights, and complete."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from testing.paths import PROJECT

WORKFLOWS = PROJECT / ".github" / "workflows"
ALL = ("test.yml", "release.yml", "deploy.yml")
RUNS_THE_TESTS = {"test.yml": "test", "release.yml": "check"}
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="runs a shell script")


def workflow(name: str) -> dict[str, Any]:
    """A workflow as a tree."""
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", ALL)
def test_actions_are_pinned_to_a_commit_and_say_which_version_that_is(name: str) -> None:
    used = re.findall(r"uses: (.*)", (WORKFLOWS / name).read_text("utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("name", ALL)
def test_a_job_runs_on_a_system_that_github_still_has(name: str) -> None:
    # A numbered image is taken away one day (macos-14 on 2 November 2026), and then no job that names it starts.
    jobs = workflow(name)["jobs"].values()
    systems = [job["strategy"]["matrix"]["os"] if "strategy" in job else [job["runs-on"]] for job in jobs]
    assert {system for names in systems for system in names} <= {"ubuntu-latest", "macos-latest", "windows-latest"}


def test_a_release_is_checked_on_the_same_three_systems_as_every_push() -> None:
    systems = [workflow(name)["jobs"][job]["strategy"]["matrix"]["os"] for name, job in RUNS_THE_TESTS.items()]
    assert systems[0] == systems[1] == ["ubuntu-latest", "macos-latest", "windows-latest"]


@pytest.mark.parametrize("name", ALL)
def test_a_workflow_may_only_read_but_for_what_one_job_needs(name: str) -> None:
    tree = workflow(name)
    assert tree["permissions"] == {"contents": "read"}
    more = {job: item["permissions"] for job, item in tree["jobs"].items() if "permissions" in item}
    expected = {
        "test.yml": {},
        "release.yml": {"release": {"contents": "write"}},
        "deploy.yml": {"deploy": {"contents": "read", "id-token": "write"}},
    }
    assert more == expected[name]


@pytest.mark.parametrize("name", ALL)
def test_no_workflow_uses_a_stored_secret_or_leaves_its_token_behind(name: str) -> None:
    text = (WORKFLOWS / name).read_text("utf-8")
    assert "secrets." not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    for job in workflow(name)["jobs"].values():
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("name", ALL)
def test_no_shell_line_is_made_of_an_expression(name: str) -> None:
    for job in workflow(name)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), step


def test_the_deployment_passes_every_parameter_on_with_the_same_default() -> None:
    given = workflow("deploy.yml")["jobs"]["deploy"]["env"]
    parameters = (PROJECT / "infra" / "main.parameters.json").read_text("utf-8")
    wanted = dict(re.findall(r"\$\{(\w+)(?:=(.*?))?\}", parameters))
    del wanted["AZURE_PRINCIPAL_ID"]  # azd sets it, to the identity that is logged in.
    assert wanted["ALERT_EMAIL"] == ""  # azd asks for it; in a workflow there is no one to ask.
    wanted["ALERT_EMAIL"] = "none"
    for name, default in wanted.items():
        expected = f"${{{{ vars.{name} || '{default}' }}}}" if default else f"${{{{ vars.{name} }}}}"
        assert given[name] == expected
    assert json.loads(parameters)["contentVersion"]


@posix_only
def test_release_notes_are_the_changelogs_section_of_that_version() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    version = re.findall(r"(?m)^## (\d+\.\d+\.\d+)", changelog)[0]
    done = _notes(version)
    assert done.returncode == 0
    assert done.stdout.strip()
    assert done.stdout.strip() in changelog
    assert "\n## " not in done.stdout


@posix_only
def test_a_version_without_a_section_is_no_release() -> None:
    done = _notes("99.0.0")
    assert done.returncode == 1
    assert "99.0.0" in done.stderr


def _notes(version: str) -> subprocess.CompletedProcess[str]:
    script = PROJECT / "scripts" / "release-notes.sh"
    return subprocess.run([script, version], capture_output=True, text=True, timeout=20, check=False)
