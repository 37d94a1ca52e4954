"""The step after a deployment, run against a stand-in for the Azure CLI that warns, and notes what it was asked."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from testing.paths import PROJECT
from tests.deployment.bicep import parsed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs a shell script")

SCRIPT = PROJECT / "scripts" / "post-deploy.sh"
PWSH = shutil.which("pwsh")
RUNS = {"sh": [str(SCRIPT)], "pwsh": [PWSH or "pwsh", "-NoProfile", "-File", str(SCRIPT.with_suffix(".ps1"))]}
WARNING = "WARNING: a new version of this extension is there; see https://aka.ms/x"
ENVIRONMENT = {
    "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000",
    "AZURE_RESOURCE_GROUP": "rg-x",
    "AZURE_FUNCTION_APP_NAME": "func-x",
    "AZURE_FUNCTION_APP_URL": "http://127.0.0.1:9",
    "AZURE_STORAGE_ACCOUNT_NAME": "stx",
    "AZURE_EVENT_TOPIC_NAME": "evgt-x",
    "PROMPTS_CONTAINER": "prompts",
    "DEAD_LETTERS_CONTAINER": "dead-letters",
}
AZ = """#!/bin/sh
# Answers `az KIND …` with line n of the file KIND, for the n-th call of that kind; the last line again after that.
printf '%s\\n' "$*" >> calls
printf 'x\\n' >> "$1.count"
lines=$(wc -l < "$1"); n=$(wc -l < "$1.count"); [ "$n" -le "$lines" ] || n=$lines
line=$(sed -n "${n}p" "$1")
code=${line%% *}
echo "WARNING: a new version of this extension is there; see https://aka.ms/x" >&2
if [ "$code" = 0 ]; then printf '%s\\n' "${line#* }"; else printf 'ERROR: %s\\n' "${line#* }" >&2; fi
exit "$code"
"""


@dataclass
class Cloud:
    """The stand-in: what it answers to each kind of question, and what it was asked."""

    folder: Path
    script: list[str]

    def answers(self, kind: str, *lines: str) -> None:
        """The answers to questions of one kind, each an exit code and a text."""
        (self.folder / kind).write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def calls(self, kind: str) -> list[str]:
        """The questions of one kind, in order."""
        asked = self.folder / "calls"
        lines = asked.read_text("utf-8").splitlines() if asked.exists() else []
        return [line for line in lines if line.startswith(f"{kind} ")]

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script, with next to no waiting."""
        waits = {"POST_DEPLOY_WAIT_SECONDS": "20", "POST_DEPLOY_PAUSE_SECONDS": "0"}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        everything = {"PATH": path, "HOME": str(self.folder), **ENVIRONMENT, **waits, **environment}
        return subprocess.run(
            self.script, cwd=self.folder, env=everything, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(params=["sh", pytest.param("pwsh", marks=pytest.mark.skipif(PWSH is None, reason="no PowerShell 7"))])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Cloud:
    """A cloud in which all goes well, but for a warning at each call."""
    (tmp_path / "bin").mkdir()
    az = tmp_path / "bin" / "az"
    az.write_text(AZ, "utf-8")
    az.chmod(0o755)
    found = Cloud(tmp_path, RUNS[request.param])
    found.answers("account", "0")
    found.answers("functionapp", "0 true")
    found.answers("deployment", "0")
    return found


def test_it_deploys_the_subscription_with_every_parameter_of_its_template(cloud: Cloud) -> None:
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    (call,) = cloud.calls("deployment")
    given = dict(re.findall(r"(\w+)=(\S+)", call.partition("--parameters")[2]))
    assert given == {
        "topicName": "evgt-x",
        "functionAppName": "func-x",
        "storageName": "stx",
        "promptsContainerName": "prompts",
        "deadLetterContainerName": "dead-letters",
    }
    assert given.keys() == parsed("events.bicep")["parameters"].keys()
    (template,) = re.findall(r"--template-file (\S+)", call)
    assert Path(template).is_file()


def test_a_warning_is_no_part_of_the_answer_and_is_shown_at_the_end(cloud: Cloud) -> None:
    done = cloud.run(POST_DEPLOY_WAIT_SECONDS="0")
    assert done.returncode == 0, done.stderr
    assert len(cloud.calls("functionapp")) == 1
    assert "Done: " in done.stdout
    heading, *shown = done.stderr.strip().splitlines()
    assert heading == "The Azure CLI also said:"
    assert set(shown) == {WARNING}


def test_it_waits_until_the_host_has_made_the_key(cloud: Cloud) -> None:
    cloud.answers("functionapp", "1 Bad Request: the host is starting", "0 false", "0 false", "0 true")
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert len(cloud.calls("functionapp")) == 4


def test_it_asks_only_whether_there_is_a_key_and_never_for_the_key(cloud: Cloud) -> None:
    cloud.run()
    for call in cloud.calls("functionapp"):
        assert "--query systemKeys.blobs_extension != null" in call


def test_it_tries_again_where_the_endpoint_did_not_answer_the_greeting(cloud: Cloud) -> None:
    cloud.answers("deployment", "1 Webhook validation handshake failed", "0")
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert len(cloud.calls("deployment")) == 2


def test_it_gives_up_with_the_last_answer_and_what_to_do_where_no_key_appears(cloud: Cloud) -> None:
    cloud.answers("functionapp", "1 Bad Request: no function was found")
    done = cloud.run(POST_DEPLOY_WAIT_SECONDS="0")
    assert done.returncode == 1
    assert "no function was found" in done.stderr
    assert "azd hooks run postdeploy" in done.stderr
    assert cloud.calls("deployment") == []


def test_it_gives_up_with_the_last_answer_where_the_subscription_is_refused(cloud: Cloud) -> None:
    cloud.answers("deployment", "1 AuthorizationFailed: no permission")
    done = cloud.run(POST_DEPLOY_WAIT_SECONDS="0")
    assert done.returncode == 1
    assert "AuthorizationFailed: no permission" in done.stderr


def test_it_says_so_where_nobody_is_logged_in(cloud: Cloud) -> None:
    cloud.answers("account", "1")
    done = cloud.run()
    assert done.returncode == 1
    assert "az login" in done.stderr
    assert cloud.calls("functionapp") == []


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_it_names_the_variable_that_is_missing(cloud: Cloud, name: str) -> None:
    done = cloud.run(**{name: ""})
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"{name} is not set")
    assert cloud.calls("account") == []


