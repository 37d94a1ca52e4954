"""A job and its batches as one worker has them in hand: read once, then changed by what it writes itself.

What another worker changes meanwhile shows as a Conflict at the write that it would break. Only then is all read again.
"""

from collections.abc import Iterable, Sequence

from shared.answer_schema.schema_list import SchemaList, StoredSchemas
from shared.domain import blob_names
from shared.domain.errors import Conflict
from shared.domain.model import Batch, Job
from shared.domain.ports import App, DeploymentBackoff, Listed
from shared.pipeline.outcome_files import work_lines


class JobRecords:
    """A job, its batches, and what was last shown of it, read before them; `is_new` where this worker has made it."""

    def __init__(
        self, app: App, job: Job, batches: Sequence[Batch], shown: Listed | None, *, is_new: bool = False
    ) -> None:
        self.app = app
        self.job = job
        self.shown = shown
        self.is_new = is_new
        self.silent: set[str] = set()
        """Accounts of resources that gave no answer while this worker was at it: they are not waited for again."""
        self._batches = {batch.key: batch for batch in batches}
        self._schemas: StoredSchemas | None = None
        self._backoffs: dict[str, DeploymentBackoff | None] = {}

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.job_id

    @property
    def batches(self) -> list[Batch]:
        """The job's batches by index and attempt."""
        return sorted(self._batches.values(), key=lambda batch: (batch.index, batch.attempt))

    def batch(self, index: int, attempt: int) -> Batch | None:
        """Return one batch, None where unknown."""
        return next((one for one in self._batches.values() if (one.index, one.attempt) == (index, attempt)), None)

    def save_job(self, job: Job) -> Job:
        """Replace the job; Conflict where another worker changed it since it was read."""
        self.job = self.app.store.save_job(job)
        return self.job

    def save_batch(self, batch: Batch) -> Batch:
        """Replace a batch; Conflict where another worker changed it since it was read."""
        return self.put(self.app.store.save_batch(batch))

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> None:
        """Write the job's first batches and the job; Conflict where another worker changed the job."""
        self.job, written = self.app.store.finish_building(job, batches)
        for batch in written:
            self.put(batch)

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> Batch:
        """Replace job and batch and write the batch's follow-ups at once; Conflict where either was changed."""
        self.job, done, written = self.app.store.finish_batch(job, batch, follow_ups)
        for one in (done, *written):
            self.put(one)
        return done

    def put(self, batch: Batch) -> Batch:
        """Take in a batch in the form that is stored now, or will be."""
        self._batches[batch.key] = batch
        return batch

    def schemas(self) -> StoredSchemas:
        """Return the job's schemas, read once: they were written when it was built, and never change."""
        if self._schemas is None:
            self._schemas = SchemaList.read(work_lines(self.app, blob_names.schemas(self.job)))
        return self._schemas

    def backoff(self, target: str) -> DeploymentBackoff | None:
        """Return a target's backoff by its name, read once; None where it never refused."""
        if target not in self._backoffs:
            self._backoffs[target] = self.app.store.deployment_backoff(target)
        return self._backoffs[target]

    def save_backoff(self, backoff: DeploymentBackoff) -> None:
        """Write a target's backoff."""
        self.app.store.save_deployment_backoff(backoff)
        self._backoffs[backoff.target] = backoff

    def backoffs(self, targets: Iterable[str]) -> dict[str, DeploymentBackoff]:
        """Return the backoffs of targets, by their names; those that never refused are left out."""
        found = {target: self.backoff(target) for target in targets}
        return {target: backoff for target, backoff in found.items() if backoff is not None}

    def reload(self) -> None:
        """Read all again, after another worker has changed something; Conflict where the job is gone."""
        found = load(self.app, self.job_id)
        if found is None:
            raise Conflict(f"job {self.job_id} is gone")
        self.job, self.shown, self._batches = found.job, found.shown, found._batches


def load(app: App, job_id: str) -> JobRecords | None:
    """Read a job with all its batches, and before them what is shown of it; None where it is unknown."""
    return load_after(app, job_id, app.store.listed(job_id))


def load_after(app: App, job_id: str, shown: Listed | None) -> JobRecords | None:
    """Read a job with all its batches, where what is shown of it was read before."""
    job, batches = app.store.job_with_batches(job_id)
    return None if job is None else JobRecords(app, job, batches, shown)
