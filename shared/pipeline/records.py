"""A job and its batches as one worker holds them: read once, then kept up to date with the worker's own writes.

A change by another worker shows as a Conflict when this one writes the same record. Only then is everything read again.
"""

from collections.abc import Iterable, Sequence

from shared.answer_schema.schema_list import SchemaList, StoredSchemas
from shared.domain import blob_names
from shared.domain.errors import Conflict
from shared.domain.model import Batch, Job
from shared.domain.ports import App, DeploymentBackoff, Listed
from shared.pipeline.outcome_files import work_lines


class JobRecords:
    """A job, its batches, and its listed status, which was read before them; `is_new` if this worker made the job."""

    def __init__(
        self, app: App, job: Job, batches: Sequence[Batch], shown: Listed | None, *, is_new: bool = False
    ) -> None:
        self.app = app
        self.job = job
        self.shown = shown
        self.is_new = is_new
        self.silent: set[str] = set()
        """Accounts of resources that did not answer this worker: it does not wait for them again."""
        self._batches = {batch.key: batch for batch in batches}
        self._schemas: StoredSchemas | None = None
        self._backoffs: dict[str, DeploymentBackoff | None] = {}

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.job_id

    @property
    def batches(self) -> list[Batch]:
        """The job's batches, ordered by index and attempt."""
        return sorted(self._batches.values(), key=lambda batch: (batch.index, batch.attempt))

    def batch(self, index: int, attempt: int) -> Batch | None:
        """Return one batch, None if it is unknown."""
        return next((one for one in self._batches.values() if (one.index, one.attempt) == (index, attempt)), None)

    def save_job(self, job: Job) -> Job:
        """Replace the job. Raises Conflict if another worker changed it since it was read."""
        self.job = self.app.store.save_job(job)
        return self.job

    def save_batch(self, batch: Batch) -> Batch:
        """Replace a batch. Raises Conflict if another worker changed it since it was read."""
        return self.put(self.app.store.save_batch(batch))

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> None:
        """Write the job's first batches and the job. Raises Conflict if another worker changed the job."""
        self.job, written = self.app.store.finish_building(job, batches)
        for batch in written:
            self.put(batch)

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> Batch:
        """Replace job and batch and write the batch's follow-ups at once. Raises Conflict if either was changed."""
        self.job, done, written = self.app.store.finish_batch(job, batch, follow_ups)
        for one in (done, *written):
            self.put(one)
        return done

    def put(self, batch: Batch) -> Batch:
        """Keep a batch in its newest form, without writing it to the store."""
        self._batches[batch.key] = batch
        return batch

    def schemas(self) -> StoredSchemas:
        """Return the job's schemas. They are read once, as they never change after the job was built."""
        if self._schemas is None:
            self._schemas = SchemaList.read(work_lines(self.app, blob_names.schemas(self.job)))
        return self._schemas

    def backoff(self, target: str) -> DeploymentBackoff | None:
        """Return the backoff of the target with this name, read once; None if it never refused."""
        if target not in self._backoffs:
            self._backoffs[target] = self.app.store.deployment_backoff(target)
        return self._backoffs[target]

    def save_backoff(self, backoff: DeploymentBackoff) -> None:
        """Write a target's backoff."""
        self.app.store.save_deployment_backoff(backoff)
        self._backoffs[backoff.target] = backoff

    def backoffs(self, targets: Iterable[str]) -> dict[str, DeploymentBackoff]:
        """Return the backoffs of these targets by name, leaving out those that never refused."""
        found = {target: self.backoff(target) for target in targets}
        return {target: backoff for target, backoff in found.items() if backoff is not None}

    def reload(self) -> None:
        """Read everything again after another worker changed something. Raises Conflict if the job is gone."""
        found = load(self.app, self.job_id)
        if found is None:
            raise Conflict(f"job {self.job_id} is gone")
        self.job, self.shown, self._batches = found.job, found.shown, found._batches


def load(app: App, job_id: str) -> JobRecords | None:
    """Read a job's listed status, then the job with all its batches; None if it is unknown."""
    return load_after(app, job_id, app.store.listed(job_id))


def load_after(app: App, job_id: str, shown: Listed | None) -> JobRecords | None:
    """Read a job with all its batches after its listed status, `shown`, was read; None if it is unknown."""
    job, batches = app.store.job_with_batches(job_id)
    return None if job is None else JobRecords(app, job, batches, shown)
