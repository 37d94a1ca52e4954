"""The lease of a timer: of all hosts on one storage account, one at a time runs it.

As the real host's singleton listener: a blob lease under azure-webjobs-hosts/locks, renewed at half of its time. A host
that is killed can't release it, so its timers rest until the lease has run out.
"""

import logging
from threading import Event, Thread

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobClient, BlobLeaseClient

from local.functions_host import connections
from local.functions_host.storage_queue import TIMEOUT_SECONDS

_log = logging.getLogger(__name__)
_CONTAINER = "azure-webjobs-hosts"
_RETRY_SECONDS = 1.0


class TimerLease:
    """The lease of one timer function; `seconds` are 15 to 60, as blob leases go, or 0 for none."""

    def __init__(self, function: str, seconds: int) -> None:
        self._function, self._seconds = function, seconds
        self._lease: BlobLeaseClient | None = None
        self._released = Event()
        self._renewal = Thread(target=self._renew, daemon=True)

    def wait(self, stop: Event) -> None:
        """Wait until the lease is this host's, or until `stop` is set."""
        if not self._seconds or not connections.is_defined(None):
            return
        told = False
        while not stop.is_set():
            try:
                self._lease = self._acquire()
            except AzureError as failure:
                _log.warning("%s: could not ask for the timer's lease: %s", self._function, failure)
            if self._lease is not None:
                self._renewal.start()
                return
            if not told:
                _log.info("%s waits: another host has its lease, or had it when it was killed", self._function)
                told = True
            stop.wait(_RETRY_SECONDS)

    def release(self) -> None:
        """Give the lease back, if this host has it."""
        if self._lease is None:
            return
        self._released.set()
        self._renewal.join()
        try:
            self._lease.release(timeout=TIMEOUT_SECONDS)
        except AzureError as failure:
            _log.warning("%s: could not release the timer's lease: %s", self._function, failure)

    def _acquire(self) -> BlobLeaseClient | None:
        """Return the lease; None where another host has it."""
        blob = lease_blob(self._function)
        try:
            blob.upload_blob(b"", timeout=TIMEOUT_SECONDS)
        except ResourceExistsError:
            pass
        try:
            return blob.acquire_lease(self._seconds, timeout=TIMEOUT_SECONDS)
        except HttpResponseError as refusal:
            if refusal.status_code == 409:
                return None
            raise

    def _renew(self) -> None:
        assert self._lease is not None
        while not self._released.wait(self._seconds / 2):
            try:
                self._lease.renew(timeout=TIMEOUT_SECONDS)
            except AzureError as failure:
                _log.warning("%s: could not renew the timer's lease: %s", self._function, failure)


def lease_blob(function: str) -> BlobClient:
    """Return the blob whose lease a timer function's host holds; its container is made where it is missing."""
    container = connections.blob_service(None).get_container_client(_CONTAINER)
    try:
        container.create_container(timeout=TIMEOUT_SECONDS)
    except ResourceExistsError:
        pass
    return container.get_blob_client(f"locks/local/Host.Functions.{function}.Listener")
