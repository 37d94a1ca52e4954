"""A whole app in one process, driven step by step: real storage (Azurite), the emulated service, one movable clock."""

import csv
import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.storage.blob import BlobServiceClient

from local.batch_service.server import RunningService
from shared import wiring
from shared.domain.batch_service import BatchService
from shared.domain.model import BlobEvent, Job, JobState
from shared.domain.ports import App, Message
from shared.pipeline import receiving, steps
from shared.pipeline.poll import polling

BATCH_SECONDS = 300.0
"""What a batch of the tests' service takes."""


class Clock:
    """The time of the app and of the emulated service, which moves only when it is told to."""

    def __init__(self, service: RunningService) -> None:
        self._service = service

    def now(self) -> datetime:
        """Return the present time of both."""
        return datetime.fromtimestamp(self._service.now(), UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass for both."""
        self._service.advance(seconds)


class HeldQueues:
    """Queues that keep their messages until the test delivers them; a delay counts on the world's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: list[tuple[datetime, Message]] = []
        self.events: list[BlobEvent] = []

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        """Keep a message."""
        self.waiting.append((self._clock.now() + delay, message))

    def peek_failed_events(self) -> list[BlobEvent]:
        """Return the events that the test has set as failed."""
        return self.events

    def take(self) -> list[Message]:
        """Take the messages that are due."""
        now = self._clock.now()
        due = [message for time, message in self.waiting if time <= now]
        self.waiting = [(time, message) for time, message in self.waiting if time > now]
        return due


@dataclass
class World:
    """One storage account's containers, one service, one app."""

    app: App
    clock: Clock
    queues: HeldQueues
    service: RunningService
    blobs: BlobServiceClient
    environment: Mapping[str, str]

    @property
    def batch_service(self) -> BatchService:
        """The service as the app reaches it."""
        return self.app.services.at(self.app.settings.own_target("m"))

    def drop(self, name: str, content: bytes | str, **job_settings: Any) -> str:
        """Put a prompt file, with a _job.json beside it where settings are given, and return the file's name."""
        if job_settings:
            folder = name.rpartition("/")[0]
            self.put(f"{folder}/_job.json" if folder else "_job.json", json.dumps(job_settings))
        self.put(name, content)
        return name

    def put(self, name: str, content: bytes | str) -> None:
        """Put a blob into the prompts container."""
        container = self.blobs.get_container_client(self.app.settings.prompts_container)
        if not container.exists():
            container.create_container()
        container.upload_blob(name, content.encode() if isinstance(content, str) else content, overwrite=True)

    def event(self, name: str) -> Job | None:
        """Deliver the event of a dropped file, as the blob trigger does."""
        records = receiving.receive(self.app, name)
        if records is None:
            return None
        steps.advance(records)
        return records.job

    def tick(self) -> None:
        """Let the timer fire, and deliver all messages that are due."""
        polling.poll(self.app)
        self.deliver()

    def deliver(self) -> None:
        """Deliver messages until none is due."""
        while messages := self.queues.take():
            for message in messages:
                steps.handle(self.app, message)

    def run(self, name: str, hours: float = 30) -> dict[str, Any]:
        """Deliver the drop's event, tick until the file's newest job has ended, and return its status."""
        job = self.event(name)
        if job is not None and job.state is JobState.RUNNING:
            self.clock.advance(BATCH_SECONDS)  # Nothing happens before a batch can have ended.
        # Two versions of one second are not in the order of their jobs' names.
        return self.wait(name, hours, folder=None if job is None else f"{name}/{job.job_id}")

    def wait(self, name: str, hours: float = 30, folder: str | None = None) -> dict[str, Any]:
        """Tick until the newest job of the file, or that in `folder`, has ended, and return its status.

        As often as a batch takes at first, and more seldom later, up to half an hour: a day should not take a test
        long.
        """
        waited = 0.0
        while waited < hours * 3600:
            self.tick()
            status = self.status(name, folder)
            if status["state"] in ("completed", "failed", "cancelled"):
                return status
            pause = min(max(BATCH_SECONDS, waited / 4), 1800)
            self.clock.advance(pause)
            waited += pause
        raise AssertionError(f"{name} has not ended after {hours} hours: {self.status(name, folder)}")

    def folders(self, name: str) -> list[str]:
        """Return the result folders of a prompt file, oldest first."""
        container = self.blobs.get_container_client(self.app.settings.results_container)
        if not container.exists():
            return []
        found = {blob.name.rpartition("/")[0] for blob in container.list_blobs(name_starts_with=f"{name}/")}
        return sorted(folder for folder in found if folder != name)

    def status(self, name: str, folder: str | None = None) -> dict[str, Any]:
        """Return the status.json of a file's newest job."""
        found: dict[str, Any] = json.loads(self.result(name, "status.json", folder))
        return found

    def result(self, name: str, file: str, folder: str | None = None) -> bytes:
        """Return one result file of a prompt file's newest job."""
        where = f"{folder or self.folders(name)[-1]}/{file}"
        return self.blobs.get_blob_client(self.app.settings.results_container, where).download_blob().readall()

    def results(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of results.jsonl."""
        return [json.loads(line) for line in self.result(name, "results.jsonl").split(b"\n") if line]

    def errors(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of errors.jsonl."""
        return [json.loads(line) for line in self.result(name, "errors.jsonl").split(b"\n") if line]

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of results.csv."""
        text = self.result(name, "results.csv").decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def requests(self, job_id: str, key: str = "00000-1") -> list[dict[str, Any]]:
        """Return the requests of one batch's input file."""
        name = f"{job_id}/batch-{key}/input.jsonl"
        blob = self.blobs.get_blob_client(self.app.settings.work_container, name)
        return [json.loads(line) for line in blob.download_blob().readall().split(b"\n") if line]

    def another(self, **changes: str) -> "World":
        """Return the same storage and service as another host sees them, with some settings changed."""
        return make_world(self.service, {**self.environment, **changes}, self.queues)


def make_world(service: RunningService, environment: Mapping[str, str], queues: HeldQueues | None = None) -> World:
    """Put a world together from settings."""
    clock = Clock(service)
    queues = queues or HeldQueues(clock)
    real = wiring.build(environment)
    app = replace(real, queues=queues, now=clock.now, sleep=clock.advance)
    blobs = BlobServiceClient.from_connection_string(environment["BatchStorage"])
    return World(app, clock, queues, service, blobs, environment)


def settings_for(connection_string: str, endpoint: str, **changes: str) -> dict[str, str]:
    """Return app settings with the test's own containers, queues and table."""
    own = uuid.uuid4().hex[:12]
    return {
        "BatchStorage": connection_string,
        "AZURE_OPENAI_ENDPOINT": endpoint,
        "AZURE_OPENAI_API_KEY": "test-key",
        "PROMPTS_CONTAINER": f"prompts-{own}",
        "RESULTS_CONTAINER": f"results-{own}",
        "WORK_CONTAINER": f"work-{own}",
        "JOBS_TABLE": f"jobs{own}",
        "SUBMISSIONS_QUEUE": f"submissions-{own}",
        "COMPLETIONS_QUEUE": f"completions-{own}",
        **changes,
    }
