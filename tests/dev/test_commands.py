"""The commands as users run them: demo, up and drop, services. With the app itself, so only where it exists."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.commands.command_line import COMMANDS
from testing.paths import PROJECT

SAMPLE = PROJECT / "tests" / "data" / "seed" / "buildings.csv"
needs_app = pytest.mark.skipif(not (PROJECT / "function_app.py").exists(), reason="there is no function_app.py yet")
posix_only = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


def command(name: str, folder: Path, *arguments: str) -> list[str]:
    """A command of dev.py as it runs inside .venv, but with its files in a folder of the test's own."""
    code = (
        "import pathlib, runpy, sys\n"
        "import local.servers.stack\n"
        "local.servers.stack.LOCAL = pathlib.Path(sys.argv.pop(1))\n"
        "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-c", code, str(folder), COMMANDS[name].module, name, *arguments]


def run(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(name, folder, *arguments),
        cwd=PROJECT,
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=150,
        check=False,
    )


def processes_with(text: str) -> list[str]:
    """The command lines of running processes that contain a text; only Linux can say."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def assert_nothing_left(folder: Path) -> None:
    """All servers have the folder in their command line."""
    deadline = time.monotonic() + 10
    while processes_with(str(folder)):
        assert time.monotonic() < deadline, processes_with(str(folder))
        time.sleep(0.1)


@needs_app
def test_the_demo_turns_a_file_into_a_table_of_answers(tmp_path: Path) -> None:
    done = run("demo", tmp_path, str(SAMPLE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"buildings\.csv: running", done.stdout)
    for word in ("BuildingName", "HeightInFeet", "task-0", "task-1", "task-2"):
        assert word in done.stdout
    results = Path(re.findall(r"^Results: (.*)$", done.stdout, re.MULTILINE)[0])
    assert results.is_relative_to(tmp_path)
    assert len((results / "results.jsonl").read_text("utf-8").splitlines()) == 3
    assert {"status.json", "results.csv", "errors.jsonl"} <= {path.name for path in results.iterdir()}
    assert list((tmp_path / "demo").iterdir()) == []
    assert_nothing_left(tmp_path)


@needs_app
@posix_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_and_no_files(tmp_path: Path, how: signal.Signals) -> None:
    process = subprocess.Popen(
        command("demo", tmp_path, str(SAMPLE)),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Dropped"):
            break
    assert len(processes_with(str(tmp_path))) >= 4 or sys.platform != "linux"
    process.send_signal(how)
    assert process.stderr is not None
    assert [process.stderr.readline(), process.stderr.readline()] == ["\n", "Stopping ...\n"]
    assert len(processes_with(str(tmp_path))) >= 4 or sys.platform != "linux"  # told before they have stopped
    process.communicate(timeout=40)
    assert process.returncode == 128 + how
    assert_nothing_left(tmp_path)
    assert list((tmp_path / "demo").iterdir()) == []


@contextmanager
def running_up(folder: Path, **environment: str) -> Iterator[str]:
    """Runs `up` for the length of a with-block and gives what it has printed until it was ready."""
    up = subprocess.Popen(
        command("up", folder),
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        announced = []
        for line in up.stdout:
            announced.append(line)
            if line.startswith("Ctrl-C"):
                break
        yield "".join(announced)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=40)
        assert up.returncode == 0
    finally:
        up.kill()
        up.communicate()


@needs_app
@posix_only
def test_a_trial_run_is_looked_at_and_the_rest_sent(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    lines = [f"T-{number},question {number}" for number in range(1, 13)]
    (folder / "tickets.csv").write_text("\n".join(["Ticket,Question", *lines]))
    settings = {"prompt": "{Question}", "required": "answer", "columns": {"custom_id": "Ticket"}}
    (folder / "_job.json").write_text(json.dumps(settings))
    with running_up(tmp_path) as announced:
        log = Path(re.findall(r"^Log +(.*)$", announced, re.MULTILINE)[0])
        trial = run("drop", tmp_path, str(folder / "tickets.csv"), "--limit", "5")
        assert trial.returncode == 0, trial.stdout + trial.stderr
        assert "trial run: 5 of 12 rows sent" in trial.stdout
        assert "T-5" in trial.stdout
        assert "T-6" not in trial.stdout
        [job] = re.findall(r"7 rows are left. To send them:  python3 dev.py retry (\S+)", trial.stdout)
        again = run("retry", tmp_path, str(folder / "tickets.csv"))
        assert (again.returncode, f"{job}-r1): the rest is being sent" in again.stdout) == (0, True), again.stderr
        done = run("results", tmp_path, f"{job}-r1", "--out", str(tmp_path / "out"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "12 of 12 rows succeeded" in done.stdout
        assert (tmp_path / "out" / "inbox-trial-5" / "tickets.csv" / f"{job}-r1" / "results.csv").exists()
        listed = run("jobs", tmp_path, "--json")
        assert [json.loads(line)["job_id"] for line in listed.stdout.splitlines()] == [f"{job}-r1", job]
        refused = run("cancel", tmp_path, job)
        assert (refused.returncode, f"{job}: The job has ended already" in refused.stderr) == (1, True)
        assert f"job reserved job_id={job}" in log.read_text("utf-8")
    assert_nothing_left(tmp_path)


@needs_app
@posix_only
def test_a_held_job_is_released_and_another_cancelled(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(f"Prompt,Required\n{'word ' * 2000},Name\n")
    with running_up(tmp_path, MAX_JOB_INPUT_TOKENS="1000") as announced:
        page = re.findall(r"^Status page +(\S+)#key=(\S+)$", announced, re.MULTILINE)
        address, key = page[0][0].removesuffix("/api/dashboard"), page[0][1]
        held = run("drop", tmp_path, str(tmp_path / "*.csv"))
        assert held.returncode == 1
        assert held.stdout.count("MAX_JOB_INPUT_TOKENS") >= 2
        assert "python3 dev.py release" in held.stdout
        assert run("release", tmp_path, "one.csv").returncode == 0
        wrong = run("cancel", tmp_path, "two.csv", "--app", address, "--key", "wrong")
        assert (wrong.returncode, "do not take this key" in wrong.stderr) == (1, True)
        cancelled = run("cancel", tmp_path, "two.csv", "--app", address, "--key", key, "--json")
        assert cancelled.returncode == 0, cancelled.stderr
        assert json.loads(cancelled.stdout)["event"] == "cancel"
        done = run("results", tmp_path, "one.csv", "two.csv")
        assert done.returncode == 1
        assert "one.csv: completed" in done.stdout
        assert "two.csv: cancelled" in done.stdout
    with running_up(tmp_path) as announced:
        assert f"#key={key}" in announced


class _ModelServer(BaseHTTPRequestHandler):
    """Stands in for a local model server: answers every prompt with its own words."""

    def do_GET(self) -> None:
        self._answer({"data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = json.dumps({"Name": f"{body['model']} with {self.headers['authorization']}"})
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        self._answer({"id": "c", "object": "chat.completion", "model": "real", "choices": [choice], "usage": usage})

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@needs_app
def test_a_demo_gets_its_answers_from_a_model_server(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Prompt,Required\nName a tower,Name\n", "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ModelServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        options = ["--answers", url, "--model", "llama", "--answers-key", "k1"]
        done = run("demo", tmp_path, str(tmp_path / "a.csv"), *options)
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "llama with Bearer k1" in done.stdout
    assert f"These answers come from llama at {url}." in done.stdout
    assert "made up" not in done.stdout


def test_a_model_server_that_does_not_run_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    done = run("demo", tmp_path, str(SAMPLE), "--answers", url, "--model", "llama")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Nothing answers at {url}" in done.stderr


def test_check_sends_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    done = run("check", tmp_path, str(SAMPLE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 rows would be sent" in done.stdout
    assert list(tmp_path.iterdir()) == []


@needs_app
@posix_only
def test_a_file_can_be_dropped_into_running_servers_until_they_end(tmp_path: Path) -> None:
    up = subprocess.Popen(
        command("up", tmp_path), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert up.stdout is not None
        announced = []
        for line in up.stdout:
            announced.append(line)
            if line.startswith("Ctrl-C"):
                break
        again = run("up", tmp_path)
        assert (again.returncode, "running already" in again.stderr) == (1, True)
        connection = re.findall(r"^Storage +(\S+)$", "".join(announced), re.MULTILINE)[0]
        with BlobServiceClient.from_connection_string(connection) as storage:
            assert storage.get_container_client("prompts").exists()  # for whoever drops with a tool of their own
        (tmp_path / "no-model.csv").write_text("Prompt,Required\nName a tower,Name\n", "utf-8")
        done = run("drop", tmp_path, str(SAMPLE), str(tmp_path / "no-model.csv"))
        assert done.returncode == 0, done.stdout + done.stderr
        results = Path(re.findall(r"^Results: (.*)$", done.stdout, re.MULTILINE)[0])
        assert len((results / "results.jsonl").read_text("utf-8").splitlines()) == 3
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=40)
        assert up.returncode == 0
    finally:
        up.kill()
        up.communicate()
    assert_nothing_left(tmp_path)
    assert not (tmp_path / "running.json").exists()


@posix_only
def test_two_starts_at_once_do_not_share_ports_and_data(tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            command("up", tmp_path),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    deadline = time.monotonic() + 60
    try:
        while all(one.poll() is None for one in both):
            assert time.monotonic() < deadline, "both go on"
            time.sleep(0.05)
        [refused] = [one for one in both if one.poll() is not None]
        assert refused.returncode == 1
        assert "running already" in refused.communicate()[1]
    finally:
        for one in both:
            if one.poll() is None:
                one.send_signal(signal.SIGINT)
            one.communicate(timeout=40)
    assert_nothing_left(tmp_path)


def test_a_drop_without_running_servers_says_how_to_start_them(tmp_path: Path) -> None:
    done = run("drop", tmp_path, str(SAMPLE))
    assert done.returncode == 1
    assert "python3 dev.py up" in done.stderr


def test_the_demo_refuses_a_missing_file_before_it_starts_anything(tmp_path: Path) -> None:
    done = run("demo", tmp_path, "no-such-file.csv")
    assert done.returncode == 1
    assert "There is no file" in done.stderr
    assert "Starting" not in done.stdout
    assert "logs" not in done.stderr
    assert not (tmp_path / "demo").exists()


def test_an_option_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = run("demo", tmp_path, "--all")
    assert done.returncode == 2
    assert done.stderr == "Unrecognized arguments: --all.\nMore: python3 dev.py demo --help\n"


@posix_only
def test_an_interruption_while_a_command_is_being_imported_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "slow_import.py").write_text("print('importing', flush=True)\nimport time\ntime.sleep(60)\n", "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "local.commands.start", "slow_import"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert (process.returncode, errors) == (130, "\nStopped.\n")


@posix_only
def test_an_interruption_while_the_interpreter_starts_waits_for_the_command_to_end_it() -> None:
    """dev.py hands over to a new interpreter with SIGINT blocked, so that it comes when somebody can answer it."""
    code = (
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "command = ['-m', 'local.commands.start', 'local.commands.demo', 'demo', '--help']\n"
        "os.execv(sys.executable, [sys.executable, *command])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nStopped.\n")


@needs_app
def test_a_file_at_fault_is_explained_by_its_job_and_not_by_logs(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("Prompt,Required\n", "utf-8")
    done = run("demo", tmp_path, str(tmp_path / "empty.csv"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "empty_file" in done.stdout
    assert "made up" not in done.stdout
    assert list((tmp_path / "demo").iterdir()) == []


def test_services_says_which_port_is_taken(tmp_path: Path) -> None:
    with ExitStack() as taken:
        try:
            taken.enter_context(socket.create_server(("127.0.0.1", 10001)))
        except OSError:
            pass  # taken already, by somebody else's Azurite: just as good
        done = run("services", tmp_path)
    assert done.returncode == 1
    assert "10001" in done.stderr
    assert "is in use" in done.stderr
