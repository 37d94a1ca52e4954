"""dev.py: finding a Python, making .venv, installing only when needed, each time in a small project of its own."""

import ast
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from local.commands.command_line import BENCHMARKS, COMMANDS, parse
from local.setup import pythons
from local.setup.children import probe
from testing.paths import PROJECT

posix_only = pytest.mark.skipif(os.name != "posix", reason="its stand-ins for Python are shell scripts")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project before its first call."""
    return new_project(tmp_path / "my project")


def new_project(folder: Path) -> Path:
    """Makes a folder with dev.py, requirements that install nothing, and a command that says which Python runs it."""
    commands = folder / "local" / "commands"
    commands.mkdir(parents=True)
    shutil.copy(PROJECT / "dev.py", folder)
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "requirements-dev.txt").write_text("-r requirements.txt\n")
    for name in ("__init__.py", "commands/__init__.py", "commands/start.py", "commands/command_line.py"):
        shutil.copy(PROJECT / "local" / name, folder / "local" / name)
    shutil.copytree(PROJECT / "local" / "setup", folder / "local" / "setup")
    (commands / "demo.py").write_text("import sys\nprint('demo', sys.prefix, *sys.argv[2:], flush=True)\nsys.exit(7)\n")
    return folder


def old_python() -> str:
    """The oldest Python from 3.9 on this machine, to start dev.py with; the one that runs the tests at worst."""
    versions = [(3, minor) for minor in range(9, 13)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for major, minor in versions:
        names = [*pyenv.glob(f"{major}.{minor}.*/bin/python3"), shutil.which(f"python{major}.{minor}")]
        for name in filter(None, names):
            answer = probe([str(name), "-c", "import sys; print(*sys.version_info[:2])"])
            if answer == f"{major} {minor}":
                return str(name)
    return sys.executable


def start(
    folder: Path, *arguments: str, python: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs dev.py as a user would, from some other folder."""
    return subprocess.run(
        [python or old_python(), str(folder / "dev.py"), *arguments],
        cwd=folder.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("name", ["dev.py", "local/commands/command_line.py", "local/setup/*.py"])
def test_what_runs_before_anything_is_installed_is_readable_for_python_3_9(name: str) -> None:
    paths = list(PROJECT.glob(name))
    assert paths
    for path in paths:
        ast.parse(path.read_text("utf-8"), feature_version=(3, 9))


@pytest.fixture(scope="module")
def first_call(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Such a project, and its first call, which made it whole."""
    folder = new_project(tmp_path_factory.mktemp("made") / "my project")
    return folder, start(folder, "demo", "a b.csv")


@pytest.fixture
def made_project(first_call: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> Path:
    """A copy of it."""
    folder, _ = first_call
    return Path(shutil.copytree(folder, tmp_path / "project", symlinks=True))


def test_the_first_call_makes_everything_and_the_second_nothing(
    first_call: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    project, first = first_call
    assert first.stdout.splitlines()[-1] == f"demo {project / '.venv'} a b.csv"
    assert "Making .venv" in first.stderr
    assert "Installing" in first.stderr
    assert first.returncode == 7, "the command's own status"
    second = start(project, "demo")
    assert second.stdout == f"demo {project / '.venv'}\n"


def test_a_folder_that_cannot_be_written_to_is_named(project: Path) -> None:
    (project / ".local").touch()  # as good as no permission, and so for root too
    refused = start(project, "demo")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert str(project / ".local") in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_command_that_is_asked_for_help_tells_about_itself_without_installing_anything(
    project: Path, command: str, option: str
) -> None:
    helped = start(project, command, option)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert f"dev.py {command} " in helped.stdout
    assert COMMANDS[command].summary[1:] in helped.stdout
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["drpo", "a.csv"], "There is no command 'drpo'. Did you mean drop?"),
        (["drop", "a.csv", "--limt", "5"], "Unrecognized arguments: --limt 5. Did you mean --limit?"),
        (["drop"], "The following arguments are required: PATH"),
        (["drop", "a.csv", "--limit", "none"], "'none' must be a whole number from 1"),
        (["demo", "--answers", "http://127.0.0.1:1/v1"], "--answers needs --model as well"),
        (["drop", "a.csv", "--account", "x", "--answers", "http://a", "--model", "m"], "on this machine"),
        (["retry", "job", "--app", "https://a"], "--app needs --key as well"),
        (["bench", "--only", "buld"], "There is no benchmark 'buld'. Did you mean build?".lower()),
        (["up", "now"], "Unrecognized arguments: now"),
    ],
)
def test_what_is_mistyped_is_said_at_once(project: Path, arguments: list[str], said: str) -> None:
    refused = start(project, *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr or said in refused.stderr.lower()
    assert not (project / ".venv").exists()


def test_options_may_stand_before_between_and_behind_paths() -> None:
    options = parse("drop", ["--limit", "5", "a.csv", "--json", "b.csv"])
    assert (options.limit, options.json, options.paths) == (5, True, ["a.csv", "b.csv"])


def test_the_benchmarks_that_help_names_are_those_there_are() -> None:
    assert set(BENCHMARKS) == set(benchmarks.BENCHMARKS)


def test_changed_requirements_are_installed_into_the_same_environment(made_project: Path) -> None:
    (made_project / ".venv" / "kept").touch()
    (made_project / "requirements.txt").write_text("# something else\n")
    again = start(made_project, "demo")
    assert "Installing" in again.stderr
    assert "Making" not in again.stderr
    assert (made_project / ".venv" / "kept").exists()
    assert "Installing" not in start(made_project, "demo").stderr


def test_a_failed_installation_says_so_and_the_next_call_tries_again(made_project: Path) -> None:
    (made_project / "requirements.txt").write_text("./no-such-folder-here\n")
    failed = start(made_project, "demo")
    assert failed.returncode == 1
    assert "pip could not install the requirements" in failed.stderr
    assert "no-such-folder-here" in failed.stderr, "pip's own words"
    (made_project / "requirements.txt").write_text("# fixed\n")
    assert start(made_project, "demo").returncode == 7


@posix_only
def test_an_interrupted_installation_leaves_no_process_and_is_made_anew(made_project: Path) -> None:
    (made_project / "requirements.txt").write_text("some-package\n")
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(60)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        command = [old_python(), str(made_project / "dev.py"), "demo"]
        with subprocess.Popen(command, env={**pip_free_environment(), "PIP_INDEX_URL": url}) as process:
            connection, _ = index.accept()  # pip asks the package index, which never answers
            with connection:
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 130
                connection.settimeout(20)
                while connection.recv(1000):
                    pass  # its request; then the end, as pip is gone
    (made_project / "requirements.txt").write_text("# fixed\n")
    assert "Making .venv" in start(made_project, "demo").stderr


def pip_free_environment() -> dict[str, str]:
    """The environment without settings for pip, and without its configuration files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or does so within some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_broken_environment_is_made_anew(project: Path) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "pyvenv.cfg").write_text("home = /nowhere\nversion = 3.13.0\n")
    assert start(project, "demo").returncode == 7


def test_a_machine_without_a_new_python_is_told_how_to_get_one(project: Path) -> None:
    python = old_python()
    if python == sys.executable:
        pytest.skip("no older Python on this machine to start with")
    # The PATH of an old Python's folder alone: pyenv and uv are looked for in an empty home.
    empty = project / "empty"
    empty.mkdir()
    homes = dict.fromkeys(("HOME", "PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", "APPDATA"), str(empty))
    done = start(project, "demo", python=os.path.realpath(python), PATH=str(empty), **homes)
    assert done.returncode == 2
    assert "needs Python 3.13 or newer" in done.stderr
    assert not (project / ".venv").exists()


@pytest.mark.parametrize("arguments", [(), ("nonsense",)])
def test_a_wrong_command_shows_the_commands(project: Path, arguments: tuple[str, ...]) -> None:
    done = start(project, *arguments)
    assert done.returncode == 2
    assert "services" in done.stdout + done.stderr
    assert not (project / ".venv").exists()


class FakeMachine:
    """A machine whose only Pythons are those that a test puts there; wanted is a version that nobody has yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, path: str, version: str = "3 99", *, works: bool = True) -> str:
        """Puts a program there that answers as a Python of that version does, or not at all."""
        program = self.folder / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {version} {program}\n" if works else "#!/bin/sh\nexit 127\n")
        program.chmod(0o755)
        return str(program)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    monkeypatch.setattr(pythons, "NEEDED", (3, 99))
    monkeypatch.setattr(pythons, "TRIED", ("3.99", "3.100"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    return FakeMachine(tmp_path)


@posix_only
@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.99",
        "bin/python3.100",
        "bin/python3",
        "home/.pyenv/versions/3.99.2/bin/python3",
        "home/.local/share/uv/python/cpython-3.100.1-linux-x86_64-gnu/bin/python3",
    ],
)
def test_a_python_is_found_wherever_it_is(machine: FakeMachine, place: str) -> None:
    machine.add("bin/python", "3 9")
    machine.add("home/.pyenv/versions/3.98.0/bin/python3", "3 98")
    expected = machine.add(place, "3 100")
    assert pythons.find_python() == expected


@posix_only
def test_pyenv_and_uv_may_be_elsewhere(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(machine.folder / "py [env]"))
    expected = machine.add("py [env]/versions/3.99.0/bin/python3")
    assert pythons.find_python() == expected
    shutil.rmtree(machine.folder / "py [env]")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(machine.folder / "uvs"))
    expected = machine.add("uvs/cpython-3.99.0-any/bin/python3")
    assert pythons.find_python() == expected


@posix_only
def test_a_shim_without_a_python_behind_it_is_passed_over(machine: FakeMachine) -> None:
    machine.add("bin/python3.99", works=False)
    expected = machine.add("home/.pyenv/versions/3.99.2/bin/python3")
    assert pythons.find_python() == expected


@posix_only
def test_uv_is_asked_last(machine: FakeMachine) -> None:
    found = machine.add("somewhere/python")
    uv = Path(machine.add("bin/uv"))
    uv.write_text(f"#!/bin/sh\necho {found}\n")
    assert pythons.find_python() == found


@posix_only
def test_nothing_is_found_where_nothing_is(machine: FakeMachine) -> None:
    machine.add("bin/python3", "3 98")
    assert pythons.find_python() is None


@posix_only
def test_an_interruption_while_dev_py_itself_is_being_imported_is_quiet(project: Path) -> None:
    (project / "glob.py").write_text("print('importing', flush=True)\nimport time\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [old_python(), str(project / "dev.py"), "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert (process.returncode, errors) == (130, "")


def test_a_command_whose_reader_has_gone_ends_without_a_traceback() -> None:
    many = "import sys; from local.commands.running import run_command; from local.commands.screen import Screen\n"
    many += "def work():\n    for number in range(100_000):\n        Screen(as_json=True).event('job', number=number)\n"
    many += "sys.exit(run_command(work))"
    command = [sys.executable, "-c", many]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b'{"event": "job", "number": 0}\n'
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141
