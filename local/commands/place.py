"""Where prompt files are dropped and results lie: the servers on this machine, or a storage account in Azure."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from local.commands.azure_sign_in import sign_in
from local.servers.processes import ServerError
from local.servers.running import Running, read_running
from local.servers.stack import app_settings
from shared import wiring
from shared.domain.ports import App

NOT_RUNNING = "Nothing is running on this machine. Start it in another terminal: python3 dev.py up"


@dataclass(frozen=True)
class Place:
    """A storage account with its prompt files, jobs and results, as this app uses it."""

    app: App
    option: str
    """What a command needs besides to find this place: empty for this machine."""
    poll_seconds: float
    check: Callable[[], None]
    """Raises ServerError where the servers have gone."""
    functions_run: Callable[[], bool | None]
    """Whether the functions run; None where that cannot be known."""


def place_of(account: str | None) -> Place:
    """Return the named account, or this machine for None; raises ServerError where nothing runs here."""
    if account:
        return account_place(account)
    running = read_running()
    if running is None:
        raise ServerError(NOT_RUNNING)
    return local_place(running)


def local_place(running: Running) -> Place:
    """Return the place that another process, or this one, serves on this machine."""
    app = wiring.build({**os.environ, **app_settings(running.connection_string, running.service_url)})
    return Place(app, "", 0.4, running.check, lambda: running.functions_run)


def account_place(account: str) -> Place:
    """Return a storage account in Azure, by its name or the address of its blob service, signed in as `az` is."""
    uris = service_uris(account)
    sign_in(account)
    environment = {name: value for name, value in os.environ.items() if name != "BatchStorage"}
    settings = {f"BatchStorage__{service}ServiceUri": uri for service, uri in uris.items()}
    # Never asked: these commands read and write storage alone.
    app = wiring.build({"AZURE_OPENAI_ENDPOINT": "https://unused.openai.azure.com", **environment, **settings})
    return Place(app, f" --account {account}", 3, lambda: None, lambda: None)


def service_uris(account: str) -> dict[str, str]:
    """Return the addresses of an account's services; raises ServerError for what cannot be an account."""
    if re.fullmatch(r"[a-z0-9]{3,24}", account):
        return {name: f"https://{account}.{name}.core.windows.net" for name in ("blob", "queue", "table")}
    if re.fullmatch(r"https://[a-z0-9]{3,24}\.blob\.[a-z0-9.]+/?", account):
        return {name: account.rstrip("/").replace(".blob.", f".{name}.") for name in ("blob", "queue", "table")}
    raise ServerError(
        f"'{account}' cannot be a storage account: its name has 3 to 24 lower-case letters and digits. "
        "In another cloud than Azure's public one, give the address of its blob service, https://NAME.blob.…"
    )
