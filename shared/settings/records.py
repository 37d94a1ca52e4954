"""Every app setting, declared once: its name, its form, its default, and the field that holds its value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from shared.settings import forms
from shared.settings.targets import STORAGE_BYTES, UPLOAD_BYTES, Target, declared, platform_of


@dataclass(frozen=True, slots=True)
class Setting:
    """One app setting: its name, how its text becomes a value, its default as text (None: none).

    `absent` is the value of a setting that has no default and is not set.
    """

    name: str
    parse: Callable[[str], Any]
    default: str | None = None
    required: bool = False
    absent: Any = ""


def _of(
    name: str,
    form: Callable[[str], Any],
    default: str | None = None,
    *,
    required: bool = False,
    secret: bool = False,
    absent: Any = "",
) -> Any:
    """Declare the field that holds an app setting's value."""
    return field(repr=not secret, metadata={"setting": Setting(name, form, default, required, absent)})


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """How to reach the containers, queues and tables: by a connection string, or by addresses and an identity."""

    connection_string: str = _of("BatchStorage", forms.connection_string, secret=True)
    blob_uri: str = _of("BatchStorage__blobServiceUri", forms.url)
    queue_uri: str = _of("BatchStorage__queueServiceUri", forms.url)
    table_uri: str = _of("BatchStorage__tableServiceUri", forms.url)
    credential: str = _of("BatchStorage__credential", forms.text)
    client_id: str = _of("BatchStorage__clientId", forms.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings as values. `faults` names what is missing or malformed: nothing may be sent while there are any."""

    storage: StorageAccount
    endpoint: str = _of("AZURE_OPENAI_ENDPOINT", forms.endpoint, required=True)
    api_key: str = _of("AZURE_OPENAI_API_KEY", forms.key, secret=True)
    token_scope: str = _of("AZURE_OPENAI_TOKEN_SCOPE", forms.text, "https://ai.azure.com/.default")
    api_version: str = _of("AZURE_OPENAI_API_VERSION", forms.text)
    deployment: str = _of("AZURE_OPENAI_DEPLOYMENT", forms.text)
    client_id: str = _of("AZURE_CLIENT_ID", forms.text)
    batch_endpoint: str = _of("BATCH_ENDPOINT", forms.path, "/chat/completions")
    prompts_container: str = _of("PROMPTS_CONTAINER", forms.container, "prompts")
    results_container: str = _of("RESULTS_CONTAINER", forms.container, "results")
    work_container: str = _of("WORK_CONTAINER", forms.container, "batch-work")
    jobs_table: str = _of("JOBS_TABLE", forms.table, "batchjobs")
    submissions_queue: str = _of("SUBMISSIONS_QUEUE", forms.queue, "batch-submissions")
    completions_queue: str = _of("COMPLETIONS_QUEUE", forms.queue, "batch-completions")
    trigger_source: str = _of("PROMPTS_TRIGGER_SOURCE", forms.choice("EventGrid", "LogsAndContainerScan"), "EventGrid")
    poll_schedule: str = _of("POLL_SCHEDULE", forms.schedule, "0 * * * * *")
    max_requests: int = _of("MAX_REQUESTS_PER_BATCH", forms.whole(1, 100_000), "100000")
    max_bytes: int = _of("MAX_BYTES_PER_BATCH", forms.whole(1, 1_000_000_000), absent=0)
    transfer: str = _of("BATCH_TRANSFER", forms.choice("upload", "storage"), "upload")
    max_attempts: int = _of("MAX_ATTEMPTS", forms.whole(1, 100), "3")
    backoff: timedelta = _of("BACKOFF_SECONDS", forms.seconds(0, 900), "60")
    settle: timedelta = _of("SETTLE_SECONDS", forms.seconds(0, 86_400), "300")
    lease: timedelta = _of("LEASE_SECONDS", forms.seconds(0.1, 86_400), "600")
    max_wait: timedelta = _of("MAX_WAIT_HOURS", forms.hours(0, 24 * 365), "72")
    max_input_tokens: int | None = _of("MAX_JOB_INPUT_TOKENS", forms.whole(0), absent=None)
    max_cost_usd: float | None = _of("MAX_JOB_COST_USD", forms.usd, absent=None)
    monthly_budget_usd: float | None = _of("MONTHLY_BUDGET_USD", forms.usd, absent=None)
    deployment_models: Mapping[str, str] = _of("DEPLOYMENT_MODELS", forms.models, absent=MappingProxyType({}))
    deployments: Mapping[str, tuple[Target, ...]] = _of("DEPLOYMENTS", declared, absent=MappingProxyType({}))
    api_files: bool = _of("API_FILES", forms.boolean, "true")
    on_invalid_row: str = _of("ON_INVALID_ROW", forms.choice("skip", "reject"), "skip")
    result_formats: tuple[str, ...] = _of("RESULT_FORMATS", forms.formats, "csv")
    formula_guard: bool = _of("CSV_FORMULA_GUARD", forms.boolean, "true")
    file_expiry: timedelta = _of("FILE_EXPIRY_DAYS", forms.days(14, 30), "14")
    notify_url: str = _of("NOTIFY_URL", forms.url)
    notify_secret: str = _of("NOTIFY_SECRET", forms.text, secret=True)
    faults: tuple[str, ...] = ()

    def targets(self, model: str) -> tuple[Target, ...]:
        """Return the targets for batches of this model, in order: those in DEPLOYMENTS, or the app's own resource."""
        return self.deployments.get(model) or (self.own_target(model),)

    def limits(self, model: str) -> tuple[int, int]:
        """Return how many requests and bytes a batch of this model may have: the lowest limits of its targets."""
        limits = [self._limits_at(target) for target in self.targets(model)]
        requests = min(self.max_requests, *(most for most, _ in limits))
        size = min(largest for _, largest in limits)
        if model in self.deployments:
            # A deployment's name, which goes into each request, may be longer than the name that the rows use.
            longest = max(len(target.deployment.encode()) for target in self.deployments[model])
            size -= requests * max(longest - len(model.encode()) + len("/v1"), 0)
        return requests, min(self.max_bytes, size)

    def holds(self, target: Target, requests: int, size: int) -> bool:
        """Return whether a target takes batches of this size."""
        most, largest = self._limits_at(target)
        return requests <= most and size <= largest

    def _limits_at(self, target: Target) -> tuple[int, int]:
        return target.platform.requests, STORAGE_BYTES if target.endpoint == self.endpoint else UPLOAD_BYTES

    def own_target(self, deployment: str) -> Target:
        """Return a deployment at AZURE_OPENAI_ENDPOINT as a target."""
        return Target(
            endpoint=self.endpoint,
            deployment=deployment,
            key_setting="AZURE_OPENAI_API_KEY" if self.api_key else "",
            api_key=self.api_key,
            api_version=self.api_version,
            platform=platform_of(self.endpoint),
        )


def settings_of(record: type[StorageAccount | Settings]) -> dict[str, Setting]:
    """Return the app settings that a record holds, by field."""
    return {part.name: part.metadata["setting"] for part in fields(record) if "setting" in part.metadata}


SETTINGS: Final = (*settings_of(StorageAccount).values(), *settings_of(Settings).values())
"""Every app setting, in the order of the README's table."""
