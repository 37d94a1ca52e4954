"""What the tests of the commands share: an app over real storage, a place made of it, statuses, a screen to read."""

import io
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rich.console import Console

from local.commands.place import Place
from local.commands.screen import Screen
from local.servers.stack import app_settings
from shared import wiring
from shared.domain.ports import App, Container


@pytest.fixture
def app(azurite: str) -> App:
    """An app with containers and a table of its own; its batch service is never asked."""
    own = uuid.uuid4().hex[:12]
    containers = {f"{name}_CONTAINER": f"{name.lower()}-{own}" for name in ("PROMPTS", "RESULTS", "WORK")}
    return wiring.build({**app_settings(azurite, "http://127.0.0.1:9"), **containers, "JOBS_TABLE": f"jobs{own}"})


@pytest.fixture
def place(app: App) -> Place:
    """A place whose functions run, as far as it can tell."""
    return place_of(app)


def place_of(app: App, check: Callable[[], None] = lambda: None, *, functions_run: bool = True) -> Place:
    """A place that is asked often, and calls `check` in between."""
    return Place(app, "", 0.01, check, lambda: functions_run)


def put_result(app: App, name: str, content: str | Mapping[str, Any]) -> None:
    """Write a file into the results container."""
    text = content if isinstance(content, str) else json.dumps(content)
    app.files.write(Container.RESULTS, name, text.encode())


def status(state: str, succeeded: int = 0, failed: int = 0, **more: Any) -> dict[str, Any]:
    """A status.json of a job of four rows."""
    rows = {"total": 4, "succeeded": succeeded, "failed": failed, "pending": 4 - succeeded - failed, "reused": 0}
    names = {"prompt_file": "a.csv", "job_id": "job-6"}
    return {**names, "state": state, "message": None, "rows": rows, "batches": [], "warnings": [], **more}


class Shown:
    """A screen whose text a test reads."""

    def __init__(self, width: int = 200) -> None:
        self._output = io.StringIO()
        self.screen = Screen(console=Console(file=self._output, width=width, highlight=False))

    @property
    def text(self) -> str:
        """All that was printed."""
        return self._output.getvalue()

    @property
    def lines(self) -> list[str]:
        """It, line by line."""
        return self.text.splitlines()
