"""The environment → Settings, with one message for everything that is at fault."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.settings.records import SETTINGS, Settings, StorageAccount, settings_of
from shared.settings.targets import STORAGE_BYTES, UPLOAD_BYTES, resolve

CONTAINERS: Final = ("PROMPTS_CONTAINER", "RESULTS_CONTAINER", "WORK_CONTAINER")
QUEUES: Final = ("SUBMISSIONS_QUEUE", "COMPLETIONS_QUEUE")

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_LOCATE_STORAGE: Final = {*CONTAINERS, *QUEUES, "JOBS_TABLE"} | {name for name in _BY_NAME if name.startswith("Batch")}


class SettingsFault(ValueError):
    """The storage account cannot be reached with these settings; the message names every setting at fault."""


@dataclass(frozen=True, slots=True)
class _Fault:
    setting: str
    text: str
    """What is wrong, beginning with the setting's name."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Turn the environment into Settings; those at fault are named in `faults`.

    Raises SettingsFault if storage cannot be reached with them, as then no job could say what is wrong.
    """
    account, faults = _parsed(StorageAccount, environment)
    values, others = _parsed(Settings, environment)
    faults += others + _missing_storage(account, faults) + _shared_names(values)
    settings = Settings(storage=StorageAccount(**account), **{**values, "deployments": {}})
    settings = replace(settings, max_bytes=settings.max_bytes or _default_bytes(settings))
    deployments, problems = resolve(values["deployments"], settings.own_target(""), environment)
    faults += [_Fault("DEPLOYMENTS", f"DEPLOYMENTS {problem}") for problem in problems]
    texts = tuple(fault.text for fault in faults)
    if any(fault.setting in _LOCATE_STORAGE for fault in faults):
        raise SettingsFault(settings_message(texts))
    return replace(settings, deployments=deployments, faults=texts)


def settings_message(faults: tuple[str, ...]) -> str:
    """Return one sentence for the operator about all settings at fault."""
    return f"App settings at fault: {'; '.join(faults)}. Correct them in the function app's configuration."


def setting_or_default(name: str, environment: Mapping[str, str]) -> str:
    """Return a setting's value as text, or the default if it is absent or malformed.

    For settings that the runtime reads before anything can be reported: an invalid name there would stop the host.
    """
    setting = _BY_NAME[name]
    try:
        return str(setting.parse(_text(name, environment) or str(setting.default)))
    except ValueError:
        return str(setting.default)


def _parsed(
    record: type[StorageAccount | Settings], environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[_Fault]]:
    """Read a record's settings by field; one that is absent or malformed has its default."""
    values: dict[str, Any] = {}
    faults: list[_Fault] = []
    for field, setting in settings_of(record).items():
        text = _text(setting.name, environment)
        values[field] = setting.absent if setting.default is None else setting.parse(setting.default)
        if not text and setting.required:
            faults.append(_Fault(setting.name, f"{setting.name} is missing"))
        elif text:
            try:
                values[field] = setting.parse(text)
            except ValueError as error:
                faults.append(_Fault(setting.name, f"{setting.name} {error}"))
    return values, faults


def _text(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name, "").strip()


def _missing_storage(account: Mapping[str, Any], faults: list[_Fault]) -> list[_Fault]:
    if account["connection_string"] or any(fault.setting == "BatchStorage" for fault in faults):
        return []
    fields = settings_of(StorageAccount)
    missing = [fields[name].name for name in ("blob_uri", "queue_uri", "table_uri") if not account[name]]
    if not missing:
        return []
    text = f"BatchStorage is missing: set a connection string, or {', '.join(missing)} and an identity"
    return [_Fault("BatchStorage", text)]


def _shared_names(values: Mapping[str, Any]) -> list[_Fault]:
    """Return a fault for containers that share a name, and for queues that do."""
    fields = {setting.name: field for field, setting in settings_of(Settings).items()}
    faults = []
    for names, text in (
        (CONTAINERS, "PROMPTS_CONTAINER, RESULTS_CONTAINER and WORK_CONTAINER must be three different containers"),
        (QUEUES, "SUBMISSIONS_QUEUE and COMPLETIONS_QUEUE must be two different queues"),
    ):
        if len({values[fields[name]] for name in names}) < len(names):
            faults.append(_Fault(names[0], text))
    return faults


def _default_bytes(settings: Settings) -> int:
    return UPLOAD_BYTES if settings.transfer == "upload" else STORAGE_BYTES