def test_azd_runs_both_scripts_after_a_deployment_and_gives_them_all_that_they_need() -> None:
    azd = (PROJECT / "azure.yaml").read_text("utf-8")
    assert "  postdeploy:\n" in azd
    outputs = parsed("main.bicep")["outputs"].keys() | {"AZURE_SUBSCRIPTION_ID"}
    for script in ("scripts/post-deploy.sh", "scripts/post-deploy.ps1"):
        assert f"run: ./{script}\n" in azd
        text = (PROJECT / script).read_text("utf-8")
        code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        used = set(re.findall(r"\b(AZURE_[A-Z_]+|[A-Z_]+_CONTAINER)\b", code))
        assert used == ENVIRONMENT.keys()
        assert used <= outputs


def test_both_scripts_ask_the_same_of_azure() -> None:
    asked = []
    for script in ("post-deploy.sh", "post-deploy.ps1"):
        text = re.sub(r"[\\`]\n\s*", "", (PROJECT / "scripts" / script).read_text("utf-8"))
        calls = re.findall(r"(?m)(?<![\w(])az ((?:account|functionapp|deployment) .*)$", text)
        asked.append([(call.split(" --")[0], sorted(re.findall(r"--[\w-]+", call))) for call in calls])
    assert len(asked[0]) == 3
    assert asked[0] == asked[1]


def test_the_script_for_windows_does_without_what_only_powershell_7_knows() -> None:
    text = (PROJECT / "scripts" / "post-deploy.ps1").read_text("utf-8")
    assert not re.search(r"\?\?|\?\.|&&|\|\||Join-Path(?: \S+){3}", text)
    assert re.findall(r"Invoke-WebRequest .*-UseBasicParsing", text)


def test_the_script_is_plain_sh() -> None:
    assert SCRIPT.read_text("utf-8").startswith("#!/bin/sh\n")
    assert os.access(SCRIPT, os.X_OK)
    for shell in filter(None, map(shutil.which, ("dash", "sh"))):
        subprocess.run([shell, "-n", SCRIPT], check=True, timeout=20)
    shellcheck = shutil.which("shellcheck")
    if shellcheck:
        subprocess.run([shellcheck, SCRIPT, SCRIPT.with_name("release-notes.sh")], check=True, timeout=60)
