"""The templates: their parts fit together, and they keep the rules of docs/security.md."""

import json
import re
import uuid
from collections import Counter
from typing import Any

import pytest

from testing.paths import PROJECT
from tests.deployment.bicep import INFRA, files, only, parsed, resources, texts

BUILT_IN_ROLES = {
    # https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
    "blobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "blobDataContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "blobDataReader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "queueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "tableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "metricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "contributorRoleId": "a001fd3d-188f-4b5d-821b-7da978bf7442",
}
GRANTS = {
    # resource: (who, which role, on what)
    "appBlobs": ("appPrincipalId", "blobDataOwner", "storage"),
    "appQueues": ("appPrincipalId", "queueDataContributor", "storage"),
    "appTables": ("appPrincipalId", "tableDataContributor", "storage"),
    "appTelemetry": ("appPrincipalId", "metricsPublisher", "insights"),
    "topicDeadLetters": ("topicPrincipalId", "blobDataContributor", "deadLetterContainer"),
    "openAiWorkFiles": ("openAiPrincipalId", "blobDataContributor", "workContainer"),
    "userPrompts": ("userPrincipalId", "blobDataContributor", "promptsContainer"),
    "userResults": ("userPrincipalId", "blobDataReader", "resultsContainer"),
    "batchAssignment": ("principalId", "batchRole", "account"),
    "contributorAssignment": ("principalId", "contributorRoleId", "account"),
}


def _either(true_value: Any, false_value: Any, condition: str) -> dict[str, Any]:
    """A conditional expression as the parser gives it."""
    operands = {"condition": condition, "true_value": true_value, "false_value": false_value}
    return {"operator": {"type": "conditional", "operands": operands}}


@pytest.mark.parametrize("file", files())
def test_every_template_is_bicep_and_uses_all_that_it_declares(file: str) -> None:
    tree = parsed(file)
    text = (INFRA / file).read_text("utf-8")
    for kind in ("parameters", "variables"):
        for name in tree.get(kind, {}):
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{file}: {name} is never used"


def test_no_template_takes_anything_from_a_registry() -> None:
    for file in files():
        for name, module in parsed(file).get("modules", {}).items():
            assert module["type"] == "local", name
            assert (INFRA / module["detail"]["path"]).is_file(), name


def test_modules_are_given_exactly_the_parameters_that_they_declare() -> None:
    for name, module in parsed("main.bicep")["modules"].items():
        config = module["config"]
        config = config.get("config", config)
        declared = parsed(module["detail"]["path"]).get("parameters", {})
        required = {key for key, item in declared.items() if item.get("default") is None}
        given = set(config.get("params", {}))
        assert required <= given <= set(declared), name


def test_modules_outputs_exist_where_they_are_used() -> None:
    modules = parsed("main.bicep")["modules"]
    text = (INFRA / "main.bicep").read_text("utf-8")
    used = re.findall(r"\b(\w+)!?\.outputs\.(\w+)", text)
    assert used
    for module, output in used:
        assert output in parsed(modules[module]["detail"]["path"])["outputs"], f"{module}.{output}"


def test_the_parameters_file_names_every_parameter_and_repeats_its_default() -> None:
    declared = parsed("main.bicep")["parameters"]
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert given.keys() == declared.keys()
    for name, item in given.items():
        default = declared[name].get("default")
        found = re.fullmatch(r"\$\{\w+(?:=(.*))?\}", item["value"]) if isinstance(item["value"], str) else None
        if found is None:
            assert item["value"] == default, name
        elif default is not None:
            expected = str(default).lower() if isinstance(default, bool) else str(default)
            assert (found[1] or "") == expected, name


def test_the_names_of_resources_in_one_template_differ() -> None:
    seen = Counter((item.file, item.type, str(item.at("parent")), str(item.at("name"))) for item in resources())
    assert [key for key, count in seen.items() if count > 1] == []


def test_storage_has_no_keys_no_public_blobs_and_no_old_protocols() -> None:
    account = only("Microsoft.Storage/storageAccounts")
    assert account.at("properties.allowSharedKeyAccess") is False
    assert account.at("properties.allowBlobPublicAccess") is False
    assert account.at("properties.allowCrossTenantReplication") is False
    assert account.at("properties.supportsHttpsTrafficOnly") is True
    assert account.at("properties.minimumTlsVersion") == "TLS1_2"
    assert account.at("properties.publicNetworkAccess") == _either("Enabled", "Disabled", "isPublic")
    assert account.at("properties.networkAcls.defaultAction") == _either("Allow", "Deny", "isPublic")


