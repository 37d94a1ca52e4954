"""Every app setting that is given anywhere is one that the app or the platform knows, and every one is decided upon."""

import json
import re
from typing import Any

import pytest

from local.commands.up import SERVICE_PORT
from local.functions_host.ncrontab import parse_schedule
from shared import wiring
from shared.domain.ports import Container
from shared.settings import SETTINGS, read_settings
from testing.paths import PROJECT
from tests.deployment.bicep import only, parsed

KNOWN = {setting.name: setting for setting in SETTINGS}

PLATFORM = {
    # https://learn.microsoft.com/azure/azure-functions/functions-app-settings
    "AzureWebJobsStorage",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "FUNCTIONS_WORKER_RUNTIME",
    # https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-sampling
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
}

REFUSED_ON_FLEX_CONSUMPTION = re.compile(
    # https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
    r"FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|SCM_DO_BUILD|ENABLE_ORYX_BUILD|WEBSITE_"
)

NOT_IN_THE_TEMPLATE = {
    "BatchStorage": "a connection string; in Azure it is the identity",
    "AZURE_OPENAI_API_KEY": "a secret; in Azure it is the identity",
    **dict.fromkeys(
        ("MAX_JOB_COST_USD", "MAX_JOB_INPUT_TOKENS", "DEPLOYMENT_MODELS", "DEPLOYMENTS"),
        "main.bicep adds it where there is something to say: tests/deployment/test_compiled.py",
    ),
    **dict.fromkeys(
        (
            "AZURE_OPENAI_TOKEN_SCOPE",
            "AZURE_OPENAI_API_VERSION",
            "BATCH_ENDPOINT",
            "MAX_REQUESTS_PER_BATCH",
            "MAX_BYTES_PER_BATCH",
            "MAX_ATTEMPTS",
            "BACKOFF_SECONDS",
            "SETTLE_SECONDS",
            "LEASE_SECONDS",
            "MAX_WAIT_HOURS",
            "MONTHLY_BUDGET_USD",
            "API_FILES",
            "ON_INVALID_ROW",
            "RESULT_FORMATS",
            "CSV_FORMULA_GUARD",
            "FILE_EXPIRY_DAYS",
            "NOTIFY_URL",
            "NOTIFY_SECRET",
        ),
        "its default is right; others go into APP_SETTINGS",
    ),
}


@pytest.fixture
def template_settings() -> dict[str, Any]:
    """The app settings of infra/functions.bicep."""
    given, extra = only("Microsoft.Web/sites/config").at("properties.function.parameters").values()
    assert extra == "extraSettings"
    found: dict[str, Any] = given
    return found


@pytest.fixture
def local_settings() -> dict[str, str]:
    """The app settings of local.settings.example.json."""
    values: dict[str, str] = json.loads((PROJECT / "local.settings.example.json").read_text("utf-8"))["Values"]
    return values


def names_in_the_template() -> dict[str, str]:
    """The names of containers, queues and the table."""
    names: dict[str, str] = parsed("main.bicep")["variables"]["names"]["value"]
    return names


def test_the_template_gives_only_settings_that_somebody_knows(template_settings: dict[str, Any]) -> None:
    assert template_settings.keys() <= KNOWN.keys() | PLATFORM


def test_the_template_gives_no_setting_that_flex_consumption_refuses(template_settings: dict[str, Any]) -> None:
    assert [name for name in template_settings if REFUSED_ON_FLEX_CONSUMPTION.match(name)] == []


def test_every_setting_is_in_the_template_or_left_out_for_a_reason(template_settings: dict[str, Any]) -> None:
    ours = template_settings.keys() & KNOWN.keys()
    assert ours | NOT_IN_THE_TEMPLATE.keys() == KNOWN.keys()
    assert not ours & NOT_IN_THE_TEMPLATE.keys()


@pytest.fixture
def environment(template_settings: dict[str, Any]) -> dict[str, str]:
    """The template's settings as the app sees them: addresses end in a slash, as Azure Resource Manager gives them."""
    names = {f"names.{key}": value for key, value in names_in_the_template().items()}
    found = {
        name: names.get(_accessor(value), "https://name.blob.core.windows.net/") if isinstance(value, dict) else value
        for name, value in template_settings.items()
    }
    return found | {
        "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
        "BATCH_TRANSFER": "storage",
        "POLL_SCHEDULE": "0 * * * * *",
    }


def test_the_app_finds_no_fault_with_the_templates_settings(environment: dict[str, str]) -> None:
    assert environment["PROMPTS_CONTAINER"] == "prompts"
    assert environment["PROMPTS_TRIGGER_SOURCE"] == "EventGrid"
    assert read_settings(environment).faults == ()


def test_the_templates_addresses_lead_to_the_blobs_that_the_service_is_told_of(environment: dict[str, str]) -> None:
    files = wiring.build(environment).files
    address = files.url(Container.WORK, "job/input.jsonl")
    assert address == "https://name.blob.core.windows.net/batch-work/job/input.jsonl"
    assert files.name_of(Container.WORK, address) == "job/input.jsonl"


def test_the_templates_names_are_valid_and_those_that_the_app_uses_by_itself() -> None:
    names = names_in_the_template()
    for key, setting in (
        ("prompts", "PROMPTS_CONTAINER"),
        ("results", "RESULTS_CONTAINER"),
        ("work", "WORK_CONTAINER"),
        ("table", "JOBS_TABLE"),
        ("submissions", "SUBMISSIONS_QUEUE"),
        ("completions", "COMPLETIONS_QUEUE"),
    ):
        assert KNOWN[setting].parse(names[key]) == KNOWN[setting].default
    for key in ("package", "deadLetters"):
        assert KNOWN["PROMPTS_CONTAINER"].parse(names[key]) == names[key]
    assert len(set(names.values())) == len(names)


def test_own_storage_mode_sets_the_transfer_that_it_is_about(template_settings: dict[str, Any]) -> None:
    transfer = template_settings["BATCH_TRANSFER"]["operator"]["operands"]
    assert transfer == {"condition": "ownStorage", "true_value": "storage", "false_value": "upload"}
    for value in (transfer["true_value"], transfer["false_value"]):
        assert KNOWN["BATCH_TRANSFER"].parse(value) == value


def test_the_example_for_a_laptop_gives_only_settings_that_somebody_knows(local_settings: dict[str, str]) -> None:
    assert local_settings.keys() <= KNOWN.keys() | PLATFORM
    assert read_settings(local_settings).faults == ()


def test_the_example_for_a_laptop_names_the_port_of_the_local_service(local_settings: dict[str, str]) -> None:
    assert local_settings["AZURE_OPENAI_ENDPOINT"] == f"http://127.0.0.1:{SERVICE_PORT}"
    assert local_settings["BatchStorage"] == "UseDevelopmentStorage=true"


def test_every_schedule_that_is_given_anywhere_is_valid(local_settings: dict[str, str]) -> None:
    template = (PROJECT / "infra" / "main.bicep").read_text("utf-8")
    (deployed,) = re.findall(r"pollSchedule: empty\(pollSchedule\) \? '(.+)' : pollSchedule", template)
    assert deployed == KNOWN["POLL_SCHEDULE"].default
    for schedule in (deployed, local_settings["POLL_SCHEDULE"]):
        parse_schedule(schedule)


def _accessor(value: dict[str, Any]) -> str:
    """`names.prompts` of the parsed expression; empty for any other expression."""
    operands = value.get("operator", {}).get("operands", {})
    first, second = operands.get("operand_1"), operands.get("operand_2")
    return f"{first}.{second}" if isinstance(first, str) and isinstance(second, str) else ""
