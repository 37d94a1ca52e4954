"""What `dev.py up` and `dev.py services` write down, so that `dev.py drop` finds them."""

import json
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient

from local.processes import ServerError
from local.servers import LOCAL, Servers, is_free

_FILE = LOCAL / "running.json"


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
