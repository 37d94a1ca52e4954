"""The snapshot: the job's own copy of the version of the prompt file that it is about."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import Conflict, JobFault, NotFound, Transient
from shared.domain.model import Job, JobCode
from shared.domain.ports import App, Container
from shared.pipeline.build.file_rows import file_rows, is_file_list
from shared.pipeline.claims import Claim
from shared.pipeline.records import JobRecords
from shared.prompt_file import Form, Kind, PromptFile, Ranges, open_prompt_file

AT_HAND: Final = 1024 * 1024
"""Bytes of a prompt file that are kept while it is copied, so that a small one need not be read again at once."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A job's copy of its prompt file; `chunks` are its bytes where they are few, and were read just now.

    `is_first` is true where nothing of this job can have been built before.
    """

    is_first: bool = False
    chunks: tuple[bytes, ...] | None = None


def take(records: JobRecords, claim: Claim[Job]) -> Copied:
    """Copy the version of the prompt file that the job is about, and no other; a retry has the first job's copy."""
    app, job = records.app, claim.record
    if job.retry_of:
        return Copied()
    if not records.is_new and _exists(app, job):
        return Copied()
    copy = app.files.writer(Container.WORK, blob_names.snapshot(job), create_only=True)
    chunks: list[bytes] = []
    size = 0
    try:
        for chunk in claim.keeping(_contents(app, job)):
            copy.write(chunk)
            size += len(chunk)
            chunks = [*chunks, chunk] if size <= AT_HAND else []
    except (Conflict, NotFound) as error:
        if app.store.job(job.job_id) != claim.record:
            raise  # It was the claim that was lost, not the file.
        if _exists(app, job):
            return Copied()
        raise JobFault(
            JobCode.SOURCE_CHANGED,
            f"{job.prompt_file} was changed or deleted before it could be copied; a new version becomes a new job.",
        ) from error
    try:
        copy.commit()
    except Conflict:
        return Copied()  # Another worker's copy of the same version is there.
    return Copied(is_first=True, chunks=tuple(chunks) if size <= AT_HAND else None)


def _contents(app: App, job: Job) -> Iterator[bytes]:
    """Read the version of the prompt file that the job is about, or of a `.files` list, what it matches now."""
    read = app.files.read(Container.PROMPTS, job.prompt_file, etag=job.source_etag)
    return file_rows(app, job, read) if is_file_list(job) else read


def take_for_the_record(records: JobRecords, claim: Claim[Job]) -> None:
    """Copy the file of a job that sends nothing, to account for its rows; one that gave up can do without."""
    try:
        take(records, claim)
    except Transient:
        if claim.record.gave_up_at is None:
            raise


def _exists(app: App, job: Job) -> bool:
    return app.files.info(Container.WORK, blob_names.snapshot(job)) is not None


def open_snapshot(app: App, job: Job, form: Form) -> PromptFile:
    """Begin to read the job's copy; raises NotFound, and JobFault as `open_prompt_file` does."""
    if form.kind is Kind.PARQUET:
        return open_prompt_file(form, (), ranges_of(app, job))
    return open_prompt_file(form, app.files.read(Container.WORK, blob_names.snapshot(job)))


def ranges_of(app: App, job: Job) -> Ranges:
    """Make the parts of the job's copy readable; raises NotFound."""
    name = blob_names.snapshot(job)
    info = app.files.info(Container.WORK, name)
    if info is None:
        raise NotFound(name)
    return Ranges(info.size, lambda offset, length: app.files.read_range(Container.WORK, name, offset, length))
