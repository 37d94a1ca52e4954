"""The functions host as a program: python -m local.functions_host."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.servers.processes import Server, ServerError
from testing.paths import PROJECT
from tests.functions_host.conftest import SAMPLE_APP, Storage

posix_only = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


@pytest.fixture
def settings_file(storage: str, tmp_path: Path) -> Path:
    """A local.settings.json for the sample app."""
    values = {"Storage": storage, "INBOX": "inbox", "SCHEDULE": "0 0 0 1 1 *"}
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"IsEncrypted": False, "Values": values}), "utf-8")
    return path


def command(*arguments: str | Path, modules: tuple[str, ...] = ("local.functions_host",)) -> list[str | Path]:
    # The host runs the app of the current folder, but is itself found through PYTHONPATH.
    code = "import os, runpy, sys; os.chdir(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"
    return [sys.executable, "-c", code, SAMPLE_APP, *modules, *arguments]


def tied_command(*arguments: str | Path) -> list[str | Path]:
    """The same, ending with its standard input, as local.servers.processes.Server wants it."""
    return command(*arguments, modules=("local.servers.lifeline", "local.functions_host"))


@contextmanager
def serving(settings_file: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts the host and yields it and its address."""
    process = subprocess.Popen(
        command("--settings", settings_file, "--port", "0", "--function-key", "secret", *arguments),
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("functions ready on http://127.0.0.1:"), process.communicate()[1]
        assert ready.endswith(" (11 functions)\n")
        yield process, ready.split()[3]
    finally:
        process.kill()
        process.communicate()


def status_of(url: str, key: str | None = None) -> int:
    headers = {"x-functions-key": key} if key else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def wait_for(texts: list[str], account: Storage, queue: str) -> None:
    """Waits until exactly these messages have come out of a queue, in any order."""
    found: list[str] = []
    deadline = time.monotonic() + 20
    while sorted(found) != sorted(texts):
        assert time.monotonic() < deadline, found
        found += account.texts(queue)
        time.sleep(0.05)


def test_it_serves_http_and_listens_to_queues_and_blobs(settings_file: Path, account: Storage) -> None:
    account.send("orders", "tea")
    account.upload("inbox", "a/bad.txt", b"fail")
    with serving(settings_file) as (_, address):
        assert status_of(f"{address}/api/orders/all") == 200
        assert status_of(f"{address}/api/orders/1") == 401
        assert status_of(f"{address}/api/orders/1", "secret") == 201
        wait_for(["tea: received", "tea: sent"], account, "letters")
        deadline = time.monotonic() + 20
        while not account.texts("webjobs-blobtrigger-poison"):
            assert time.monotonic() < deadline


@posix_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_lets_the_function_that_runs_finish(settings_file: Path, account: Storage, how: signal.Signals) -> None:
    account.send("orders", "wait 2")
    with serving(settings_file) as (process, _):
        deadline = time.monotonic() + 20
        while account.visible("orders"):
            assert time.monotonic() < deadline
        process.send_signal(how)
        assert process.wait(10) == 0
    assert sorted(account.texts("letters")) == ["wait 2: received", "wait 2: sent"]
    assert account.texts("orders") == []


@posix_only
def test_a_stop_does_not_wait_for_ever(settings_file: Path, account: Storage) -> None:
    account.send("orders", "wait 60")
    with serving(settings_file, "--stop-timeout", "0.5") as (process, _):
        deadline = time.monotonic() + 20
        while account.visible("orders"):
            assert time.monotonic() < deadline
        process.terminate()
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "still runs after" in errors


def test_its_log_names_the_function_that_writes_and_no_storage_traffic(
    settings_file: Path, account: Storage, tmp_path: Path
) -> None:
    account.send("orders", "fail")
    server = Server(
        "host",
        tied_command("--settings", settings_file, "--port", "0"),
        tmp_path / "host.log",
        {"PYTHONPATH": str(PROJECT), "SCHEDULE": "* * * * * *"},
    )
    try:
        server.wait_for_line(r"^functions ready on")
        server.wait_for_line(r"^function key .*: \S{20,}$")
        server.wait_for_line(r"^\d\d:\d\d:\d\d INFO    tick: tick$")
        server.wait_for_line(r"take_order failed \(message .* of orders, attempt 3\): ValueError: fail")
    finally:
        server.stop()
    log = (tmp_path / "host.log").read_text("utf-8")
    assert "Traceback" in log
    assert "x-ms-" not in log


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"INBOX": "inbox", "SCHEDULE": "* * * * * *"}, "Connection Storage: there is neither an app setting Storage"),
        ({"Storage": "x", "INBOX": "inbox", "SCHEDULE": "soon"}, "Function tick: 'soon' has 1 fields"),
        ({"Storage": 5}, 'the value of "Storage" must be a string'),
    ],
)
def test_an_app_that_cannot_run_ends_it_with_the_reason(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"Values": settings}), "utf-8")
    done = subprocess.run(
        command("--settings", path, "--port", "0"),
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_port_in_use_ends_it_with_the_reason(settings_file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(
            "host",
            tied_command("--settings", settings_file, "--port", str(port)),
            tmp_path / "log",
            {"PYTHONPATH": str(PROJECT)},
        )
        try:
            with pytest.raises(ServerError, match=f"Port {port} is in use"):
                server.wait_for_line("ready")
        finally:
            server.stop()
