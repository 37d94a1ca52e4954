"""The app's settings, read from the environment once, with one message for all that are at fault."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit


def _text(value: str) -> str:
    return value


def _container(value: str) -> str:
    if not re.fullmatch(r"(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*", value):
        raise ValueError("is no container or queue name: 3 to 63 lower-case letters, digits and single hyphens")
    return value


def _table(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,62}", value):
        raise ValueError("is no table name: 3 to 63 letters and digits, a letter first")
    return value


def _connection_string(value: str) -> str:
    parts = {name: rest for name, equals, rest in (part.partition("=") for part in value.split(";")) if equals}
    services = {"BlobEndpoint", "QueueEndpoint", "TableEndpoint"}
    signed = "SharedAccessSignature" in parts and ("AccountName" in parts or services <= parts.keys())
    if not (signed or {"AccountName", "AccountKey"} <= parts.keys() or "UseDevelopmentStorage" in parts):
        raise ValueError("is no connection string of a storage account: it looks like AccountName=…;AccountKey=…")
    return value


def _address(value: str, example: str = "https://NAME") -> str:
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError(f"is no address: it looks like {example}")
    return value


def _endpoint(value: str) -> str:
    example = "https://NAME.openai.azure.com"
    address = re.sub(r"(/+openai(/+v1)?)?/*$", "", _address(value, example), flags=re.IGNORECASE)
    if re.search(r"[?#]|/openai/", address, re.IGNORECASE):
        raise ValueError(f"is the address of a single route: it looks like {example}")
    return address


def _key(value: str) -> str:
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("is no key: those have neither spaces nor letters beyond ASCII")
    return value


def _path(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", value):
        raise ValueError("is no path: it looks like /chat/completions")
    return value


def _schedule(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z*/,-]+( +[0-9A-Za-z*/,-]+){5}", value):
        raise ValueError("is no NCRONTAB expression of six fields: it looks like 0 * * * * *")
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        for name in allowed:
            if value.lower() == name.lower():
                return name
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return parse


def _boolean(value: str) -> bool:
    return _choice("true", "false")(value) == "true"


def _whole(low: int, high: int = 2**53) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"\d+", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low}" + (f" to {high}" if high < 2**53 else ""))
        return int(value)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return number

    return parse


def _formats(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
    if not set(names) <= {"csv", "xlsx", "jsonl"}:
        raise ValueError("must name csv, xlsx or both, separated by commas")
    return tuple(name for name in names if name != "jsonl")


@dataclass(frozen=True, slots=True)
class Setting:
    """One app setting: its name, its default as text (None: none), and how its text becomes a value."""

    name: str
    default: str | None
    parse: Callable[[str], Any]
    required: bool = False


SETTINGS: Final = (
    Setting("BatchStorage", None, _connection_string),
    Setting("BatchStorage__blobServiceUri", None, _address),
    Setting("BatchStorage__queueServiceUri", None, _address),
    Setting("BatchStorage__tableServiceUri", None, _address),
    Setting("BatchStorage__credential", None, _text),
    Setting("BatchStorage__clientId", None, _text),
    Setting("AZURE_OPENAI_ENDPOINT", None, _endpoint, required=True),
    Setting("AZURE_OPENAI_API_KEY", None, _key),
    Setting("AZURE_OPENAI_TOKEN_SCOPE", "https://ai.azure.com/.default", _text),
    Setting("AZURE_OPENAI_API_VERSION", None, _text),
    Setting("AZURE_OPENAI_DEPLOYMENT", None, _text),
    Setting("AZURE_CLIENT_ID", None, _text),
    Setting("BATCH_ENDPOINT", "/chat/completions", _path),
    Setting("PROMPTS_CONTAINER", "prompts", _container),
    Setting("RESULTS_CONTAINER", "results", _container),
    Setting("WORK_CONTAINER", "batch-work", _container),
    Setting("JOBS_TABLE", "batchjobs", _table),
    Setting("SUBMISSIONS_QUEUE", "batch-submissions", _container),
    Setting("COMPLETIONS_QUEUE", "batch-completions", _container),
    Setting("PROMPTS_TRIGGER_SOURCE", "EventGrid", _choice("EventGrid", "LogsAndContainerScan")),
    Setting("POLL_SCHEDULE", "0 * * * * *", _schedule),
    Setting("MAX_REQUESTS_PER_BATCH", "100000", _whole(1, 100_000)),
    Setting("MAX_BYTES_PER_BATCH", None, _whole(1, 1_000_000_000)),
    Setting("BATCH_TRANSFER", "upload", _choice("upload", "storage")),
    Setting("MAX_ATTEMPTS", "3", _whole(1, 100)),
    Setting("BACKOFF_SECONDS", "60", _number(0, 900)),
    Setting("SETTLE_SECONDS", "300", _number(0, 86_400)),
    Setting("LEASE_SECONDS", "600", _number(0.1, 86_400)),
    Setting("MAX_WAIT_HOURS", "72", _number(0, 24 * 365)),
    Setting("MAX_JOB_INPUT_TOKENS", None, _whole(0)),
    Setting("ON_INVALID_ROW", "skip", _choice("skip", "reject")),
    Setting("RESULT_FORMATS", "csv", _formats),
    Setting("CSV_FORMULA_GUARD", "true", _boolean),
    Setting("FILE_EXPIRY_DAYS", "14", _number(14, 30)),
    Setting("NOTIFY_URL", None, _address),
    Setting("NOTIFY_SECRET", None, _text),
)
"""Every app setting, in the order of the README's table."""

