"""Follow jobs by their status.json to their end, with a progress bar for each and a line for each change."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Protocol

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from local.commands.job_words import ENDED, Status, describe, describe_state, one_line, rows_done
from local.commands.place import Place
from local.commands.screen import Screen
from shared.domain import blob_names
from shared.domain.model import job_id_of
from shared.domain.ports import App, Container

_FUNCTIONS_SECONDS = 3
_SILENCE_SECONDS = 60
NO_FUNCTIONS = (
    "No functions are running, so no job begins. Start them ('func start' beside 'python3 dev.py services', or use "
    "'python3 dev.py up' instead): they find the files."
)
SETTLED = (*ENDED, "held")
"""States in which nothing more happens without a person."""

_FEW = 8
"""As many jobs have a bar each; of more, one bar tells how many have ended."""


class Job(Protocol):
    """A job to follow."""

    @property
    def blob(self) -> str:
        """The prompt file's name in its container."""

    @property
    def job_id(self) -> str:
        """The job's id."""


def follow(place: Place, jobs: Sequence[Job], screen: Screen) -> list[Status | None]:
    """Return each job's last status when all have ended or are held, None for one of which nothing was seen.

    It goes on for as long as one job has begun; where none begins, it says why that may be. Raises ServerError where
    the servers are gone.
    """
    if not jobs:
        return []
    watch = _Watch(place, jobs, screen)
    with watch.progress or nullcontext():
        while not watch.look():
            place.check()
            time.sleep(place.poll_seconds)
    return [one.status for one in watch.followed]


def later(jobs: Sequence[Job], option: str) -> str:
    """Return how to fetch results of jobs that are left to themselves, empty where there are none."""
    if not jobs:
        return ""
    named = " ".join(job.job_id for job in jobs[:3]) + " …" * (len(jobs) > 3)
    return f"The jobs go on. Fetch their results later:  python3 dev.py results {named}{option}"


class _Followed:
    """One job, and what was told of it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.status: Status | None = None
        self.told: set[str] = set()

    @property
    def state(self) -> str:
        return str(self.status["state"]) if self.status else ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more happens without a person: the job has ended, or is held."""
        return self.state in SETTLED

    def look(self, app: App) -> bool:
        """Read the status anew and say whether it has changed."""
        found = app.files.load(Container.RESULTS, blob_names.status_file(self.job.blob, self.job.job_id))
        before, self.status = self.status, json.loads(found[0]) if found else self.status
        return self.status != before


class _Watch:
    """All jobs that are followed, and the screen that shows them."""

    def __init__(self, place: Place, jobs: Sequence[Job], screen: Screen) -> None:
        self.followed = [_Followed(job) for job in jobs]
        self.progress = _progress(screen) if screen.is_live else None
        self._place = place
        self._screen = screen
        self._is_few = len(jobs) <= _FEW
        self._tasks: dict[str, TaskID] = {}
        self._last_sign = time.monotonic()
        if self.progress:
            bars = [one.job.blob for one in self.followed] if self._is_few else ["jobs"]
            self._tasks = {name: self.progress.add_task(escape(name), total=None, state="") for name in bars}

    def look(self) -> bool:
        """Look at all jobs once, show what has changed, and say whether all are settled."""
        for one in self.followed:
            if one.state not in ENDED and one.look(self._place.app):
                self._last_sign = time.monotonic()
                self._show(one)
        if self.progress and not self._is_few:
            ended = sum(one.is_settled for one in self.followed)
            self.progress.update(self._tasks["jobs"], completed=ended, total=len(self.followed))
        silence = self._silence()
        if silence:
            self._screen.event("silence", message=silence)
            print(f"{silence}\n{later([one.job for one in self._unseen], self._place.option)}", file=sys.stderr)
        return bool(silence) or all(one.is_settled for one in self.followed)

    def _show(self, one: _Followed) -> None:
        assert one.status is not None
        self._screen.event("status", **one.status)
        if self.progress and self._is_few:
            done, total = rows_done(one.status)
            state = escape(describe_state(one.status))
            self.progress.update(self._tasks[one.job.blob], completed=done, total=total, state=state)
        for warning in one.status.get("warnings") or ():
            self._tell(one, f"warning: {warning}", self._screen.warn)
        if self._is_few or one.state in ("failed", "held"):
            # What an ended job has to say stands in its summary.
            told = describe_state(one.status) if one.state in ENDED else describe(one.status)
            self._tell(one, told, self._screen.warn if one.state in ("waiting", "held") else self._screen.say)

    def _tell(self, one: _Followed, text: str, say: Callable[[str], None]) -> None:
        if text not in one.told:
            one.told.add(text)
            say(f"{time.strftime('%H:%M:%S')} {one.job.blob}: {one_line(text, 600)}")

    @property
    def _unseen(self) -> list[_Followed]:
        return [one for one in self.followed if one.status is None]

    def _silence(self) -> str:
        """Say why no job begins, where none that goes on has begun for a while; else return an empty text."""
        if not self._unseen or any(one.status and not one.is_settled for one in self.followed):
            return ""
        silent = time.monotonic() - self._last_sign
        if silent > _FUNCTIONS_SECONDS and self._place.functions_run() is False:
            return NO_FUNCTIONS
        return _silence(self._place.app, [one.job for one in self._unseen]) if silent > _SILENCE_SECONDS else ""


def _progress(screen: Screen) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TextColumn("{task.fields[state]}"), console=screen.console)


def _silence(app: App, jobs: Sequence[Job]) -> str:
    """Say why jobs may have shown no sign of life."""
    replaced = [job.blob for job in jobs if not _is_there(app, job)]
    others = [job.blob for job in jobs if job.blob not in replaced]
    lines = []
    if replaced:
        lines.append(
            f"{', '.join(replaced)}: written again, or deleted, before the job began. A newer version has its own job."
        )
    if others:
        lines.append(f"No job has begun for {', '.join(others[:5])}{' …' * (len(others) > 5)}. Do the functions run?")
    return "\n".join(lines)


def _is_there(app: App, job: Job) -> bool:
    """Return whether the prompt file is still the version that the job would be for."""
    found = app.files.info(Container.PROMPTS, job.blob)
    if found is None:
        return False
    return job_id_of(app.settings.prompts_container, job.blob, found.etag, found.last_modified) == job.job_id
