"""The service behind a socket: as a program's main loop, or in a thread of a test's process."""

import contextlib
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from local.batch_service.app import build_app
from local.batch_service.batches import Timings
from local.batch_service.own_storage import Blobs
from local.batch_service.scenario import Quota, Scenario
from local.batch_service.scripts import with_answers
from local.batch_service.service import Service

STARTS_WITHIN = 20.0


@dataclass(frozen=True)
class Journal:
    """What the service has seen: all calls, all billed rows, and the totals."""

    calls: list[dict[str, Any]]
    billed: list[dict[str, Any]]
    totals: dict[str, int]


class RunningService:
    """A service that listens on `url`, steered from within its process."""

    def __init__(self, url: str, service: Service) -> None:
        self.url, self.service = url, service

    def now(self) -> float:
        """Return the service's time in seconds since 1970."""
        return self.service.clock.now()

    def advance(self, seconds: float) -> float:
        """Move the service's clock forward and return its time."""
        return self.service.advance(seconds)

    def scenario(self, form: Mapping[str, Any]) -> None:
        """Bring a scenario into force for all that comes from now on; an empty form means no scenario."""
        self.service.scripts.put(Scenario.model_validate(form))

    def quota(self, deployment: str, tokens: int, mode: str = "late") -> None:
        """Limit a deployment's enqueued tokens; `mode` is `immediate` or `late`."""
        self.service.set_quota({deployment: Quota.model_validate({"tokens": tokens, "mode": mode})})

    def journal(self) -> Journal:
        """Return the whole journal, with every batch brought up to the present."""
        page = self.service.journal(0, 0, -1)
        return Journal(page["calls"], page["billed"], page["totals"])

    def reset(self) -> None:
        """Forget everything and go back to the scenario of the start."""
        self.service.reset()


@contextlib.contextmanager
def running_service(
    scenario: Mapping[str, Any] | None = None,
    *,
    validating: float = 2.0,
    running: float = 4.0,
    finalizing: float = 2.0,
    processing: float = 1.0,
    cancelling: float = 1.0,
    frozen: bool = False,
    data: Path | None = None,
    answers: str | None = None,
    storage: str | None = None,
) -> Iterator[RunningService]:
    """Run a service in a thread, on a free port of the loopback interface, until the block ends.

    Durations are in seconds. `frozen`: the clock stands still but for `advance`. `data`: the folder of its state, by
    default a temporary one. `answers` and `storage` as in the command's options.
    """
    timings = Timings(processing, validating, running, finalizing, cancelling)
    form = with_answers(Scenario.model_validate(scenario or {}), answers)
    with data_folder(data) as folder:
        service = Service(folder, scenario=form, timings=timings, blobs=blob_store(storage), frozen=frozen)
        listener = listen(0)
        server = Server(service, lambda: None)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            _wait_for(server, thread)
            yield RunningService(url_of(listener), service)
        finally:
            service.stop()
            server.should_exit = True
            thread.join(STARTS_WITHIN)
            listener.close()
            service.close()


class DroppableProtocol(H11Protocol):
    """HTTP whose connections the application may break, through `scope["abort"]`."""

    def connection_made(self, transport: Any) -> None:
        """Give every request of this connection the means to break it."""
        super().connection_made(transport)
        app: ASGIApp = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope["abort"] = transport.abort
            await app(scope, receive, send)

        self.app = with_abort


class Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready and returns on a signal in place of dying from it."""

    def __init__(self, service: Service, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            build_app(service),
            http=DroppableProtocol,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        self._on_ready, self._service = on_ready, service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen and say so."""
        await super().startup(sockets=sockets)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and let no batch's work keep a caller waiting."""
        self._service.stop()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """End at a signal; uvicorn's own way raises it again, so that nothing behind it could clean up."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(port: int) -> socket.socket:
    """Return a socket bound to the loopback interface; 0 takes a free port. Raises OSError where the port is taken."""
    # asyncio turns off Nagle's waiting, 40 ms a call, only for sockets that name their protocol.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address that a socket listens on."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def data_folder(given: Path | None) -> Iterator[Path]:
    """Return the folder of the state: the given one, which stays, or a temporary one, which goes."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="batch-service-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def blob_store(connection_string: str | None) -> Blobs | None:
    """Return the storage account; its libraries are loaded only where one is used."""
    if connection_string is None:
        return None
    from local.batch_service.blob_store import BlobStore

    return BlobStore(connection_string)


def _wait_for(server: Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("The batch service did not start.")
        time.sleep(0.005)
