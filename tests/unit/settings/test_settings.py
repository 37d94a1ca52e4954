"""App settings: defaults, forms, and one message that names every setting at fault."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import SETTINGS, Settings, SettingsFault, read_settings, setting_or_default, settings_message

ENOUGH = {"BatchStorage": "UseDevelopmentStorage=true", "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com"}
IDENTITY = {
    "BatchStorage__blobServiceUri": "https://a.blob.core.windows.net",
    "BatchStorage__queueServiceUri": "https://a.queue.core.windows.net",
    "BatchStorage__tableServiceUri": "https://a.table.core.windows.net",
    "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
}


def read(**changes: str) -> Settings:
    return read_settings({**ENOUGH, **changes})


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("token_scope", "https://ai.azure.com/.default"),
        ("api_key", ""),
        ("api_version", ""),
        ("deployment", ""),
        ("batch_endpoint", "/chat/completions"),
        ("prompts_container", "prompts"),
        ("results_container", "results"),
        ("work_container", "batch-work"),
        ("jobs_table", "batchjobs"),
        ("submissions_queue", "batch-submissions"),
        ("completions_queue", "batch-completions"),
        ("max_requests", 100_000),
        ("max_bytes", 200_000_000),
        ("transfer", "upload"),
        ("max_attempts", 3),
        ("backoff", timedelta(seconds=60)),
        ("settle", timedelta(seconds=300)),
        ("lease", timedelta(seconds=600)),
        ("max_wait", timedelta(hours=72)),
        ("max_input_tokens", None),
        ("max_cost_usd", None),
        ("monthly_budget_usd", None),
        ("deployment_models", {}),
        ("deployments", {}),
        ("api_files", True),
        ("trigger_source", "EventGrid"),
        ("poll_schedule", "0 * * * * *"),
        ("on_invalid_row", "skip"),
        ("result_formats", ("csv",)),
        ("formula_guard", True),
        ("file_expiry", timedelta(days=14)),
        ("notify_url", ""),
        ("notify_secret", ""),
        ("faults", ()),
    ],
)
def test_what_is_not_set_has_its_default(field: str, default: object) -> None:
    assert getattr(read(), field) == default


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("AZURE_OPENAI_ENDPOINT", "https://n.openai.azure.com/openai/v1/", "endpoint", "https://n.openai.azure.com"),
        ("AZURE_OPENAI_ENDPOINT", " https://n.openai.azure.com/ ", "endpoint", "https://n.openai.azure.com"),
        ("BATCH_TRANSFER", "Storage", "transfer", "storage"),
        ("BATCH_TRANSFER", "storage", "max_bytes", 1_000_000_000),
        ("MAX_BYTES_PER_BATCH", "1000", "max_bytes", 1000),
        ("MAX_REQUESTS_PER_BATCH", "1", "max_requests", 1),
        ("BACKOFF_SECONDS", "0.5", "backoff", timedelta(seconds=0.5)),
        ("MAX_WAIT_HOURS", "1.5", "max_wait", timedelta(hours=1.5)),
        ("FILE_EXPIRY_DAYS", "29.5", "file_expiry", timedelta(days=29.5)),
        ("MAX_JOB_INPUT_TOKENS", "5", "max_input_tokens", 5),
        ("MAX_JOB_COST_USD", "12.50", "max_cost_usd", 12.5),
        ("MAX_JOB_COST_USD", "0", "max_cost_usd", 0.0),
        ("MONTHLY_BUDGET_USD", "300", "monthly_budget_usd", 300.0),
        ("DEPLOYMENT_MODELS", "a=gpt-4o, b = gpt-5.4-mini,", "deployment_models", {"a": "gpt-4o", "b": "gpt-5.4-mini"}),
        ("DEPLOYMENTS", "{}", "deployments", {}),
        ("API_FILES", "FALSE", "api_files", False),
        ("SETTLE_SECONDS", "1.5", "settle", timedelta(seconds=1.5)),
        ("LEASE_SECONDS", "0.75", "lease", timedelta(seconds=0.75)),
        ("AZURE_OPENAI_ENDPOINT", "https://api.openai.com/v1/", "endpoint", "https://api.openai.com"),
        ("SUBMISSIONS_QUEUE", "q" * 56, "submissions_queue", "q" * 56),
        ("RESULT_FORMATS", "parquet,xlsx", "result_formats", ("parquet", "xlsx")),
        ("ON_INVALID_ROW", "REJECT", "on_invalid_row", "reject"),
        ("RESULT_FORMATS", "xlsx, CSV,xlsx", "result_formats", ("xlsx", "csv")),
        ("RESULT_FORMATS", "jsonl", "result_formats", ()),
        ("CSV_FORMULA_GUARD", "False", "formula_guard", False),
        ("NOTIFY_URL", "http://127.0.0.1:1/x", "notify_url", "http://127.0.0.1:1/x"),
        ("NOTIFY_SECRET", "s", "notify_secret", "s"),
        ("BACKOFF_SECONDS", "0", "backoff", timedelta()),
        ("FILE_EXPIRY_DAYS", "14", "file_expiry", timedelta(days=14)),
        ("FILE_EXPIRY_DAYS", "30", "file_expiry", timedelta(days=30)),
        ("MAX_ATTEMPTS", "", "max_attempts", 3),
        ("MAX_ATTEMPTS", "  ", "max_attempts", 3),
    ],
)
def test_a_setting_is_read_in_each_of_its_forms(name: str, text: str, field: str, value: object) -> None:
    settings = read(**{name: text})
    assert getattr(settings, field) == value
    assert settings.faults == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AZURE_OPENAI_ENDPOINT", ""),
        ("AZURE_OPENAI_ENDPOINT", "name.openai.azure.com"),
        ("AZURE_OPENAI_ENDPOINT", "ftp://name"),
        ("AZURE_OPENAI_ENDPOINT", "https://name:port"),
        ("AZURE_OPENAI_ENDPOINT", "https://[name"),
        ("AZURE_OPENAI_ENDPOINT", "https://name/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"),
        ("AZURE_OPENAI_ENDPOINT", "https://name/?tenant=1"),
        ("AZURE_OPENAI_API_KEY", "two words"),
        ("AZURE_OPENAI_API_KEY", "schl\u00fcssel"),
        ("MAX_REQUESTS_PER_BATCH", "0"),
        ("MAX_REQUESTS_PER_BATCH", "100001"),
        ("MAX_REQUESTS_PER_BATCH", "1.5"),
        ("MAX_BYTES_PER_BATCH", "-1"),
        ("MAX_BYTES_PER_BATCH", "200MB"),
        ("BATCH_TRANSFER", "pigeon"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "many"),
        ("MAX_ATTEMPTS", "9" * 5000),
        ("BACKOFF_SECONDS", "-1"),
        ("BACKOFF_SECONDS", "nan"),
        ("BACKOFF_SECONDS", "1e9"),
        ("SETTLE_SECONDS", "soon"),
        ("LEASE_SECONDS", "0"),
        ("MAX_WAIT_HOURS", "inf"),
        ("MAX_JOB_INPUT_TOKENS", "-1"),
        ("MAX_JOB_COST_USD", "nan"),
        ("MAX_JOB_COST_USD", "-0.01"),
        ("MAX_JOB_COST_USD", "$5"),
        ("MONTHLY_BUDGET_USD", "inf"),
        ("DEPLOYMENT_MODELS", "gpt-4o"),
        ("DEPLOYMENT_MODELS", "a=b=c"),
        ("DEPLOYMENT_MODELS", "a=b, a=c"),
        ("DEPLOYMENT_MODELS", "=gpt-4o"),
        ("API_FILES", "no"),
        ("AZURE_OPENAI_API_KEY", "@Microsoft.KeyVault(SecretUri=https://vault/secrets/key)"),
        ("ON_INVALID_ROW", "ignore"),
        ("RESULT_FORMATS", "pdf"),
        ("CSV_FORMULA_GUARD", "perhaps"),
        ("FILE_EXPIRY_DAYS", "13"),
        ("FILE_EXPIRY_DAYS", "31"),
        ("NOTIFY_URL", "somewhere"),
    ],
)
def test_a_setting_at_fault_is_named_and_has_its_default_meanwhile(name: str, text: str) -> None:
    settings = read(**{name: text})

    (fault,) = settings.faults
    assert fault.startswith(name)
    assert text not in fault or len(text) < 3
    assert name in settings_message(settings.faults)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"BatchStorage": ""}, ["BatchStorage__blobServiceUri", "BatchStorage__queueServiceUri"]),
        ({"BatchStorage": "AccountName=a"}, ["BatchStorage"]),
        ({"BatchStorage": "SharedAccessSignature=sv"}, ["BatchStorage"]),
        ({"BatchStorage": "BlobEndpoint=b;TableEndpoint=t;SharedAccessSignature=sv"}, ["BatchStorage"]),
        ({"PROMPTS_CONTAINER": "UPPER"}, ["PROMPTS_CONTAINER"]),
        ({"RESULTS_CONTAINER": "a--b"}, ["RESULTS_CONTAINER"]),
        ({"WORK_CONTAINER": "ab"}, ["WORK_CONTAINER"]),
        ({"JOBS_TABLE": "has-hyphen"}, ["JOBS_TABLE"]),
        ({"SUBMISSIONS_QUEUE": "x" * 64}, ["SUBMISSIONS_QUEUE"]),
        ({"COMPLETIONS_QUEUE": "x" * 57}, ["COMPLETIONS_QUEUE", "56"]),
        ({"RESULTS_CONTAINER": "prompts"}, ["PROMPTS_CONTAINER", "RESULTS_CONTAINER", "three different"]),
        ({"COMPLETIONS_QUEUE": "batch-submissions"}, ["SUBMISSIONS_QUEUE", "two different"]),
        ({"JOBS_TABLE": "1", "MAX_ATTEMPTS": "x", "WORK_CONTAINER": "_"}, ["JOBS_TABLE", "MAX_ATTEMPTS", "WORK_"]),
    ],
)
def test_without_its_storage_the_app_names_all_that_is_at_fault(changes: dict[str, str], named: list[str]) -> None:
    with pytest.raises(SettingsFault) as fault:
        read(**changes)
    assert all(name in str(fault.value) for name in named)


def test_an_empty_environment_names_every_setting_that_is_missing() -> None:
    with pytest.raises(SettingsFault) as fault:
        read_settings({})
    assert "BatchStorage" in str(fault.value)
    assert "AZURE_OPENAI_ENDPOINT" in str(fault.value)


@pytest.mark.parametrize(
    "text",
    [
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net",
        "AccountName=a;SharedAccessSignature=sv",
        "BlobEndpoint=https://a/b;QueueEndpoint=https://a/q;TableEndpoint=https://a/t;SharedAccessSignature=sv",
    ],
)
def test_a_connection_string_has_a_key_or_a_signature_for_all_three_services(text: str) -> None:
    assert read(BatchStorage=text).faults == ()


def test_storage_may_be_named_by_addresses_and_an_identity() -> None:
    storage = read_settings({**IDENTITY, "BatchStorage__clientId": "c"}).storage

    assert (storage.connection_string, storage.client_id) == ("", "c")
    assert storage.table_uri == "https://a.table.core.windows.net"
    for name in list(IDENTITY)[:3]:
        with pytest.raises(SettingsFault, match=name):
            read_settings({**IDENTITY, name: ""})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PROMPTS_CONTAINER", "", "prompts"),
        ("PROMPTS_CONTAINER", " mine ", "mine"),
        ("PROMPTS_CONTAINER", "Big Letters", "prompts"),
        ("SUBMISSIONS_QUEUE", "x" * 60, "batch-submissions"),
        ("COMPLETIONS_QUEUE", "under_score", "batch-completions"),
        ("PROMPTS_TRIGGER_SOURCE", "logsandcontainerscan", "LogsAndContainerScan"),
        ("PROMPTS_TRIGGER_SOURCE", "Polling", "EventGrid"),
        ("POLL_SCHEDULE", "every minute", "0 * * * * *"),
    ],
)
def test_the_runtime_is_told_a_settings_default_where_its_text_is_malformed(name: str, text: str, value: str) -> None:
    assert setting_or_default(name, {name: text}) == value


def test_each_setting_is_declared_once() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_no_secret_is_shown() -> None:
    settings = read(
        BatchStorage="AccountName=a;AccountKey=canary-storage",
        AZURE_OPENAI_API_KEY="canary-key",
        NOTIFY_SECRET="canary-secret",
    )
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings.storage)


@given(st.dictionaries(st.sampled_from([setting.name for setting in SETTINGS]), st.text(max_size=30)))
def test_no_environment_does_more_than_name_faults(environment: dict[str, str]) -> None:
    faults: tuple[str, ...] = ()
    try:
        faults = read_settings({**ENOUGH, **environment}).faults
    except SettingsFault as fault:
        faults = tuple(str(fault).removeprefix("App settings at fault: ").split("; "))
    assert all(any(fault.startswith(setting.name) for setting in SETTINGS) for fault in faults)