def test_the_openai_account_takes_entra_id_only_and_has_the_subdomain_that_batches_need() -> None:
    account = only("Microsoft.CognitiveServices/accounts")
    assert account.at("properties.disableLocalAuth") is True
    assert account.at("properties.customSubDomainName") == account.at("name")
    assert account.at("properties.publicNetworkAccess") == _either("Enabled", "Disabled", "isPublic")


def test_the_deployment_is_a_batch_deployment_that_is_not_upgraded_by_itself() -> None:
    deployment = only("Microsoft.CognitiveServices/accounts/deployments")
    allowed = parsed("main.bicep")["parameters"]["deploymentSku"]["decorators"]
    assert {"type": "allowed", "argument": ["GlobalBatch", "DataZoneBatch"]} in allowed
    assert deployment.at("sku.name") == "deploymentSku"
    properties, quota = deployment.at("properties.function.parameters").values()
    assert properties["versionUpgradeOption"] == "NoAutoUpgrade"
    assert quota == _either({"dynamicThrottlingEnabled": True}, {}, "dynamicQuota")


def test_logs_and_telemetry_take_entra_id_only_and_have_a_daily_limit() -> None:
    assert only("Microsoft.Insights/components").at("properties.DisableLocalAuth") is True
    workspace = only("Microsoft.OperationalInsights/workspaces")
    assert workspace.at("properties.features.disableLocalAuth") is True
    assert workspace.at("properties.workspaceCapping.dailyQuotaGb") > 0


