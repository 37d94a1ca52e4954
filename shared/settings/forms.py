"""The forms of settings: text → a value, or a ValueError whose message continues after the setting's name.

No message repeats the text: it may hold a key.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

OPENAI_HOST: Final = "api.openai.com"
_LARGEST: Final = 2**53
_LARGEST_USD: Final = 1e9
_QUEUE_NAME: Final = 63 - len("-poison")


def text(value: str) -> str:
    """Take any text."""
    return value


def container(value: str) -> str:
    """Read the name of a blob container."""
    if not re.fullmatch(r"(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*", value):
        raise ValueError("must be a container name: 3 to 63 lower-case letters, digits and single hyphens")
    return value


def queue(value: str) -> str:
    """Read the name of a queue; the host adds -poison to it, and a queue's name has at most 63 characters."""
    if not re.fullmatch(rf"(?=.{{3,{_QUEUE_NAME}}}$)[a-z0-9](?:-?[a-z0-9])*", value):
        raise ValueError(f"must be a queue name: 3 to {_QUEUE_NAME} lower-case letters, digits and single hyphens")
    return value


def table(value: str) -> str:
    """Read the name of a table."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,62}", value):
        raise ValueError("must be a table name: 3 to 63 letters and digits, a letter first")
    return value


def connection_string(value: str) -> str:
    """Read a storage account's connection string, with a key or a signature for all three services."""
    parts = {name: rest for name, equals, rest in (part.partition("=") for part in value.split(";")) if equals}
    services = {"BlobEndpoint", "QueueEndpoint", "TableEndpoint"}
    signed = "SharedAccessSignature" in parts and ("AccountName" in parts or services <= parts.keys())
    if not (signed or {"AccountName", "AccountKey"} <= parts.keys() or "UseDevelopmentStorage" in parts):
        raise ValueError("must be the connection string of a storage account, such as AccountName=…;AccountKey=…")
    return value


def url(value: str, example: str = "https://NAME") -> str:
    """Read an http or https URL."""
    split_url(value, example)
    return value


def split_url(value: str, example: str) -> SplitResult:
    """Read an http or https URL into its parts."""
    try:
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise ValueError(f"must be an http(s) URL, such as {example}")


def endpoint(value: str) -> str:
    """Read a service's endpoint, without the /openai/v1/ (on the OpenAI platform: the /v1/) that it may end in."""
    example = "https://NAME.openai.azure.com"
    ending = r"/+v1/*$" if split_url(value, example).hostname == OPENAI_HOST else r"(/+openai(/+v1)?)?/*$"
    address = re.sub(ending, "", value, flags=re.IGNORECASE).rstrip("/")
    if re.search(r"[?#]|/openai/", address, re.IGNORECASE):
        raise ValueError(f"must be the endpoint, not the URL of a single route: {example}")
    return address


def key(value: str) -> str:
    """Read an API key."""
    if value.startswith("@Microsoft.KeyVault("):
        raise ValueError("is a Key Vault reference that Azure could not resolve: see the function app's configuration")
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("must be a key: ASCII characters without spaces")
    return value


def path(value: str) -> str:
    """Read the path of a URL."""
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", value):
        raise ValueError("must be a path, such as /chat/completions")
    return value


def schedule(value: str) -> str:
    """Read an NCRONTAB expression of six fields."""
    if not re.fullmatch(r"[0-9A-Za-z*/,-]+( +[0-9A-Za-z*/,-]+){5}", value):
        raise ValueError("must be an NCRONTAB expression of six fields, such as 0 * * * * *")
    return value


def choice(*allowed: str) -> Callable[[str], str]:
    """Make a form that reads one of these names in any case."""

    def parse(value: str) -> str:
        for name in allowed:
            if value.lower() == name.lower():
                return name
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return parse


def boolean(value: str) -> bool:
    """Read true or false."""
    return choice("true", "false")(value) == "true"


def whole(low: int, high: int = _LARGEST) -> Callable[[str], int]:
    """Make a form that reads a whole number within bounds."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,16}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low}" + (f" to {high}" if high < _LARGEST else ""))
        return int(value)

    return parse


def _number(value: str, low: float, high: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"must be a number from {low:g} to {high:g}")
    return number


def seconds(low: float, high: float) -> Callable[[str], timedelta]:
    """Make a form that reads a number of seconds, fractions too."""
    return lambda value: timedelta(seconds=_number(value, low, high))


def hours(low: float, high: float) -> Callable[[str], timedelta]:
    """Make a form that reads a number of hours, fractions too."""
    return lambda value: timedelta(hours=_number(value, low, high))


def days(low: float, high: float) -> Callable[[str], timedelta]:
    """Make a form that reads a number of days, fractions too."""
    return lambda value: timedelta(days=_number(value, low, high))


def usd(value: str) -> float:
    """Read an amount of US dollars."""
    try:
        return _number(value, 0, _LARGEST_USD)
    except ValueError:
        raise ValueError("must be an amount in US dollars: a number from 0, such as 12.50") from None


def formats(value: str) -> tuple[str, ...]:
    """Read the result formats; jsonl may be named, as it is always written."""
    names = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
    if not set(names) <= {"csv", "xlsx", "parquet", "jsonl"}:
        raise ValueError("must name csv, xlsx or parquet, or several of them, separated by commas")
    return tuple(name for name in names if name != "jsonl")


def models(value: str) -> Mapping[str, str]:
    """Read `deployment=model, …`: the model behind each deployment."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        deployment, model = (piece.strip() for piece in part.partition("=")[::2])
        if not deployment or not model or "=" in model or deployment in found:
            raise ValueError("must be deployment=model, …, each deployment once, such as mini-batch=gpt-5.4-mini")
        found[deployment] = model
    return MappingProxyType(found)
