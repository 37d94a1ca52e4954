"""Every error of the storage SDKs becomes one of the app's own; storage that is busy or down is waited for."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import azure.core.exceptions as core
import pytest
from azure.core.pipeline.transport import HttpTransport
from requests.structures import CaseInsensitiveDict

from shared import wiring
from shared.adapters.block_writer import BLOCK_SIZE
from shared.adapters.storage_errors import translate
from shared.domain.errors import AppError, Conflict, Misconfigured, NotFound, NotPermitted, Throttled, Unavailable
from shared.domain.ports import App, Container, DeploymentBackoff, Message, Step
from testing.world import settings_for

KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def _http_error(status: int, code: str = "", **headers: str) -> core.HttpResponseError:
    error = core.HttpResponseError("said")
    error.status_code = status
    error.error_code = code  # type: ignore[attr-defined]  # The storage SDKs add it.
    error.response = SimpleNamespace(headers=CaseInsensitiveDict(headers))
    return error


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "InvalidResourceName", Misconfigured),
        (400, "InvalidBlockList", Conflict),
        (401, "", NotPermitted),
        (403, "AuthorizationPermissionMismatch", NotPermitted),
        (409, "BlobAlreadyExists", Conflict),
        (409, "BlobArchived", NotFound),
        (412, "ConditionNotMet", Conflict),
        (416, "InvalidRange", NotFound),
        (429, "", Throttled),
        (500, "InternalError", Unavailable),
        (503, "ServerBusy", Throttled),
        (504, "", Unavailable),
    ],
)
def test_a_status_becomes_the_error_that_says_what_to_do(status: int, code: str, expected: type[AppError]) -> None:
    assert type(translate(_http_error(status, code), "blob a")) is expected


def test_without_an_identity_a_role_is_not_what_is_asked_for() -> None:
    said = str(translate(core.ClientAuthenticationError("no credential"), "blob a"))
    assert said.startswith("There is no identity to sign in with for blob a in storage")
    assert "role" not in said


def _kinds(base: type[core.AzureError]) -> Iterator[type[core.AzureError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


@pytest.mark.parametrize("kind", [core.AzureError, *_kinds(core.AzureError)], ids=lambda kind: kind.__name__)
def test_no_error_of_the_sdk_is_left_untranslated(kind: type[core.AzureError]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "said")

    assert isinstance(translate(error, "blob a"), AppError)


def test_the_wait_that_storage_asks_for_is_kept() -> None:
    error = translate(_http_error(503, "ServerBusy", **{"Retry-After": "7"}), "blob a")

    assert isinstance(error, Throttled)
    assert error.retry_after == 7


class _Answering(BaseHTTPRequestHandler):
    """Answers every call with the server's one status."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status: int = self.server.status  # type: ignore[attr-defined]
        self.server.calls += 1  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("x-ms-error-code", "ServerBusy" if status == 503 else "Said")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def storage() -> Iterator[ThreadingHTTPServer]:
    """A storage account that answers everything with one status."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _app(server: ThreadingHTTPServer) -> App:
    url = f"http://127.0.0.1:{server.server_address[1]}/account"
    connection = f"AccountName=account;AccountKey={KEY};" + "".join(
        f"{kind}Endpoint={url};" for kind in ("Blob", "Queue", "Table")
    )
    return wiring.build(settings_for(connection, "https://name.openai.azure.com"))


NOW = datetime(2026, 11, 22, tzinfo=UTC)

CALLS: dict[str, Callable[[App], Any]] = {
    "info": lambda app: app.files.info(Container.WORK, "a"),
    "read": lambda app: list(app.files.read(Container.WORK, "a")),
    "read_range": lambda app: app.files.read_range(Container.WORK, "a", 0, 1),
    "write": lambda app: app.files.write(Container.WORK, "a", b"1"),
    "writer": lambda app: app.files.writer(Container.WORK, "a").write(b"1" * 2 * BLOCK_SIZE),
    "blobs": lambda app: list(app.files.blobs(Container.WORK)),
    "job": lambda app: app.store.job("J"),
    "all_listed": lambda app: list(app.store.all_listed()),
    "save_deployment_backoff": lambda app: app.store.save_deployment_backoff(DeploymentBackoff("m", NOW, 1)),
    "installed_at": lambda app: app.store.installed_at(NOW),
    "send": lambda app: app.queues.send(Message(Step.PREPARE, "J")),
}


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize(("status", "expected"), [(503, Throttled), (500, Unavailable), (403, NotPermitted)])
def test_storage_that_refuses_is_told_apart_at_every_call(
    storage: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    status: int,
    expected: type[AppError],
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(HttpTransport, "sleep", lambda self, seconds: pauses.append(seconds))
    storage.status = status  # type: ignore[attr-defined]
    storage.calls = 0  # type: ignore[attr-defined]

    with pytest.raises(expected):
        CALLS[call](_app(storage))

    # The client repeats what may pass, a few times and within seconds; what is longer down waits in the job's row.
    assert storage.calls <= 4  # type: ignore[attr-defined]
    assert sum(pauses) < 20


def test_storage_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpTransport, "sleep", lambda self, seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as closed:
        app = _app(closed)

    for call in CALLS.values():
        with pytest.raises(Unavailable):
            call(app)
