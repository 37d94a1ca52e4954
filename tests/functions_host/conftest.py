"""Real storage for the tests of the functions host, and the sample app on it."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from local.functions_host import FunctionsHost, Habits
from local.servers.azurite import running_azurite

SAMPLE_APP = Path(__file__).parent / "sample_app"


@pytest.fixture(scope="session")
def host_storage() -> Iterator[str]:
    """The connection string of an Azurite of these tests' own."""
    with running_azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture
def storage(host_storage: str) -> str:
    """The same, without a container or queue in it."""
    blobs = BlobServiceClient.from_connection_string(host_storage)
    for container in blobs.list_containers():
        blobs.delete_container(container.name)
    queues = QueueServiceClient.from_connection_string(host_storage)
    for queue in queues.list_queues():
        queues.delete_queue(queue.name)
    return host_storage


class Storage:
    """Short names for what tests do to storage."""

    def __init__(self, connection_string: str) -> None:
        self._blobs = BlobServiceClient.from_connection_string(connection_string)
        self._queues = QueueServiceClient.from_connection_string(connection_string)

    def upload(self, container: str, name: str, content: bytes) -> None:
        client = self._blobs.get_container_client(container)
        if not client.exists():
            client.create_container()
        client.upload_blob(name, content, overwrite=True)

    def written_at(self, container: str, name: str) -> datetime:
        return self._blobs.get_blob_client(container, name).get_blob_properties().last_modified

    def delete(self, container: str, name: str) -> None:
        self._blobs.get_blob_client(container, name).delete_blob()

    def send(self, queue: str, text: str, *, coded: bool = True) -> None:
        client = self._queues.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy() if coded else None)
        if queue not in [known.name for known in self._queues.list_queues()]:
            client.create_queue()
        client.send_message(text)

    def visible(self, queue: str) -> int:
        """Counts the messages that are not in flight."""
        return len(self._queues.get_queue_client(queue).peek_messages())

    def texts(self, queue: str, *, coded: bool = True) -> list[str]:
        """Takes all visible messages out of a queue."""
        client = self._queues.get_queue_client(queue, message_decode_policy=TextBase64DecodePolicy() if coded else None)
        if queue not in [known.name for known in self._queues.list_queues()]:
            return []
        messages = list(client.receive_messages())
        for message in messages:
            client.delete_message(message)
        return [message.content for message in messages]


@pytest.fixture
def account(storage: str) -> Storage:
    return Storage(storage)


@pytest.fixture
def host(storage: str) -> Iterator[FunctionsHost]:
    """The sample app, indexed, its triggers at rest."""
    settings = {"Storage": storage, "INBOX": "inbox", "SCHEDULE": "*/2 * * * * *"}
    with FunctionsHost(SAMPLE_APP, settings, function_key="secret", system_key="system secret") as host:
        host.start_indexing()
        yield host


@pytest.fixture
def brief_host(host: FunctionsHost) -> FunctionsHost:
    """The same host, whose messages in flight are hidden for a second only."""
    host._habits = Habits(in_flight_seconds=1)
    host.start_indexing()
    return host


@pytest.fixture
def runs(host: FunctionsHost) -> list[tuple[str, Any]]:
    """What the sample app's functions were given, in order."""
    found: list[tuple[str, Any]] = sys.modules["function_app"].RUNS
    return found
