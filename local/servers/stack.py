"""The three servers that make up the whole thing on one machine: storage, batch service, functions."""

import json
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.servers.azurite import ANY_PORTS, start_azurite
from local.servers.processes import Server, uninterrupted

PROJECT = Path(__file__).resolve().parents[2]
LOCAL = PROJECT / ".local"
PROMPTS = "prompts"
QUEUES = ("batch-submissions", "batch-completions", "batch-submissions-poison", "batch-completions-poison")
_READY_SECONDS = 60
# Long enough to watch, in seconds; the real service takes minutes to hours.
_SERVICE_TIMES = ("--processing", "0.5", "--validating", "1", "--running", "3", "--finalizing", "1")


@dataclass(frozen=True)
class Ports:
    """Where the servers listen on loopback; 0 means any free port."""

    storage: tuple[int, int, int] = ANY_PORTS
    service: int = 0
    functions: int = 0


@dataclass(frozen=True)
class Servers:
    """The running servers and how to reach them; no functions_url where the functions were left out."""

    connection_string: str
    service_url: str
    functions_url: str | None
    function_key: str
    processes: tuple[Server, ...]

    @property
    def status_page(self) -> str | None:
        """The address of the status page, with its key."""
        return f"{self.functions_url}/api/dashboard#key={self.function_key}" if self.functions_url else None

    def check(self) -> None:
        """Raise ServerError where one of the servers has ended."""
        for process in self.processes:
            process.check()


@contextmanager
def running_servers(
    folder: Path, ports: Ports = Ports(), *, functions: bool = True, key: str = ""
) -> Iterator[Servers]:
    """Run the servers for the length of a with-block, their data and logs in `folder`; raises ServerError.

    `key` is the function key, by default a new one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running, _told_when_interrupted():
        storage = start_azurite(folder / "storage", ports.storage, folder / "azurite.log")
        running.callback(_stop, storage.server)
        with BlobServiceClient.from_connection_string(storage.connection_string) as blobs:
            make_prompts_container(blobs)
        with QueueServiceClient.from_connection_string(storage.connection_string) as queues:
            make_queues(queues)
        options = ["--port", str(ports.service), "--data", str(folder / "service")]
        command = ["local.batch_service", *options, *_SERVICE_TIMES, "--storage", storage.connection_string]
        service = _start("The batch service", command, folder / "service.log")
        running.callback(_stop, service)
        service_url = service.wait_for_line(r"^listening on (http://\S+)$", _READY_SECONDS)[1]
        processes = [storage.server, service]
        functions_url, key = None, key or secrets.token_urlsafe(16)
        if functions:
            settings = app_settings(storage.connection_string, service_url)
            host = _start_functions(folder, settings, ports.functions, key)
            running.callback(_stop, host)
            processes.append(host)
            functions_url = host.wait_for_line(r"^functions ready on (http://\S+) ", _READY_SECONDS)[1]
        yield Servers(storage.connection_string, service_url, functions_url, key, tuple(processes))


def make_prompts_container(storage: BlobServiceClient) -> None:
    """Make the container for prompt files where it is missing, as the template does in Azure: people drop into it."""
    with suppress(ResourceExistsError):
        storage.create_container(PROMPTS)


def make_queues(storage: QueueServiceClient) -> None:
    """Make the app's queues where they are missing, as the template does in Azure: hosts warn at each look for one."""
    for name in QUEUES:
        with suppress(ResourceExistsError):
            storage.create_queue(name)


@contextmanager
def _told_when_interrupted() -> Iterator[None]:
    """Say at once that Ctrl-C was heard: servers that finish what they do take seconds to stop."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nStopping ...", file=sys.stderr, flush=True)
        raise


def app_settings(connection_string: str, service_url: str) -> dict[str, str]:
    """Return the app settings with which the functions use the local storage and batch service."""
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": connection_string,
        "BatchStorage": connection_string,
        "AZURE_OPENAI_ENDPOINT": service_url,
        "AZURE_OPENAI_API_KEY": "local",
        "AZURE_OPENAI_DEPLOYMENT": "gpt-4o-batch",  # for rows that name no model, as the template in Azure sets one
        "PROMPTS_TRIGGER_SOURCE": "LogsAndContainerScan",
        "POLL_SCHEDULE": "*/2 * * * * *",
    }


def is_free(port: int) -> bool:
    """Return whether nothing listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _start_functions(folder: Path, settings: dict[str, str], port: int, key: str) -> Server:
    # Given as a file, so that a local.settings.json made for Azure is not read, and as the environment, which beats it.
    file = folder / "settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": settings}, indent=2), "utf-8")
    command = ["local.functions_host", "--port", str(port), "--settings", str(file), "--stop-timeout", "10"]
    return _start("The functions host", command, folder / "functions.log", {**settings, "FUNCTION_KEY": key})


def _start(name: str, module: list[str], log: Path, environment: dict[str, str] | None = None) -> Server:
    return Server(name, [sys.executable, "-m", "local.servers.lifeline", *module], log, environment, PROJECT)


def _stop(server: Server) -> None:
    with uninterrupted():
        server.stop()
