"""DEPLOYMENTS: names that stand for several deployments, at one or several resources."""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from shared.settings import forms

KEYS: Final = ("endpoint", "deployment", "key", "api_version", "platform")
"""The keys of a target in DEPLOYMENTS."""

_EXAMPLE: Final = (
    'such as {"NAME": ["DEPLOYMENT", {"endpoint": "https://OTHER.openai.azure.com", "deployment": "DEPLOYMENT"}]}'
)


UPLOAD_BYTES: Final = 200_000_000
"""The largest input file that can be uploaded."""
STORAGE_BYTES: Final = 1_000_000_000
"""The largest input file that a resource reads from our own storage."""


class Platform(StrEnum):
    """Whose API an endpoint speaks."""

    AZURE = "azure"
    OPENAI = "openai"

    @property
    def requests(self) -> int:
        """How many requests one batch may have."""
        return 50_000 if self is Platform.OPENAI else 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One deployment at one resource; without `key_setting`, the app signs in by Microsoft Entra ID."""

    endpoint: str
    deployment: str
    key_setting: str = ""
    api_key: str = field(default="", repr=False)
    api_version: str = ""
    platform: Platform = Platform.AZURE

    @property
    def resource(self) -> str:
        """The endpoint's host, with the port where it is not 443."""
        parts = urlsplit(self.endpoint)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}" if port == 443 else f"{host}:{port}"

    @property
    def account(self) -> str:
        """A text that identifies a resource; on the OpenAI platform with its key, as keys may see different batches."""
        address = self.endpoint.partition("//")[2]
        return f"{address} {self.key_setting}" if self.platform is Platform.OPENAI else address

    @property
    def name(self) -> str:
        """The resource and the deployment, as `batches[].target` shows them."""
        return f"{self.resource}/{self.deployment}"

    def url(self, url: str) -> str:
        """Return a request's url as this target knows it: on the OpenAI platform all begin with /v1."""
        return f"/v1{url}" if self.platform is Platform.OPENAI and not url.startswith("/v1/") else url


def platform_of(endpoint: str) -> Platform:
    """Tell an endpoint's platform by its host."""
    return Platform.OPENAI if urlsplit(endpoint).hostname == forms.OPENAI_HOST else Platform.AZURE


def declared(value: str) -> Mapping[str, list[Any]]:
    """Read DEPLOYMENTS as a JSON object of lists; raises ValueError as the forms of settings do."""
    try:
        found = json.loads(value, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"must be JSON, {_EXAMPLE} (it breaks off at character {error.pos + 1})") from None
    except RecursionError:
        raise ValueError(f"must be a JSON object of lists, {_EXAMPLE}") from None
    if not isinstance(found, dict) or not all(name and isinstance(found[name], list) for name in found):
        raise ValueError(f"must be a JSON object: a name, and the list of its targets, {_EXAMPLE}")
    if not all(found.values()):
        raise ValueError("has a name without targets: its list must hold at least one")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("has the same key twice in one object")
    return found


def resolve(
    deployments: Mapping[str, list[Any]], own: Target, environment: Mapping[str, str]
) -> tuple[Mapping[str, tuple[Target, ...]], list[str]]:
    """Turn what DEPLOYMENTS declares into targets; `own` is the app's own resource, `environment` holds the keys.

    Returns the targets by name, and what is wrong with them: each fault names the target.
    """
    found: dict[str, tuple[Target, ...]] = {}
    faults: list[str] = []
    for name, items in deployments.items():
        targets: list[Target] = []
        for number, item in enumerate(items, 1):
            try:
                target = _target(item, own, environment)
                if target.name in [other.name for other in targets]:
                    raise ValueError("is there twice")
                targets.append(target)
            except ValueError as error:
                faults.append(f"{json.dumps(name[:60], ensure_ascii=False)}, target {number}: {error}")
        found[name] = tuple(targets)
    return MappingProxyType(found), faults


def _target(item: Any, own: Target, environment: Mapping[str, str]) -> Target:
    if isinstance(item, str):
        item = {"deployment": item}
    if not isinstance(item, dict):
        raise ValueError(f"must be a deployment's name, or an object with {', '.join(KEYS)}")
    for key in item:
        if key not in KEYS:
            raise ValueError(f"has an unknown key, allowed are {', '.join(KEYS)}")
        if not isinstance(item[key], str) or not item[key].strip():
            raise ValueError(f'"{key}" must be a text')
    texts = {key: value.strip() for key, value in item.items()}
    if "deployment" not in texts:
        raise ValueError('"deployment" is missing')
    return _checked(_described(texts, own, environment))


def _described(texts: Mapping[str, str], own: Target, environment: Mapping[str, str]) -> Target:
    """Fill in a target; one without an endpoint is at the app's own resource."""
    target = replace(own, deployment=texts["deployment"])
    if "endpoint" in texts:
        target = _elsewhere(texts["endpoint"], texts["deployment"])
    if "platform" in texts:
        target = _on_platform(target, texts["platform"])
    if "key" in texts:
        target = replace(target, key_setting=texts["key"], api_key=_key(texts["key"], environment))
    if "api_version" in texts:
        target = replace(target, api_version=texts["api_version"])
    return target


def _elsewhere(text: str, deployment: str) -> Target:
    try:
        endpoint = forms.endpoint(text)
    except ValueError as error:
        raise ValueError(f'"endpoint" {error}') from None
    if endpoint.startswith("http:") and not _is_loopback(urlsplit(endpoint).hostname or ""):
        raise ValueError('"endpoint" must begin with https://')
    return Target(endpoint=endpoint, deployment=deployment, platform=platform_of(endpoint))


def _on_platform(target: Target, text: str) -> Target:
    try:
        platform = Platform(text.lower())
    except ValueError:
        raise ValueError(f'"platform" must be one of {", ".join(Platform)}') from None
    if platform is Platform.AZURE:
        return target
    return replace(target, platform=platform, endpoint=re.sub(r"/+v1$", "", target.endpoint))


def _key(setting: str, environment: Mapping[str, str]) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", setting, re.ASCII):
        raise ValueError('"key" must be the name of the app setting that holds the key, not the key itself')
    value = environment.get(setting, "").strip()
    if not value:
        raise ValueError(f'"key" names {_shown(setting)}, which is not set')
    try:
        return forms.key(value)
    except ValueError as error:
        raise ValueError(f'"key" names {_shown(setting)}, which {error}') from None


def _shown(setting: str) -> str:
    """Return the setting's name; not what may be a key that stands here in its place."""
    looks_like_a_name = "_" in setting or setting.isalpha()
    return setting if looks_like_a_name and len(setting) <= 64 else "a setting"


def _checked(target: Target) -> Target:
    if target.platform is Platform.OPENAI:
        if not target.api_key:
            raise ValueError('the OpenAI platform needs "key", the name of the app setting that holds the key')
        if target.api_version:
            raise ValueError('the OpenAI platform has no "api_version"')
    return target


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
