"""An app on local files: its table in memory, and a service whose answers lie in a folder."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from benchmarks.local_files import LocalFiles
from shared.adapters.blob_files import PIECE
from shared.adapters.page_renderer import PageRenderer
from shared.domain.batch_service import BatchService
from shared.domain.model import BatchState, Job, OpenJob, RemoteFile, job_id_of
from shared.domain.ports import App, Container
from shared.pipeline.receiving import new_job
from shared.settings import read_settings
from shared.wiring import utc_now
from testing.fakes import FakeClock, MemoryQueues, MemoryServices, MemoryStore, SilentHook
from testing.memory_ledger import MemoryLedger

SETTINGS = {
    "BatchStorage": "UseDevelopmentStorage=true",
    "AZURE_OPENAI_ENDPOINT": "https://example.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "none",
}


class FolderService:
    """The files of a batch service: a file's id is its path. Nothing else is asked of it here."""

    def read_file(self, file_id: str) -> Iterator[bytes]:
        """Yield the file in chunks."""
        with Path(file_id).open("rb", buffering=0) as file:
            while chunk := file.read(PIECE):
                yield chunk

    def file(self, file_id: str) -> RemoteFile | None:
        """Return the file's size."""
        return RemoteFile(file_id, "processed", Path(file_id).stat().st_size)

    def delete_file(self, file_id: str) -> None:
        """Keep the file for the next run."""


def local_app(root: Path, **settings: str) -> App:
    """Return an app whose containers lie in `root`."""
    clock = FakeClock()
    service: Any = FolderService()
    return App(
        settings=read_settings({**SETTINGS, **settings}),
        files=LocalFiles(root),
        store=MemoryStore(),
        ledger=MemoryLedger(),
        services=MemoryServices(cast(BatchService, service)),
        queues=MemoryQueues(clock),
        hook=SilentHook(),
        renderer=PageRenderer(),
        now=utc_now,
        sleep=lambda _seconds: None,
        new_id=lambda: uuid.uuid4().hex,
    )


def dropped(app: App, source: Path, name: str) -> Job:
    """Put a prompt file into the app's container, and reserve its job."""
    path = Path(app.files.url(Container.PROMPTS, name).removeprefix("file://"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.hardlink_to(source)
    info = app.files.info(Container.PROMPTS, name)
    assert info is not None
    entry = OpenJob(
        job_id=job_id_of("prompts", name, info.etag, info.last_modified),
        prompt_file=name,
        source_etag=info.etag,
        created_at=app.now(),
    )
    app.store.open_entry(entry)
    return app.store.insert_job(new_job(entry))


def ended(app: App, job: Job, answers: list[Path]) -> None:
    """Let the service have answered all batches of a job."""
    for batch, path in zip(app.store.batches(job.job_id), answers, strict=True):
        app.store.save_batch(
            replace(
                batch,
                state=BatchState.ENDED,
                status="completed",
                batch_id=f"batch-{batch.index}",
                file_id="file",
                output_file_id=str(path),
            )
        )


def reopened(app: App, job: Job) -> None:
    """Take a job that has ended back to the time when it was built."""
    stored = app.store.job(job.job_id)
    assert stored is not None
    app.store.save_job(replace(job, version=stored.version))
    app.store.open_entry(OpenJob(job.job_id, job.prompt_file, job.source_etag, job.created_at))
