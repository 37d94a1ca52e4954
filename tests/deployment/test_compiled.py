"""The templates as the Bicep compiler sees them: without a warning, and evaluated for three ways to deploy."""

import json
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from shared.settings import Settings, read_settings
from tests.deployment.bicep import INFRA, files, parsed

BICEP = shutil.which("bicep")
DATA = Path(__file__).with_name("data")
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
ENTRIES = ("main.bicep", "events.bicep")
"""What is deployed by itself; the compiler checks the modules along with it."""

OTHERS = "11111111-1111-1111-1111-111111111111"

pytestmark = pytest.mark.skipif(BICEP is None, reason="the Bicep compiler is not on PATH")


def bicep(*arguments: str, folder: Path = INFRA) -> subprocess.CompletedProcess[str]:
    """Run the compiler."""
    assert BICEP is not None
    return subprocess.run([BICEP, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@cache
def evaluated(name: str) -> tuple[dict[str, Any], ...]:
    """Every resource that a deployment with this parameter file would make."""
    with TemporaryDirectory() as folder:
        infra = Path(shutil.copytree(INFRA, Path(folder, "infra")))
        shutil.copyfile(DATA / f"{name}.bicepparam", infra / f"{name}.bicepparam")
        where = ("--subscription-id", SUBSCRIPTION, "--tenant-id", SUBSCRIPTION, "--location", "swedencentral")
        done = bicep("snapshot", f"{name}.bicepparam", "--mode", "overwrite", *where, folder=infra)
        assert done.returncode == 0, done.stderr
        found = json.loads((infra / f"{name}.snapshot.json").read_text("utf-8"))
    assert found["diagnostics"] == []
    return tuple(found["predictedResources"])


def of_type(name: str, kind: str) -> list[dict[str, Any]]:
    """The resources of one type."""
    return [item for item in evaluated(name) if item["type"] == kind]


def names(name: str, kind: str) -> list[str]:
    """The last parts of their names."""
    return [item["name"].rpartition("/")[2] for item in of_type(name, kind)]


def app_settings(name: str) -> dict[str, str]:
    """The app settings that the function app gets."""
    (found,) = of_type(name, "Microsoft.Web/sites/config")
    settings: dict[str, str] = found["properties"]
    return settings


def settings(name: str) -> Settings:
    """What the app reads from them; an address that Azure knows only at the end is replaced by one of its form."""
    given = {
        key: f"https://name.example.com/{key}" if value.startswith("[") else value
        for key, value in app_settings(name).items()
    }
    return read_settings({**given, "AZURE_OPENAI_ENDPOINT": "https://oai.openai.azure.com"})


@pytest.mark.parametrize("file", ENTRIES)
def test_the_compiler_and_its_linter_have_nothing_to_say(file: str) -> None:
    built = bicep("build", file, "--stdout")
    assert (built.returncode, built.stderr) == (0, "")
    linted = bicep("lint", file)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")


def test_every_other_template_is_compiled_as_a_module() -> None:
    modules = {module["detail"]["path"] for module in parsed("main.bicep")["modules"].values()}
    assert modules | set(ENTRIES) == set(files())


@pytest.mark.parametrize("name", ["plain", "private", "existing"])
def test_the_app_finds_no_fault_with_the_settings_that_it_is_given(name: str) -> None:
    assert settings(name).faults == ()
    assert app_settings(name)["OTEL_TRACES_SAMPLER"] == "microsoft.fixed_percentage"
    assert app_settings(name)["OTEL_TRACES_SAMPLER_ARG"] == "1.0"


@pytest.mark.parametrize("name", ["plain", "private", "existing"])
def test_all_queues_that_the_app_and_the_host_look_into_are_made(name: str) -> None:
    read = settings(name)
    queues = {read.submissions_queue, read.completions_queue}
    assert set(names(name, "Microsoft.Storage/storageAccounts/queueServices/queues")) == queues | {
        f"{queue}-poison" for queue in queues
    }


@pytest.mark.parametrize("name", ["plain", "private", "existing"])
def test_no_two_resources_have_the_same_id(name: str) -> None:
    ids = Counter(item["id"].lower() for item in evaluated(name))
    assert [item for item, count in ids.items() if count > 1] == []


def test_plainly_there_is_one_account_a_cap_and_no_network() -> None:
    (account,) = of_type("plain", "Microsoft.CognitiveServices/accounts")
    assert account["location"] == "swedencentral"
    (deployment,) = of_type("plain", "Microsoft.CognitiveServices/accounts/deployments")
    assert deployment["properties"]["model"] == {"format": "OpenAI", "name": "gpt-5.4-mini", "version": "2026-03-17"}
    assert deployment["sku"] == {"name": "GlobalBatch", "capacity": 1000}
    assert of_type("plain", "Microsoft.Network/virtualNetworks") == []
    assert of_type("plain", "Microsoft.Insights/actionGroups") == []
    assert len(of_type("plain", "Microsoft.Authorization/roleAssignments")) == 6
    read = settings("plain")
    assert (read.max_cost_usd, read.max_input_tokens) == (50.0, 100_000_000)
    assert (read.deployments, read.transfer) == ({}, "upload")
    assert read.deployment_models == {"gpt-5.4-mini-batch": "gpt-5.4-mini"}


def test_a_private_app_reaches_storage_and_all_its_accounts_by_private_endpoints() -> None:
    accounts = of_type("private", "Microsoft.CognitiveServices/accounts")
    assert [account["location"] for account in accounts] == ["swedencentral", "eastus2", "westus3"]
    storage = of_type("private", "Microsoft.Storage/storageAccounts")
    for item in (*accounts, *storage):
        assert item["properties"]["publicNetworkAccess"] == "Disabled"
    reached = [
        item["properties"]["privateLinkServiceConnections"][0]["properties"]["privateLinkServiceId"]
        for item in of_type("private", "Microsoft.Network/privateEndpoints")
    ]
    assert Counter(reached) == {storage[0]["id"]: 3, **{account["id"]: 1 for account in accounts}}
    assert len(of_type("private", "Microsoft.Network/privateEndpoints/privateDnsZoneGroups")) == 6
    assert len(of_type("private", "Microsoft.Network/privateDnsZones")) == 4
    (site,) = of_type("private", "Microsoft.Web/sites")
    assert site["properties"]["virtualNetworkSubnetId"].endswith("/subnets/app")
    (people,) = of_type("private", "Microsoft.Insights/actionGroups")
    assert people["properties"]["emailReceivers"][0]["emailAddress"] == "operator@example.com"


def test_with_own_storage_the_account_may_read_and_write_the_work_container() -> None:
    (storage,) = of_type("private", "Microsoft.Storage/storageAccounts")
    (rule,) = storage["properties"]["networkAcls"]["resourceAccessRules"]
    assert rule["resourceId"] == of_type("private", "Microsoft.CognitiveServices/accounts")[0]["id"]
    assert settings("private").transfer == "storage"
    # The app's five, three of them at storage; the topic's; the account's.
    assert len(of_type("private", "Microsoft.Authorization/roleAssignments")) == 9


def test_further_locations_become_targets_of_the_deployments_name_with_their_roles() -> None:
    roles = [item["properties"]["roleName"] for item in of_type("private", "Microsoft.Authorization/roleDefinitions")]
    accounts = names("private", "Microsoft.CognitiveServices/accounts")
    assert sorted(roles) == sorted(f"StructuredBatch files and batches ({account})" for account in accounts)
    assert names("private", "Microsoft.CognitiveServices/accounts/deployments") == ["gpt-5.4-mini-batch"] * 3
    own, *others = settings("private").targets("gpt-5.4-mini-batch")
    assert own.endpoint == "https://oai.openai.azure.com"
    assert [target.resource for target in others] == [f"{account}.openai.azure.com" for account in accounts[1:]]
    assert {(target.deployment, target.key_setting) for target in others} == {("gpt-5.4-mini-batch", "")}


def test_further_app_settings_are_added_as_they_are_written() -> None:
    given = app_settings("private")
    assert given["NOTIFY_URL"] == 'https://example.com/hook?a=b;c"d%'
    assert (given["MAX_ATTEMPTS"], given["RESULT_FORMATS"]) == ("5", "csv,xlsx")


def test_an_existing_account_is_given_a_role_in_its_own_subscription_and_nothing_else() -> None:
    assert of_type("existing", "Microsoft.CognitiveServices/accounts") == []
    assert of_type("existing", "Microsoft.CognitiveServices/accounts/deployments") == []
    theirs = [item for item in evaluated("existing") if f"/subscriptions/{OTHERS}/" in item["id"]]
    kinds = [item["type"].rpartition("/")[2] for item in theirs]
    assert sorted(kinds) == ["roleAssignments", "roleDefinitions"]
    assert all("/resourceGroups/rg-company/" in item["id"] for item in theirs)
    read = settings("existing")
    assert (read.deployment, read.deployment_models) == ("company-mini", {})
    assert (read.max_cost_usd, read.max_input_tokens) == (None, None)
    assert of_type("existing", "Microsoft.Insights/actionGroups") == []


def test_the_person_who_deploys_may_drop_files_and_read_results() -> None:
    assigned = [
        item["properties"]["principalId"] for item in of_type("existing", "Microsoft.Authorization/roleAssignments")
    ]
    assert assigned.count("22222222-2222-2222-2222-222222222222") == 2
