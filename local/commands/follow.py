"""Follows jobs by their status.json, with a progress bar for each and a line for each change."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from local.servers.processes import ServerError
from local.servers.stack import PROMPTS
from shared.domain.model import job_id_of

RESULTS = "results"
ENDED = ("completed", "failed", "cancelled")
_POLL_SECONDS = 0.4
_FIRST_SIGN_SECONDS = 60

type Status = Mapping[str, Any]


class Job(Protocol):
    """A job to follow."""

    @property
    def blob(self) -> str:
        """The prompt file's name in its container."""

    @property
    def job_id(self) -> str:
        """The job's id."""


def follow(
    storage: BlobServiceClient, jobs: Sequence[Job], console: Console, check: Callable[[], None]
) -> list[Status]:
    """Returns each job's last status, when all have ended; `check` is called now and then and raises to give up.

    Raises ServerError where a job shows no sign of life: the functions are not running, or cannot see the file.
    """
    started = time.monotonic()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=console) as progress:
        followed = [_Followed(job, progress, progress.add_task(escape(job.blob), total=None, state="")) for job in jobs]
        while not all(one.ended for one in followed):
            check()
            for one in followed:
                one.look(storage)
            if any(one.status is None for one in followed) and time.monotonic() - started > _FIRST_SIGN_SECONDS:
                raise ServerError(_silence(storage, [one.job for one in followed if one.status is None]))
            time.sleep(_POLL_SECONDS)
    return [one.status or {} for one in followed]


def rows_done(status: Status) -> tuple[int, int | None]:
    """Returns how many rows are done, as far as our side or the service counted them, and how many there are."""
    rows = status["rows"]
    counted = int(rows.get("succeeded") or 0) + int(rows.get("failed") or 0)
    at_service = sum((batch.get("completed") or 0) + (batch.get("failed") or 0) for batch in status.get("batches", ()))
    total = rows.get("total")
    return (max(counted, min(at_service, total)) if total is not None else counted), total


def describe(status: Status) -> str:
    """Returns a job's state and message: what is told when it changes."""
    return " · ".join(part for part in (describe_state(status), status.get("message") or "") if part)


def describe_state(status: Status) -> str:
    """Returns a job's state in a few words, to stand beside its bar: its own, and its batches' at the service."""
    batches = [f"{batch.get('status') or batch['state']}" for batch in status.get("batches", ())]
    counts = {name: batches.count(name) for name in dict.fromkeys(batches)}
    at_service = ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())
    ended = status["state"] in ENDED
    return f"{status['state']} · batch {at_service}" if at_service and not ended else str(status["state"])


def _silence(storage: BlobServiceClient, jobs: Sequence[Job]) -> str:
    """Says why jobs may have shown no sign of life."""
    replaced = [job.blob for job in jobs if not _is_there(storage, job)]
    others = [job.blob for job in jobs if job.blob not in replaced]
    lines = []
    if replaced:
        lines.append(
            f"{', '.join(replaced)}: written again, or deleted, before the job began. A newer version has its own job."
        )
    if others:
        lines.append(f"No job has begun for {', '.join(others)}. Are the functions running?")
    return "\n".join(lines)


def _is_there(storage: BlobServiceClient, job: Job) -> bool:
    """Whether the prompt file is still the version that the job would be for."""
    try:
        found = storage.get_blob_client(PROMPTS, job.blob).get_blob_properties()
    except ResourceNotFoundError:
        return False
    return job_id_of(PROMPTS, job.blob, str(found.etag).strip('"'), found.last_modified) == job.job_id


class _Followed:
    """One job on the screen."""

    def __init__(self, job: Job, progress: Progress, task: TaskID) -> None:
        self.job = job
        self.status: Status | None = None
        self._progress = progress
        self._task = task
        self._told = ""

    @property
    def ended(self) -> bool:
        return self.status is not None and self.status["state"] in ENDED

    def look(self, storage: BlobServiceClient) -> None:
        """Reads the status anew and shows what has changed."""
        if self.ended:
            return
        blob = storage.get_blob_client(RESULTS, f"{self.job.blob}/{self.job.job_id}/status.json")
        try:
            self.status = json.loads(blob.download_blob().readall())
        except ResourceNotFoundError:
            return
        assert self.status is not None
        done, total = rows_done(self.status)
        told = describe(self.status)
        self._progress.update(self._task, completed=done, total=total, state=escape(describe_state(self.status)))
        if told != self._told:
            clock = time.strftime("%H:%M:%S")
            self._progress.console.print(f"[dim]{clock}[/dim] {escape(self.job.blob)}: {escape(told)}")
            self._told = told
