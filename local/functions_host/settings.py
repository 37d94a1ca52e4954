"""App settings and host.json, read as the real host reads them.

Sources: https://learn.microsoft.com/azure/azure-functions/functions-host-json,
https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OVERRIDE_PREFIX = "AzureFunctionsJobHost"


class SettingsError(Exception):
    """A setting is missing or malformed; the message names it."""


@dataclass(frozen=True)
class HostOptions:
    """What this host takes from host.json; times in seconds."""

    route_prefix: str
    blob_parallelism: int
    blob_attempts: int
    queue_batch_size: int
    queue_new_batch_threshold: int
    queue_attempts: int
    queue_visibility_seconds: float
    queue_base64: bool


@dataclass(frozen=True)
class Habits:
    """What makes the real host slow to take up again or miss what there is; tests shorten it or switch it on."""

    timer_lease_seconds: int = 60
    """How long a killed host's timers rest: 15 to 60, or 0 for no lease."""
    in_flight_seconds: int = 600
    """How long a killed host's messages stay hidden, and those that failed in a poison queue."""
    misses_same_second: bool = False
    """Whether a scan misses blobs written in the second of the newest one that it had seen before."""

    def __post_init__(self) -> None:
        """Raise SettingsError where a time is one that storage doesn't take."""
        if self.timer_lease_seconds and not 15 <= self.timer_lease_seconds <= 60:
            raise SettingsError("A timer's lease takes 15 to 60 seconds, or 0 for none.")
        if not 1 <= self.in_flight_seconds <= 604_800:
            raise SettingsError("Messages in flight are hidden for 1 to 604800 seconds.")


def read_local_settings(path: Path) -> dict[str, str]:
    """Return the `Values` of a local.settings.json file; raises SettingsError."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as missing:
        raise SettingsError(f"{path} cannot be read: {missing.strerror}.") from missing
    except ValueError as malformed:
        raise SettingsError(f"{path} is not valid JSON: {malformed}.") from malformed
    if not isinstance(content, dict) or not isinstance(content.get("Values", {}), dict):
        raise SettingsError(f'{path} must be an object with an object "Values".')
    if content.get("IsEncrypted"):
        raise SettingsError(f"{path} is encrypted; decrypt it with 'func settings decrypt'.")
    values: dict[str, Any] = content.get("Values", {})
    for name, value in values.items():
        if not isinstance(value, str):
            raise SettingsError(f'{path}: the value of "{name}" must be a string.')
    return values


def resolve_names(text: str) -> str:
    """Replace each %NAME% by the app setting of that name; raises SettingsError where there is none."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise SettingsError(f"{match[0]} does not resolve to a value: there is no app setting {match[1]}.")
        return found

    return re.sub(r"%([^%]+)%", value, text)


def read_host_options(app_dir: Path) -> HostOptions:
    """Read host.json of an app, with the app settings that override it; raises SettingsError."""
    path = app_dir / "host.json"
    try:
        content = json.loads(path.read_text("utf-8-sig")) if path.exists() else {}
    except ValueError as malformed:
        raise SettingsError(f"{path} is not valid JSON: {malformed}.") from malformed
    extensions = _Section(content, ("extensions",))
    blobs, queues, http = extensions.below("blobs"), extensions.below("queues"), extensions.below("http")
    batch_size = queues.whole("batchSize", 16)
    return HostOptions(
        route_prefix=http.text("routePrefix", "api").strip("/"),
        blob_parallelism=blobs.whole("maxDegreeOfParallelism", 8 * (os.cpu_count() or 1)),
        blob_attempts=blobs.whole("poisonBlobThreshold", 5),
        queue_batch_size=batch_size,
        queue_new_batch_threshold=queues.whole("newBatchThreshold", batch_size // 2),
        queue_attempts=queues.whole("maxDequeueCount", 5),
        queue_visibility_seconds=queues.seconds("visibilityTimeout", "00:00:00"),
        queue_base64=queues.text("messageEncoding", "base64").lower() != "none",
    )


class _Section:
    """A part of host.json whose values app settings override: AzureFunctionsJobHost__extensions__queues__batchSize."""

    def __init__(self, content: Mapping[str, Any], path: tuple[str, ...]) -> None:
        self._path = path
        self._content = content.get(path[-1]) or {}

    def below(self, name: str) -> "_Section":
        return _Section(self._content, (*self._path, name))

    def text(self, name: str, default: str) -> str:
        override = os.environ.get("__".join((_OVERRIDE_PREFIX, *self._path, name)))
        return override if override is not None else str(self._content.get(name, default))

    def whole(self, name: str, default: int) -> int:
        text = self.text(name, str(default))
        if not text.isdigit():
            raise SettingsError(f"host.json: {self._name(name)} must be a whole number, not {text!r}.")
        return int(text)

    def seconds(self, name: str, default: str) -> float:
        text = self.text(name, default)
        match = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d{2}):(\d{2}(?:\.\d+)?)", text)
        if not match:
            raise SettingsError(f"host.json: {self._name(name)} must be a time like 00:01:00, not {text!r}.")
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

    def _name(self, name: str) -> str:
        return ".".join((*self._path, name))
