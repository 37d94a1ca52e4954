"""An event for a prompt file → a reserved job, once for each version of the file."""

import logging

from shared.domain import blob_names
from shared.domain.errors import Conflict
from shared.domain.model import BlobInfo, Job, JobState, OpenJob, job_id_of
from shared.domain.ports import App, Container, Listed
from shared.pipeline.records import JobRecords, load
from shared.pipeline.reporting import publish_first
from shared.prompt_file import is_prompt_file

log = logging.getLogger("structuredbatch.receiving")


def receive(app: App, name: str) -> JobRecords | None:
    """Reserve the job for the prompt file's current version and return it; None if there is nothing to do."""
    if not is_prompt_file(name):
        return None
    info = app.files.info(Container.PROMPTS, name)
    if info is None:
        log.info("prompt file is gone again", extra={"prompt_file": name})
        return None
    return reserve(app, entry_of(app, info))


def entry_of(app: App, info: BlobInfo) -> OpenJob:
    """Return the open index's entry for one version of a prompt file."""
    job_id = job_id_of(app.settings.prompts_container, info.name, info.etag, info.last_modified)
    return OpenJob(job_id, info.name, info.etag, app.now())


def reserve(app: App, entry: OpenJob) -> JobRecords | None:
    """Write the open index's entry, then the job. Return the existing job on a repetition, None once it has ended."""
    job = app.store.job(entry.job_id)
    if job is None and app.files.info(Container.RESULTS, blob_names.status_file(entry.prompt_file, entry.job_id)):
        return None  # It ended so long ago that only its results remain.
    if job is not None and job.state.ended:
        return None
    version = app.store.open_entry(entry)
    if job is not None:
        return load(app, entry.job_id)
    try:
        job = app.store.insert_job(new_job(entry))
    except Conflict:
        return load(app, entry.job_id)  # Another worker reserved it first.
    log.info("job reserved", extra={"job_id": entry.job_id, "prompt_file": entry.prompt_file})
    records = JobRecords(app, job, (), Listed(entry, None, version), is_new=True)
    publish_first(records)
    return records


def new_job(entry: OpenJob) -> Job:
    """Return a new job for an entry of the open index."""
    return Job(
        job_id=entry.job_id,
        prompt_file=entry.prompt_file,
        source_etag=entry.source_etag,
        state=JobState.PREPARING,
        created_at=entry.created_at,
        updated_at=entry.created_at,
        progress_at=entry.created_at,
        retry_of=entry.retry_of,
        previous=entry.previous,
    )
