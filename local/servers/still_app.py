"""The function app at rest: its HTTP routes answer over real storage, while no timer and no event moves its jobs."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.servers.processes import Server
from local.servers.stack import PROJECT, app_settings
from shared import wiring
from shared.domain.ports import App

NEVER = "0 0 0 29 2 *"
"""A schedule that comes up once in four years."""

KEY = "still-app-key"
_READY_SECONDS = 60


@dataclass(frozen=True)
class StillApp:
    """A running app: its address, the key of its routes, and the same app within this process to fill its storage."""

    url: str
    key: str
    app: App

    @property
    def page(self) -> str:
        """The status page's address, with the key."""
        return f"{self.url}/api/dashboard#key={self.key}"


@contextmanager
def running_still_app(folder: Path, connection_string: str, name: str = "app") -> Iterator[StillApp]:
    """Run the app for the length of a with-block, with containers, queues and a table of its own."""
    settings = {**app_settings(connection_string, "http://127.0.0.1:9"), **_names(), "POLL_SCHEDULE": NEVER}
    settings_file = folder / f"{name}.json"
    settings_file.write_text("{}", "utf-8")
    server = Server(
        "The functions host",
        [
            sys.executable,
            "-m",
            "local.servers.lifeline",
            "local.functions_host",
            "--port",
            "0",
            "--settings",
            str(settings_file),
        ],
        folder / f"{name}.log",
        {**settings, "FUNCTION_KEY": KEY},
        PROJECT,
    )
    try:
        url = server.wait_for_line(r"^functions ready on (http://\S+) ", _READY_SECONDS)[1]
        yield StillApp(url, KEY, wiring.build(settings))
    finally:
        server.stop()


def _names() -> dict[str, str]:
    own = uuid.uuid4().hex[:12]
    names = ("PROMPTS_CONTAINER", "WORK_CONTAINER", "SUBMISSIONS_QUEUE", "COMPLETIONS_QUEUE")
    return {name: f"{name.split('_')[0].lower()}-{own}" for name in names} | {"JOBS_TABLE": f"jobs{own}"}