STORAGE_NAMES: Final = frozenset(
    {"PROMPTS_CONTAINER", "RESULTS_CONTAINER", "WORK_CONTAINER", "JOBS_TABLE", "SUBMISSIONS_QUEUE", "COMPLETIONS_QUEUE"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """Where the containers, queues and tables are: a connection string, or addresses and an identity."""

    connection_string: str = field(default="", repr=False)
    blob_uri: str = ""
    queue_uri: str = ""
    table_uri: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings as values. `faults` names what is missing or malformed: nothing may be sent while there are any."""

    storage: StorageAccount
    endpoint: str
    api_key: str = field(default="", repr=False)
    token_scope: str
    api_version: str
    deployment: str
    client_id: str
    batch_endpoint: str
    prompts_container: str
    results_container: str
    work_container: str
    jobs_table: str
    submissions_queue: str
    completions_queue: str
    max_requests: int
    max_bytes: int
    transfer: str
    max_attempts: int
    backoff: timedelta
    settle: timedelta
    lease: timedelta
    max_wait: timedelta
    max_input_tokens: int | None
    on_invalid_row: str
    result_formats: tuple[str, ...]
    formula_guard: bool
    file_expiry: timedelta
    notify_url: str
    notify_secret: str = field(default="", repr=False)
    faults: tuple[str, ...] = ()


class SettingsFault(ValueError):
    """The storage account cannot be reached with these settings; the message names every setting at fault."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Turn the environment into Settings; what is at fault outside storage goes into `faults`.

    Raises SettingsFault where not even the storage account is known, so that no job could say what is wrong.
    """
    values, faults = _parse(environment)
    malformed = any(fault.startswith("BatchStorage ") for fault in faults)
    faults += _storage_faults(values, malformed)
    if any(name in fault for fault in faults for name in (*STORAGE_NAMES, "BatchStorage")):
        raise SettingsFault(say(faults))
    return _settings(values, tuple(faults))


def say(faults: tuple[str, ...] | list[str]) -> str:
    """One sentence for the operator about all settings at fault."""
    return f"App settings at fault: {'; '.join(faults)}. Set them in the function app's configuration."


def _parse(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        text = environment.get(setting.name, "").strip() or setting.default
        if text is None:
            if setting.required:
                faults.append(f"{setting.name} is missing")
            values[setting.name] = None
            continue
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            faults.append(f"{setting.name} {error}")
            values[setting.name] = None if setting.default is None else setting.parse(setting.default)
    return values, faults


def _storage_faults(values: Mapping[str, Any], is_malformed: bool) -> list[str]:
    faults = []
    if not values["BatchStorage"] and not is_malformed:
        faults = [
            f"BatchStorage is missing (a connection string, or BatchStorage__{service}ServiceUri)"
            for service in ("blob", "queue", "table")
            if not values[f"BatchStorage__{service}ServiceUri"]
        ]
    containers = [values[name] for name in ("PROMPTS_CONTAINER", "RESULTS_CONTAINER", "WORK_CONTAINER")]
    if len(set(containers)) < 3:
        faults.append("PROMPTS_CONTAINER, RESULTS_CONTAINER and WORK_CONTAINER must be three different containers")
    if values["SUBMISSIONS_QUEUE"] == values["COMPLETIONS_QUEUE"]:
        faults.append("SUBMISSIONS_QUEUE and COMPLETIONS_QUEUE must be two different queues")
    return faults


def _settings(values: Mapping[str, Any], faults: tuple[str, ...]) -> Settings:
    default_bytes = 200_000_000 if values["BATCH_TRANSFER"] == "upload" else 1_000_000_000
    return Settings(
        storage=StorageAccount(
            connection_string=values["BatchStorage"] or "",
            blob_uri=values["BatchStorage__blobServiceUri"] or "",
            queue_uri=values["BatchStorage__queueServiceUri"] or "",
            table_uri=values["BatchStorage__tableServiceUri"] or "",
            client_id=values["BatchStorage__clientId"] or "",
        ),
        endpoint=values["AZURE_OPENAI_ENDPOINT"] or "",
        api_key=values["AZURE_OPENAI_API_KEY"] or "",
        token_scope=values["AZURE_OPENAI_TOKEN_SCOPE"],
        api_version=values["AZURE_OPENAI_API_VERSION"] or "",
        deployment=values["AZURE_OPENAI_DEPLOYMENT"] or "",
        client_id=values["AZURE_CLIENT_ID"] or "",
        batch_endpoint=values["BATCH_ENDPOINT"],
        prompts_container=values["PROMPTS_CONTAINER"],
        results_container=values["RESULTS_CONTAINER"],
        work_container=values["WORK_CONTAINER"],
        jobs_table=values["JOBS_TABLE"],
        submissions_queue=values["SUBMISSIONS_QUEUE"],
        completions_queue=values["COMPLETIONS_QUEUE"],
        max_requests=values["MAX_REQUESTS_PER_BATCH"],
        max_bytes=values["MAX_BYTES_PER_BATCH"] or default_bytes,
        transfer=values["BATCH_TRANSFER"],
        max_attempts=values["MAX_ATTEMPTS"],
        backoff=timedelta(seconds=values["BACKOFF_SECONDS"]),
        settle=timedelta(seconds=values["SETTLE_SECONDS"]),
        lease=timedelta(seconds=values["LEASE_SECONDS"]),
        max_wait=timedelta(hours=values["MAX_WAIT_HOURS"]),
        max_input_tokens=values["MAX_JOB_INPUT_TOKENS"],
        on_invalid_row=values["ON_INVALID_ROW"],
        result_formats=values["RESULT_FORMATS"],
        formula_guard=values["CSV_FORMULA_GUARD"],
        file_expiry=timedelta(days=values["FILE_EXPIRY_DAYS"]),
        notify_url=values["NOTIFY_URL"] or "",
        notify_secret=values["NOTIFY_SECRET"] or "",
        faults=faults,
    )
