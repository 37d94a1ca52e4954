"""Blob triggers: finds new blobs by scanning, and runs the function for each, with retries and poison messages.

Like the real host's LogsAndContainerScan source, but for its receipts of what was delivered: these are kept in memory,
so that a restarted host delivers all blobs again. https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger
"""

import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties

from local.functions_host import connections
from local.functions_host.invocation import Invoker
from local.functions_host.listening import poll_until
from local.functions_host.messages import Message, TypedData
from local.functions_host.settings import HostOptions, SettingsError, resolve_names
from local.functions_host.storage_queue import TIMEOUT_SECONDS, send_text
from local.functions_host.worker import Function, InvocationError

_log = logging.getLogger(__name__)
_SCAN_SECONDS = 1.0
_PAUSES_PER_SCAN = 20  # A container of thousands of blobs must not be scanned all the time.
_POISON_QUEUE = "webjobs-blobtrigger-poison"


@dataclass(frozen=True)
class BlobVersion:
    """One version of a blob: what a delivery is about."""

    name: str
    etag: str
    written_at: datetime


class BlobTrigger:
    """The trigger of one function."""

    def __init__(
        self, function: Function, invoker: Invoker, options: HostOptions, misses_same_second: bool = False
    ) -> None:
        """Raise SettingsError where the binding's path cannot be used."""
        self.function = function
        self._invoker = invoker
        self._options = options
        self._connection = function.trigger.options.get("connection")
        self._container, self._pattern = _parse_path(resolve_names(function.trigger.options["path"]))
        self._misses_same_second = misses_same_second
        self._received: dict[str, str] = {}
        self._newest = datetime.min.replace(tzinfo=UTC)

    @property
    def scans(self) -> bool:
        """Whether the trigger looks for blobs by itself; with the EventGrid source it would wait for events."""
        return str(self.function.trigger.options.get("source", "")).lower() != "eventgrid"

    def scan(self) -> list[BlobVersion]:
        """Return the versions that no earlier scan returned; none where the container does not exist."""
        client = connections.blob_service(self._connection).get_container_client(self._container)
        try:
            listed = client.list_blobs(timeout=TIMEOUT_SECONDS)
            present = [
                BlobVersion(blob.name, _etag(blob), blob.last_modified)
                for blob in listed
                if self._pattern.fullmatch(blob.name)
            ]
        except ResourceNotFoundError:
            present = []
        new = [version for version in present if self._received.get(version.name) != version.etag]
        if self._misses_same_second:
            new = [version for version in new if version.written_at > self._newest]
        self._newest = max([self._newest, *(version.written_at for version in present)])
        self._received = {version.name: version.etag for version in present}
        return new

    def deliver(self, version: BlobVersion) -> bool:
        """Deliver a version that a scan has found; return whether the function succeeded.

        A version that is gone or replaced counts as done: the newer one has its own delivery.
        """
        return self._deliver(self._container, version.name, version.etag)

    def deliver_event(self, container: str, name: str) -> bool:
        """Deliver an event about a blob of any container, as the blob is now; return whether the function succeeded.

        A blob that is gone counts as done.
        """
        return self._deliver(container, name, None)

    def deliver_now(self, name: str) -> bool:
        """Deliver the event of a blob of this trigger's container; raises ResourceNotFoundError where it is missing."""
        self._properties(self._container, name)
        return self.deliver_event(self._container, name)

    def _deliver(self, container: str, name: str, etag: str | None) -> bool:
        """Run the function, up to the configured number of times, without delay between them; then give the blob up.

        Where an `etag` is given, only as long as the blob has it.
        """
        last = ""
        for _ in range(self._options.blob_attempts):
            try:
                properties = self._properties(container, name)
            except ResourceNotFoundError:
                return True
            last = _etag(properties)
            if etag not in (None, last) or self._attempt(container, properties):
                return True
        self._poison(container, name, last)
        return False

    def listen(self, stop: Event) -> None:
        """Scan and deliver until `stop` is set, then wait for the deliveries that run."""
        if not self.scans:
            _log.warning(
                "%s has the source EventGrid, and nothing sends events locally: post one to /runtime/webhooks/blobs, "
                "or give its binding the source LogsAndContainerScan.",
                self.function.name,
            )
            return
        pool = ThreadPoolExecutor(self._options.blob_parallelism, thread_name_prefix=self.function.name)

        def step() -> float:
            begun = time.monotonic()
            for version in self.scan():
                pool.submit(self._deliver_or_forget, version)
            return max(_SCAN_SECONDS, _PAUSES_PER_SCAN * (time.monotonic() - begun))

        poll_until(stop, f"The blob trigger of {self.function.name}", step)
        pool.shutdown(cancel_futures=True)

    def _deliver_or_forget(self, version: BlobVersion) -> None:
        try:
            self.deliver(version)
        except Exception:  # noqa: BLE001 - in a pool's thread it would go unseen
            _log.exception("%s/%s could not be delivered", self._container, version.name)
            self._received.pop(version.name, None)  # the next scan finds it again

    def _attempt(self, container: str, properties: BlobProperties) -> bool:
        try:
            data, metadata = self._data(container, properties), self._metadata(container, properties)
            self._invoker.run(self.function, f"blob {container}/{properties.name}", data, metadata)
        except InvocationError:
            return False
        return True

    def _data(self, container: str, properties: BlobProperties) -> TypedData:
        options = self.function.trigger.options
        wants_client = str((options.get("properties") or {}).get("SupportsDeferredBinding")) == "True"
        if wants_client and not _has_expressions(self.function):
            reference = {
                "Connection": self._connection or "AzureWebJobsStorage",
                "ContainerName": container,
                "BlobName": properties.name,
            }
            content = json.dumps(reference).encode("utf-8")
            return TypedData(
                model_binding_data=Message(
                    version="1.0", source="AzureStorageBlobs", content_type="application/json", content=content
                )
            )
        content = self._client(container, properties.name).download_blob(timeout=TIMEOUT_SECONDS).readall()
        if str(options.get("dataType", "")).upper() == "BINARY":
            return TypedData(bytes=content)
        # The host reads what is not declared binary as text: without its byte order mark, and damaged where not UTF-8.
        return TypedData(string=content.decode("utf-8-sig", errors="replace"))

    def _metadata(self, container: str, properties: BlobProperties) -> dict[str, TypedData]:
        described = {
            "ContentLength": properties.size,
            "ContentType": properties.content_settings.content_type,
            "ETag": properties.etag,
            "LastModified": properties.last_modified.isoformat(),
        }
        matched = self._pattern.fullmatch(properties.name)
        return {
            "BlobTrigger": TypedData(string=f"{container}/{properties.name}"),
            "Uri": TypedData(json=json.dumps(self._client(container, properties.name).url)),
            "Properties": TypedData(json=json.dumps(described)),
            "Metadata": TypedData(json=json.dumps(properties.metadata or {})),
            **{key: TypedData(string=value) for key, value in (matched.groupdict() if matched else {}).items()},
        }

    def _poison(self, container: str, name: str, etag: str) -> None:
        _log.error("%s/%s failed for good; a message goes to %s", container, name, _POISON_QUEUE)
        message = {
            "FunctionId": f"Host.Functions.{self.function.name}",
            "BlobType": "BlockBlob",
            "ContainerName": container,
            "BlobName": name,
            "ETag": f'"{etag}"',
        }
        client = connections.queue(self._connection, _POISON_QUEUE)
        send_text(client, json.dumps(message), base64=self._options.queue_base64)

    def _properties(self, container: str, name: str) -> BlobProperties:
        return self._client(container, name).get_blob_properties(timeout=TIMEOUT_SECONDS)

    def _client(self, container: str, name: str) -> BlobClient:
        return connections.blob_service(self._connection).get_blob_client(container, name)


def _parse_path(path: str) -> tuple[str, re.Pattern[str]]:
    """Split `container/pattern` and turn the pattern, with its {names}, into a regular expression."""
    container, _, pattern = path.partition("/")
    if not container or "{" in container:
        raise SettingsError(f"Blob path {path!r} must begin with the name of a container.")
    parts = re.split(r"\{(\w+)\}", pattern or "{name}")
    names = "".join(f"(?P<{part}>.*)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return container, re.compile(names, re.DOTALL)


def _has_expressions(function: Function) -> bool:
    """Return whether another binding has a {name}: the real host then hands plain content to an SDK-typed trigger."""
    values = (str(value) for binding in function.others for value in binding.options.values())
    return any(re.search(r"\{.*?\}", value) for value in values)


def _etag(blob: BlobProperties) -> str:
    return blob.etag.strip('"')