def test_the_app_runs_on_flex_consumption_with_the_python_that_is_tested() -> None:
    assert only("Microsoft.Web/serverfarms").at("sku.name") == "FC1"
    app = only("Microsoft.Web/sites")
    assert app.at("properties.functionAppConfig.runtime") == {"name": "python", "version": "3.13"}
    assert app.at("properties.functionAppConfig.deployment.storage.authentication.type") == "UserAssignedIdentity"
    assert app.at("identity.type") == "UserAssigned"
    assert app.at("properties.httpsOnly") is True
    assert app.at("properties.siteConfig.minTlsVersion") == "1.2"
    passwords = resources("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {item.at("name"): item.at("properties.allow") for item in passwords} == {"ftp": False, "scm": False}


def test_the_app_is_configured_with_nothing_that_flex_consumption_refuses() -> None:
    # One such property and the whole deployment fails: "… for Flex Consumption sites is invalid. Please remove or
    # rename it" (https://github.com/Azure/terraform-azurerm-avm-res-web-site/pull/345).
    app = only("Microsoft.Web/sites")
    assert app.at("properties.siteConfig").keys() == {"minTlsVersion"}
    assert [item.at("name") for item in resources("Microsoft.Web/sites/config")] == ["appsettings"]


def test_azd_finds_the_app_by_the_name_of_its_service() -> None:
    tags = only("Microsoft.Web/sites").at("tags.function.parameters.arg_2")
    (service,) = re.findall(r"(?m)^services:\n  (\w+):", (PROJECT / "azure.yaml").read_text("utf-8"))
    assert tags == {"'azd-service-name'": service}


def test_the_work_files_are_deleted_by_a_rule_that_touches_nothing_else() -> None:
    (rule,) = only("Microsoft.Storage/storageAccounts/managementPolicies").at("properties.policy.rules")
    assert rule["definition"]["filters"]["prefixMatch"] == ["${workContainerName}/", "${deadLetterContainerName}/"]
    days = rule["definition"]["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]
    assert days == "workRetentionDays"
    assert {"type": "min_value", "argument": 14} in parsed("main.bicep")["parameters"][days]["decorators"]


def test_each_right_that_is_granted_is_one_of_those_documented() -> None:
    granted = {}
    for item in resources("Microsoft.Authorization/roleAssignments"):
        role = item.at("properties.roleDefinitionId")
        words = set(texts(role)) & ({"batchRole"} | BUILT_IN_ROLES.keys())
        granted[item.name] = (item.at("properties.principalId"), "".join(words), item.at("scope"))
    assert granted == GRANTS


def test_roles_are_named_by_their_true_ids() -> None:
    known = {}
    for file in files():
        for name, item in parsed(file).get("variables", {}).items():
            if isinstance(item["value"], str) and re.fullmatch(r"[0-9a-f-]{36}", item["value"]):
                known[name] = str(uuid.UUID(item["value"]))
    assert known == BUILT_IN_ROLES


def test_the_apps_own_role_is_for_files_and_batches_only() -> None:
    role = only("Microsoft.Authorization/roleDefinitions")
    (permission,) = role.at("properties.permissions")
    assert permission["actions"] == []
    actions = parsed("openai-access.bicep")["variables"][permission["dataActions"]]["value"]
    prefix = "Microsoft.CognitiveServices/accounts/OpenAI/"
    assert actions == [f"{prefix}batch-jobs/*", f"{prefix}batches/*", f"{prefix}files/*"]


def test_events_are_those_of_final_writes_to_the_prompts_container_alone() -> None:
    subscription = only("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    events = subscription.at("properties.filter")
    assert events["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]
    assert events["subjectBeginsWith"] == "/blobServices/default/containers/${promptsContainerName}/blobs/"
    (api,) = events["advancedFilters"]
    assert (api["operatorType"], api["key"]) == ("StringIn", "data.api")
    assert api["values"] == ["PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose"]


def test_events_are_retried_and_then_kept() -> None:
    subscription = only("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    assert subscription.at("properties.retryPolicy") == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
    kept = subscription.at("properties.deadLetterWithResourceIdentity")
    assert kept["identity"] == only("Microsoft.EventGrid/systemTopics").at("identity") == {"type": "SystemAssigned"}
    assert kept["deadLetterDestination"]["properties"]["blobContainerName"] == "deadLetterContainerName"


def test_events_go_to_the_blob_trigger_by_its_name() -> None:
    url = only("Microsoft.EventGrid/systemTopics/eventSubscriptions").at(
        "properties.destination.properties.endpointUrl"
    )
    (function,) = re.findall(r"functionName=Host\.Functions\.(\w+)&", url)
    app = (PROJECT / "function_app.py").read_text("utf-8")
    assert re.search(rf'function_name\("{function}"\)\n@app\.blob_trigger', app)


def test_alerts_watch_a_function_and_lines_that_exist() -> None:
    rules = resources("Microsoft.Insights/scheduledQueryRules")
    queries = {item.name: item.at("properties.criteria")["allOf"][0]["query"] for item in rules}
    app = (PROJECT / "function_app.py").read_text("utf-8")
    (function,) = re.findall(r'name contains "(\w+)"', queries["silence"])
    assert f'message contains "Functions.{function}"' in queries["silence"]
    assert f'function_name("{function}")' in app
    telemetry = (PROJECT / "shared" / "telemetry.py").read_text("utf-8")
    assert '"job is %s"' in telemetry
    assert re.findall(r'"job is (\w+)"', queries["waiting"]) == ["waiting", "held"]


def test_every_alert_tells_where_to_read_on() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text("utf-8")
    rules = [*resources("Microsoft.Insights/scheduledQueryRules"), *resources("Microsoft.Insights/metricAlerts")]
    assert len(rules) == 4
    for rule in rules:
        (heading,) = re.findall(r'see docs/operations\.md, "(.+)"', rule.at("properties.description"))
        assert re.search(rf"(?m)^#+ {re.escape(heading)}$", page), heading


def test_azd_asks_for_the_address_of_the_alerts() -> None:
    # It asks for what has no default and comes out empty in the parameters file.
    assert parsed("main.bicep")["parameters"]["alertEmail"].get("default") is None
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert given["alertEmail"]["value"] == "${ALERT_EMAIL}"


def test_the_private_network_reaches_every_service_that_the_app_uses() -> None:
    variables = parsed("network.bicep")["variables"]
    assert variables["storageServices"]["value"] == ["blob", "queue", "table"]
    subnets = only("Microsoft.Network/virtualNetworks").at("properties.subnets")
    (delegation,) = next(subnet for subnet in subnets if subnet["name"] == "app")["properties"]["delegations"]
    assert delegation["properties"]["serviceName"] == "Microsoft.App/environments"


def test_no_template_holds_or_puts_out_a_secret() -> None:
    for file in files():
        outputs = json.dumps(parsed(file).get("outputs", {}), default=str)
        assert not re.search(r"list_?keys|password|accountkey", outputs, re.IGNORECASE), file
        text = (INFRA / file).read_text("utf-8")
        assert not re.search(r"AccountKey=|sig=|InstrumentationKey=[0-9a-f]", text), file
        assert file == "events.bicep" or "listKeys" not in text, file
