"""What `dev.py up` and `dev.py services` write down, so that the other commands find them."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient

from local.servers.processes import ServerError
from local.servers.stack import LOCAL, Servers, is_free
from local.setup.lock import try_lock

_FILE = LOCAL / "running.json"
_LOCK = LOCAL / "running.lock"
CORE_TOOLS_URL = "http://127.0.0.1:7071"


@dataclass(frozen=True)
class Running:
    """The local servers of another process."""

    connection_string: str
    service_url: str
    status_page: str | None
    functions_url: str | None = None
    function_key: str = ""

    @property
    def is_reachable(self) -> bool:
        """Whether the storage and the batch service listen on their ports."""
        storage = BlobServiceClient.from_connection_string(self.connection_string).url
        ports = [urlsplit(url).port or 0 for url in (storage, self.service_url)]
        return not any(is_free(port) for port in ports)

    @property
    def api_url(self) -> str:
        """Where the functions answer, or those of Core Tools would."""
        return self.functions_url or CORE_TOOLS_URL

    @property
    def functions_run(self) -> bool:
        """Whether the functions listen on their port."""
        return not is_free(urlsplit(self.api_url).port or 0)

    def check(self) -> None:
        """Raise ServerError where they do not answer any more."""
        if not self.is_reachable:
            raise ServerError("The local servers have been stopped meanwhile.")


@contextmanager
def only_one() -> Iterator[None]:
    """Let one process at a time run servers that others find; raise ServerError where another does, or is about to.

    The note alone would not do: it is written when all servers are ready, half a minute after the start on a slow day.
    """
    LOCAL.mkdir(exist_ok=True)
    with _LOCK.open("a+b") as file:
        if not try_lock(file.fileno()):
            raise ServerError("Local servers of this project are running already, in another terminal.")
        yield  # closing the file gives the lock back, as does the end of the process


def write_running(servers: Servers) -> None:
    """Note the servers that this process runs."""
    note = running_of(servers)
    LOCAL.mkdir(exist_ok=True)
    draft = _FILE.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(note)), "utf-8")
    draft.replace(_FILE)


def running_of(servers: Servers) -> Running:
    """Return what others need to know of the servers that this process runs."""
    return Running(
        servers.connection_string,
        servers.service_url,
        servers.status_page,
        servers.functions_url,
        servers.function_key,
    )


def read_running() -> Running | None:
    """Return the servers that another process runs now, None if there are none."""
    try:
        running = Running(**json.loads(_FILE.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return running if running.is_reachable else None


def lasting_key() -> str:
    """Return the function key of this project's servers, made once: a status page left open goes on working."""
    file = LOCAL / "function-key"
    try:
        key = file.read_text("utf-8").strip()
    except OSError:
        key = ""
    if not key:
        key = secrets.token_urlsafe(16)
        LOCAL.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(key, "utf-8")
    return key


def forget_running() -> None:
    """Remove the note, at the end."""
    _FILE.unlink(missing_ok=True)
