"""What `dev.py up` and `dev.py services` write down, so that `dev.py drop` finds them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient

from dev import try_lock
from local.servers.processes import ServerError
from local.servers.stack import LOCAL, Servers, is_free

_FILE = LOCAL / "running.json"
_LOCK = LOCAL / "running.lock"


@dataclass(frozen=True)
class Running:
    """The local servers of another process."""

    connection_string: str
    service_url: str
    status_page: str | None

    @property
    def is_reachable(self) -> bool:
        """Whether the storage and the batch service listen on their ports."""
        storage = BlobServiceClient.from_connection_string(self.connection_string).url
        ports = [urlsplit(url).port or 0 for url in (storage, self.service_url)]
        return not any(is_free(port) for port in ports)

    def check(self) -> None:
        """Raises ServerError where they do not answer any more."""
        if not self.is_reachable:
            raise ServerError("The local servers have been stopped meanwhile.")


@contextmanager
def only_one() -> Iterator[None]:
    """Lets one process at a time run servers that others find; raises ServerError where another does, or is about to.

    The note alone would not do: it is written when all servers are ready, half a minute after the start on a slow day.
    """
    LOCAL.mkdir(exist_ok=True)
    with _LOCK.open("a+b") as file:
        if not try_lock(file.fileno()):
            raise ServerError("Local servers of this project are running already, in another terminal.")
        yield  # closing the file gives the lock back, as does the end of the process


def write_running(servers: Servers) -> None:
    """Notes the servers that this process runs."""
    note = Running(servers.connection_string, servers.service_url, servers.status_page)
    LOCAL.mkdir(exist_ok=True)
    draft = _FILE.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(note)), "utf-8")
    draft.replace(_FILE)


def read_running() -> Running | None:
    """Returns the servers that another process runs now, None if there are none."""
    try:
        running = Running(**json.loads(_FILE.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return running if running.is_reachable else None


def forget_running() -> None:
    """Removes the note, at the end."""
    _FILE.unlink(missing_ok=True)
