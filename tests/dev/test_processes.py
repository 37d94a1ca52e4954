"""Child processes end with their parent, whatever ends it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from local.servers.processes import Server, ServerError, run_to_end
from testing.paths import PROJECT
from tests.dev.test_dev import is_gone

# A server that says its process id and then sleeps, tied to its parent by the lifeline.
SLEEPER = "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(300)\n"
posix_only = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of a server that does nothing."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), str(tmp_path)]))
    return [sys.executable, "-m", "local.servers.lifeline", "sleeper"]


def test_a_stopped_server_is_gone(sleeper: list[str], tmp_path: Path) -> None:
    server = Server("Sleeper", sleeper, tmp_path / "log")
    server.wait_for_line(r"^pid \d+$")
    assert server.running
    server.stop()
    assert not server.running


def test_a_server_that_is_still_starting_is_not_waited_for(tmp_path: Path) -> None:
    deaf = "import time; print('starting', flush=True); time.sleep(300)"
    server = Server("Slow", [sys.executable, "-c", deaf], tmp_path / "log")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10
    assert not server.running


@posix_only
def test_a_server_that_does_not_listen_is_ended_by_force_with_its_children(tmp_path: Path) -> None:
    deaf = "import os, time; os.fork(); print('pid', os.getpid(), flush=True); time.sleep(300)"
    server = Server("Deaf", [sys.executable, "-c", deaf], tmp_path / "log")
    server.wait_for_line(r"(?s)^pid \d+$.*^pid \d+$")
    pids = [int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()]
    server.stop(seconds=0.2)
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_a_server_that_ends_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    server = Server("Broken", [sys.executable, "-c", "raise SystemExit('no disk left')"], tmp_path / "log")
    with pytest.raises(ServerError, match=r"(?s)Broken stopped while starting.*no disk left"):
        server.wait_for_line("ready")
    with pytest.raises(ServerError, match="Broken has stopped"):
        server.check()
    server.stop()


def test_a_server_that_is_never_ready_is_reported(sleeper: list[str], tmp_path: Path) -> None:
    server = Server("Sleeper", sleeper, tmp_path / "log")
    try:
        with pytest.raises(ServerError, match="was not ready after 1 seconds"):
            server.wait_for_line("ready", seconds=1)
    finally:
        server.stop()


@posix_only
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_killed_parent_takes_its_servers_along(sleeper: list[str], tmp_path: Path, how: signal.Signals) -> None:
    # Under nohup, children begin with SIGHUP ignored.
    parent = textwrap.dedent(f"""
        import pathlib, signal, time
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        from local.servers.processes import Server
        server = Server("Sleeper", {sleeper!r}, pathlib.Path({str(tmp_path / "log")!r}))
        print(server.wait_for_line(r"^pid (\\d+)$")[1], flush=True)
        time.sleep(300)
    """)
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.send_signal(how)
    try:
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert is_gone(pid)


@posix_only
def test_an_interrupted_command_is_ended_with_its_children() -> None:
    command = ["sh", "-c", "sleep 300 & echo $! >&2; wait"]
    parent = f"""if True:
        import signal, subprocess
        from local.servers.processes import interrupt_on_signals, run_to_end
        interrupt_on_signals()
        popen = subprocess.Popen
        subprocess.Popen = lambda *a, **k: popen(*a, **dict(k, stderr=None))
        run_to_end({command!r}, 300)
    """
    process = subprocess.Popen([sys.executable, "-c", parent], stderr=subprocess.PIPE, cwd=PROJECT)
    assert process.stderr is not None
    pid = int(process.stderr.readline())
    process.terminate()
    process.communicate(timeout=20)
    assert is_gone(pid)


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_to_end([sys.executable, "-c", "import time; time.sleep(300)"], seconds=0.5)
