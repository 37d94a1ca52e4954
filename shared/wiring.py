"""The app put together from its settings: once, and only when it is first used."""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, cast
from urllib.request import getproxies

from azure.core.credentials import TokenCredential
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.blob import BlobServiceClient

from shared import telemetry
from shared.adapters.blob_files import READ_SIZE, BlobFiles
from shared.adapters.page_renderer import PageRenderer
from shared.adapters.storage_errors import TIMEOUTS
from shared.adapters.storage_queues import BLOB_POISON, StorageQueues
from shared.adapters.table_ledger import TableLedger
from shared.adapters.table_store import TableJobStore
from shared.adapters.web_hook import HttpWebHook
from shared.domain.batch_service import BatchService
from shared.domain.ports import App, Container, Queues
from shared.settings import Settings, StorageAccount, Target, read_settings, settings_message

log = logging.getLogger("structuredbatch.wiring")

CERTIFICATES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where the requests library is told of certificates that it is to trust."""

EMULATOR: Final = ("UseDevelopmentStorage=true", "http://127.0.0.1", "http://localhost")
"""What shows in a connection string that storage is an emulator on this machine."""

BLOB_OPTIONS: Final[dict[str, Any]] = {"max_single_get_size": READ_SIZE, "max_chunk_get_size": READ_SIZE}


class _Once:
    """Something that is made when it is first asked for, once, however many ask at that moment.

    The openai client takes a second to import, the queues' a tenth.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def get(self) -> Any:
        """Return it, made if need be; where that fails, the next to ask tries again."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def forget(self) -> None:
        """Let it be made again when it is next asked for."""
        with self._lock:
            self._made = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.get(), name)


_app = _Once(lambda: build(os.environ))


def app() -> App:
    """Return the app of this process; raises SettingsFault where the storage account's settings are at fault."""
    return cast(App, _app.get())


def build(environment: Mapping[str, str]) -> App:
    """Build the app from an environment's settings."""
    quieten()
    telemetry.configure()
    settings = read_settings(environment)
    if settings.faults:
        log.error(settings_message(settings.faults))
    table = _table(settings)
    return App(
        settings=settings,
        files=BlobFiles(_blobs(settings.storage), container_names(settings)),
        store=TableJobStore(table),
        ledger=TableLedger(table),
        services=_Services(settings),
        queues=cast(Queues, _Once(lambda: _queues(settings))),
        hook=HttpWebHook(),
        renderer=PageRenderer(),
        now=utc_now,
        sleep=time.sleep,
        new_id=lambda: uuid.uuid4().hex,
        in_background=lambda work: threading.Thread(target=work, daemon=True).start(),
    )


class _Services:
    """The batch services of the resources that are used, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: dict[Target, BatchService] = {}

    def at(self, target: Target) -> BatchService:
        resource = replace(target, deployment="")
        with self._lock:
            if resource not in self._made:
                self._made[resource] = _service(self._settings, resource)
            return self._made[resource]


def _service(settings: Settings, target: Target) -> BatchService:
    from shared.adapters.openai_batches import OpenAIBatchService, client_of

    return OpenAIBatchService(client_of(target, _token(settings) if not target.api_key else None), settings, target)


def quieten() -> None:
    """Keep the SDKs' loggers from writing every call, with its headers, into the app's log."""
    for name in ("azure", "httpx2", "httpcore2", "openai"):
        logging.getLogger(name).setLevel(logging.WARNING)


def container_names(settings: Settings) -> dict[Container, str]:
    """Return the containers' names by their roles."""
    return {
        Container.PROMPTS: settings.prompts_container,
        Container.RESULTS: settings.results_container,
        Container.WORK: settings.work_container,
    }


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


@cache
def _credential(client_id: str) -> TokenCredential:
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id or None)


def _token(settings: Settings) -> Callable[[], str]:
    from azure.identity import get_bearer_token_provider

    return get_bearer_token_provider(_credential(settings.client_id), settings.token_scope)


def _options(account: StorageAccount) -> dict[str, Any]:
    """Return the options of all storage clients.

    Where storage is on this machine, or this machine has neither a proxy nor certificates of its own, the clients need
    not look for them, and for a password in ~/.netrc, at each call: that takes a tenth of a call's time.
    """
    is_here = any(name in account.connection_string for name in EMULATOR)
    has_own_network = bool(getproxies()) or any(name in os.environ for name in CERTIFICATES)
    return {**TIMEOUTS, "use_env_settings": has_own_network and not is_here}


def _blobs(account: StorageAccount) -> BlobServiceClient:
    options = {**_options(account), **BLOB_OPTIONS}
    if account.connection_string:
        return BlobServiceClient.from_connection_string(account.connection_string, **options)
    return BlobServiceClient(account.blob_uri, credential=_credential(account.client_id), **options)


def _table(settings: Settings) -> TableClient:
    account = settings.storage
    if account.connection_string:
        service = TableServiceClient.from_connection_string(account.connection_string, **_options(account))
    else:
        service = TableServiceClient(
            endpoint=account.table_uri, credential=_credential(account.client_id), **_options(account)
        )
    return service.get_table_client(settings.jobs_table)


def _queues(settings: Settings) -> StorageQueues:
    from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy

    account = settings.storage
    if account.connection_string:
        service = QueueServiceClient.from_connection_string(account.connection_string, **_options(account))
    else:
        service = QueueServiceClient(account.queue_uri, credential=_credential(account.client_id), **_options(account))
    submissions, completions = (
        service.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())
        for name in (settings.submissions_queue, settings.completions_queue)
    )
    return StorageQueues(submissions, completions, service.get_queue_client(BLOB_POISON))
