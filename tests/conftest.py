"""What all tests share: no address but this machine's own is ever reached, and one Azurite serves a whole run."""

import ipaddress
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpcore2
import hypothesis
import pytest

from local.servers.azurite import running_azurite

pytest_plugins = ["testing.fixtures", "tests.reliability.counts"]

# A machine that is busy with other things makes no property false: pytest's own timeout ends what hangs.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


class OutsideError(AssertionError):
    """A test tried to reach beyond this machine."""


def _is_loopback(host: object) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Fail whatever connects to, or asks for the address of, anything else than this machine."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and not _is_loopback(address[0]):
            raise OutsideError(f"a test tried to connect to {address[0]}")
        connect(self, address)

    def guarded_look_up(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_loopback(name):
            raise OutsideError(f"a test tried to look up {name}")
        return look_up(host, *rest, **more)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = guarded_look_up
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.getaddrinfo = look_up


@pytest.fixture(scope="session", autouse=True)
def _children_hear_ctrl_c() -> None:
    """Take SIGINT as usual: a shell starts its background jobs with it ignored, which all children would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_are_cleared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep temporary files in pytest's own folder: it clears away even what a run that was killed has left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _trust_read_once() -> Iterator[None]:
    """Let all HTTP clients of a process share the authorities they trust: reading them takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azurite for this run.

    On disk: in memory, its garbage collection stops it for a minute once a run takes longer than ten.
    """
    with running_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running.connection_string
