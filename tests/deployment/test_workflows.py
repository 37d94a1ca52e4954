"""The workflows for release and deployment: pinned, with the least rights, and complete."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.deployment.package import PROJECT

WORKFLOWS = PROJECT / ".github" / "workflows"
MINE = ("release.yml", "deploy.yml")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="runs a shell script")


def workflow(name: str) -> dict[str, Any]:
    """A workflow as a tree."""
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", MINE)
def test_actions_are_pinned_to_a_commit_and_say_which_version_that_is(name: str) -> None:
    used = re.findall(r"uses: (.*)", (WORKFLOWS / name).read_text("utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("name", MINE)
def test_a_workflow_may_only_read_but_for_what_one_job_needs(name: str) -> None:
    tree = workflow(name)
    assert tree["permissions"] == {"contents": "read"}
    more = {job: item["permissions"] for job, item in tree["jobs"].items() if "permissions" in item}
    expected = {
        "release.yml": {"release": {"contents": "write"}},
        "deploy.yml": {"deploy": {"contents": "read", "id-token": "write"}},
    }
    assert more == expected[name]


@pytest.mark.parametrize("name", MINE)
def test_no_workflow_uses_a_stored_secret_or_leaves_its_token_behind(name: str) -> None:
    text = (WORKFLOWS / name).read_text("utf-8")
    assert "secrets." not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    for job in workflow(name)["jobs"].values():
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("name", MINE)
def test_no_shell_line_is_made_of_an_expression(name: str) -> None:
    for job in workflow(name)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), step


def test_the_deployment_passes_every_parameter_on_with_the_same_default() -> None:
    given = workflow("deploy.yml")["jobs"]["deploy"]["env"]
    parameters = (PROJECT / "infra" / "main.parameters.json").read_text("utf-8")
    wanted = dict(re.findall(r"\$\{(\w+)(?:=(.*?))?\}", parameters))
    del wanted["AZURE_PRINCIPAL_ID"]  # azd sets it, to whoever is logged in.
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
