"""The snapshot: the job's own copy of the version of the prompt file that it is about."""

from shared.domain import blob_names
from shared.domain.errors import Conflict, JobFault, NotFound, Transient
from shared.domain.model import Job, JobCode
from shared.domain.ports import App, Container
from shared.pipeline.claims import Claim


def take(app: App, claim: Claim[Job]) -> None:
    """Copy the version of the prompt file that the job is about, and no other."""
    job = claim.record
    if app.files.info(Container.WORK, blob_names.snapshot(job)):
        return
    copy = app.files.writer(Container.WORK, blob_names.snapshot(job), create_only=True)
    try:
        for chunk in claim.keeping(app.files.read(Container.PROMPTS, job.prompt_file, etag=job.source_etag)):
            copy.write(chunk)
    except (Conflict, NotFound) as error:
        if app.store.job(job.job_id) != claim.record:
            raise  # It was the claim that was lost, not the file.
        raise JobFault(
            JobCode.SOURCE_CHANGED,
            f"{job.prompt_file} was changed or deleted before it could be copied; a new version has a job of its own.",
        ) from error
    try:
        copy.commit()
    except Conflict:
        pass  # Another worker's copy of the same version is there.


def take_for_the_record(app: App, claim: Claim[Job]) -> None:
    """Copy the file of a job that sends nothing, to account for its rows; one that gave up can do without."""
    if claim.record.retry_of:
        return
    try:
        take(app, claim)
    except Transient:
        if claim.record.gave_up_at is None:
            raise
