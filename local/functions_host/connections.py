"""Storage clients for the connection names that bindings use.

Source: https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection
"""

import os
from functools import cache
from typing import Any

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient

from local.functions_host.settings import SettingsError

_DEFAULT = "AzureWebJobsStorage"
_EMULATOR = ("UseDevelopmentStorage=true", "http://127.0.0.1", "http://localhost")


def is_defined(connection: str | None) -> bool:
    """Tell whether a setting defines the connection's blob service."""
    try:
        blob_service(connection)
    except SettingsError:
        return False
    return True


def blob_service(connection: str | None) -> BlobServiceClient:
    """Return the client of a connection's blob service; raises SettingsError where no setting defines it."""
    name = connection or _DEFAULT
    value = os.environ.get(name)
    if value is not None:
        return _blob_service_of(value)
    return BlobServiceClient(_service_uri(name, "blob"), credential=_credential(name))


def queue(connection: str | None, queue_name: str) -> QueueClient:
    """Return the client of a queue, which need not exist; messages are neither encoded nor decoded."""
    name = connection or _DEFAULT
    value = os.environ.get(name)
    if value is not None:
        return _queue_service_of(value).get_queue_client(queue_name)
    return QueueServiceClient(_service_uri(name, "queue"), credential=_credential(name)).get_queue_client(queue_name)


@cache
def _blob_service_of(connection_string: str) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(connection_string, **_options(connection_string))


@cache
def _queue_service_of(connection_string: str) -> QueueServiceClient:
    return QueueServiceClient.from_connection_string(connection_string, **_options(connection_string))


def _options(connection_string: str) -> dict[str, Any]:
    """Return a client's options: the emulator needs no look at the machine's proxies and certificates at each call."""
    return {"use_env_settings": False} if any(name in connection_string for name in _EMULATOR) else {}


def _service_uri(name: str, service: str) -> str:
    for setting in (f"{name}__{service}ServiceUri", f"{name}__serviceUri"):
        if os.environ.get(setting):
            return os.environ[setting]
    account = os.environ.get(f"{name}__accountName")
    if account:
        return f"https://{account}.{service}.core.windows.net"
    raise SettingsError(f"Connection {name}: there is neither an app setting {name} nor {name}__{service}ServiceUri.")


def _credential(name: str) -> DefaultAzureCredential | ManagedIdentityCredential:
    client_id = os.environ.get(f"{name}__clientId")
    return ManagedIdentityCredential(client_id=client_id) if client_id else DefaultAzureCredential()
