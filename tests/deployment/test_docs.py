"""The pages for operators are true of the code: every code, every reason to wait, every link, every sample."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from shared.domain import errors
from shared.domain.errors import Transient
from shared.domain.model import JobCode, RowCode
from shared.settings import SETTINGS
from testing.paths import PROJECT
from tests.deployment.bicep import only, parsed
from tests.deployment.pages import DOCS, page, sample_event, section

PAGES = (
    "deployment.md",
    "operations.md",
    "security.md",
    "troubleshooting.md",
    "core-tools.md",
    "recipes.md",
    "scaling.md",
    "money.md",
    "telemetry.md",
    "architecture.md",
    "../CHANGELOG.md",
    "../CONTRIBUTING.md",
    "../SECURITY.md",
)
TRANSIENT = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Transient)}
NOTICES = {"web_hook.py"}
"""Modules whose failures are no reason for a job to wait."""

SAID = {"settings_message(settings.faults)": "App settings at fault"}
"""What is logged as another function puts it."""


@pytest.mark.parametrize("code", JobCode)
def test_operations_say_what_to_do_about_every_job_code(code: JobCode) -> None:
    assert re.search(rf"(?m)^\| `{code.value}` \|", section("operations.md", "Why a job failed"))


@pytest.mark.parametrize("code", RowCode)
def test_operations_say_who_acts_on_every_row_code(code: RowCode) -> None:
    assert f"`{code.value}`" in section("operations.md", "Why a row has no result")


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_every_setting_stands_in_the_readmes_table(setting: str) -> None:
    assert f"\n| `{setting}` |" in (PROJECT / "README.md").read_text("utf-8")


def test_operations_know_every_reason_to_wait() -> None:
    known = section("operations.md", "Why a job waits")
    reasons = dict(_reasons())
    assert len(reasons) > 20
    missing = {where: text for where, text in reasons.items() if not _stands_in(text, known)}
    assert missing == {}


def test_operations_know_every_error_that_is_logged() -> None:
    known = section("operations.md", "What the app logs")
    lines = dict(_logged({"error", "exception", "warning"}))
    assert len(lines) > 10
    # job_changed() logs at a level that depends on the state.
    lines |= {state: f"job is {state}" for state in ("waiting", "held", "failed")}
    missing = {where: text for where, text in lines.items() if f"`{text}`" not in known}
    assert missing == {}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page(name)):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (DOCS / name).parent / unquote(path) if path else DOCS / name
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", file.read_text("utf-8"))
            assert anchor in {_anchor(heading) for heading in headings}, target


@pytest.mark.parametrize("name", PAGES)
def test_paths_in_the_text_exist(name: str) -> None:
    for path in re.findall(r"`((?:infra|scripts|tests|shared|local|samples)/[\w./-]+)`", page(name)):
        assert (PROJECT / path).exists() or list(PROJECT.glob(f"{path}.*")), path


def test_every_choice_of_the_deployment_is_explained_with_its_default() -> None:
    parameters = (PROJECT / "infra" / "main.parameters.json").read_text("utf-8")
    choices = section("deployment.md", "Choices")
    rows = [line for line in choices.splitlines() if line.startswith("| `")]
    for name, default in re.findall(r"\$\{(\w+)(?:=(.*?))?\}", parameters):
        if name in ("AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID"):
            continue  # azd's own.
        (row,) = [line for line in rows if f"`{name}`" in line.split("|")[1]]
        assert not default or f"`{default}`" in row.split("|")[2], row


def test_packages_installed_beforehand_are_those_of_the_python_that_the_app_runs_on() -> None:
    runtime = only("Microsoft.Web/sites").at("properties.functionAppConfig.runtime.version")
    (command,) = re.findall(r"(?m)^python -m pip install .*$", section("deployment.md", "Building the package here"))
    assert f"--python-version {runtime} " in command
    assert "--target .python_packages/lib/site-packages " in command
    assert command.endswith("-r requirements.txt")


def test_azd_itself_refuses_a_version_older_than_the_page_asks_for() -> None:
    (asked,) = re.findall(r"`azd`, (\d+\.\d+) or newer", page("deployment.md"))
    demanded = yaml.safe_load((PROJECT / "azure.yaml").read_text("utf-8"))["requiredVersions"]
    assert demanded == {"azd": f">= {asked}.0"}


@pytest.mark.parametrize("name", PAGES)
def test_values_that_the_reader_asks_azd_for_are_put_out_by_the_template(name: str) -> None:
    own = {"AZURE_SUBSCRIPTION_ID", "AZURE_ENV_NAME", "AZURE_LOCATION"}  # azd's own
    asked = set(re.findall(r"azd env get-value (\w+)", page(name)))
    assert asked <= own | parsed("main.bicep")["outputs"].keys()


def test_values_that_the_reader_gives_azd_are_choices() -> None:
    parameters = set(re.findall(r"\$\{(\w+)", (PROJECT / "infra" / "main.parameters.json").read_text("utf-8")))
    given = {value for name in PAGES for value in re.findall(r"azd env set `?(\w+)", page(name))} - {"NAME"}
    assert given
    assert given <= parameters


def test_the_way_back_from_opentelemetry_is_told_wherever_somebody_may_need_it() -> None:
    assert json.loads((PROJECT / "host.json").read_text("utf-8"))["telemetryMode"] == "OpenTelemetry"
    for name in ("telemetry.md", "core-tools.md", "troubleshooting.md"):
        assert re.search(r"AzureFunctionsJobHost__telemetryMode\W+ApplicationInsights", page(name)), name


def test_the_page_on_telemetry_tells_of_the_sampling_that_the_template_sets() -> None:
    settings = only("Microsoft.Web/sites/config").at("properties.function.parameters.arg_1")
    sampling = {name: value for name, value in settings.items() if name.startswith("OTEL_")}
    assert sampling == {"OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage", "OTEL_TRACES_SAMPLER_ARG": "1.0"}
    for name, value in sampling.items():
        assert f"`{name}={value}`" in page("telemetry.md")


def test_every_command_that_installs_core_tools_does_without_options_of_old_npm() -> None:
    assert "azure-functions-core-tools@4" in page("core-tools.md")
    assert "unsafe-perm" not in page("core-tools.md")


def test_security_lists_as_many_rights_as_the_templates_grant() -> None:
    rows = [line for line in section("security.md", "Rights").splitlines() if line.startswith("| ")][1:]
    granted = assignments()
    # The app's role at the account is one of two, which are alternatives.
    assert len(rows) - 1 == len(granted) - 1


def assignments() -> list[str]:
    """The role assignments of all templates, by name."""
    return [
        name
        for file in ("roles.bicep", "openai-access.bicep")
        for name, item in parsed(file)["resources"].items()
        if item["type"] == "Microsoft.Authorization/roleAssignments"
    ]


def test_the_sample_event_is_one_that_the_subscription_lets_through() -> None:
    event = sample_event()
    subscription = only("Microsoft.EventGrid/systemTopics/eventSubscriptions").at("properties.filter")
    prefix = subscription["subjectBeginsWith"].replace("${promptsContainerName}", "prompts")
    assert event["eventType"] in subscription["includedEventTypes"]
    assert event["subject"].startswith(prefix)
    assert event["data"]["api"] in subscription["advancedFilters"][0]["values"]
    assert event["data"]["url"].endswith(event["subject"].removeprefix(prefix))


def test_core_tools_are_told_to_start_what_there_is() -> None:
    text = page("core-tools.md")
    app = (PROJECT / "function_app.py").read_text("utf-8")
    (function,) = set(re.findall(r"Host\.Functions\.(\w+)", text))
    assert f'function_name("{function}")' in app
    assert "python3 dev.py services" in text


def test_the_architecture_page_leads_to_every_module() -> None:
    text = page("architecture.md")
    modules = {path.stem for path in (PROJECT / "shared").glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in (PROJECT / "shared").glob("*/__init__.py")}
    assert {name for name in modules | packages if not re.search(rf"\b{name}\b", text)} == set()


def _reasons() -> Iterator[tuple[str, str]]:
    """Where the app raises something transient, and the constant part that its message begins with."""
    for where, call in _calls():
        if (
            isinstance(call.func, ast.Name)
            and call.func.id in TRANSIENT
            and Path(where.split(":")[0]).name not in NOTICES
        ):
            text = _constant(call.args[0])
            if text is not None:
                yield where, text


def _logged(levels: set[str]) -> Iterator[tuple[str, str]]:
    """Where the app logs a line of these levels, and its words without what is filled in."""
    for where, call in _calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in levels and ast.unparse(call.func.value) == "log":
            text = SAID.get(ast.unparse(call.args[0])) or _constant(call.args[0])
            assert text is not None, where
            yield where, text.partition(":")[0].partition("%")[0].strip()


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((PROJECT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                yield f"{path.relative_to(PROJECT).as_posix()}:{node.lineno}", node


def _constant(argument: ast.expr) -> str | None:
    """A message's text; where something is filled in, its first piece of some length; None without any."""
    while isinstance(argument, ast.Subscript):
        argument = argument.value
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    if isinstance(argument, ast.JoinedStr):
        texts = [str(part.value) for part in argument.values if isinstance(part, ast.Constant)]
        return next((text for text in texts if len(text.strip()) > 11), None)
    return None


def _stands_in(text: str, known: str) -> bool:
    """Whether the page quotes the beginning of a message, or the message that begins like it."""
    wanted = text.strip().lstrip(":;) ")
    quotes = [quote.strip() for quote in re.findall(r"`([^`]+)`", known)]
    parts = [part.strip() for quote in quotes for part in quote.split("…") if len(part.strip()) > 8]
    return any(wanted.startswith(part) or part.startswith(wanted) for part in parts)


def _anchor(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
