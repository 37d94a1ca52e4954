"""The results of an earlier job that a retry carries over."""

from collections.abc import Iterator
from math import inf

from shared.domain.errors import JobFault
from shared.domain.model import Job, JobCode, Outcome
from shared.domain.ports import App
from shared.pipeline.outcome_files import merged


def earlier_results(app: App, job: Job) -> Iterator[Outcome]:
    """Return the results of the job that this one retries, none where it retries none; raises JobFault."""
    if not job.previous:
        return iter(())
    previous = app.store.job(job.previous)
    if previous is None:
        raise JobFault(JobCode.INVALID_FILE, f"The job {job.previous}, which this one retries, is gone.")
    return (outcome for outcome in merged(app, previous) if outcome.code is None)


class CarriedOver:
    """The results of an earlier job, taken row by row; both go through the file in its order."""

    def __init__(self, rows: Iterator[Outcome]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    @property
    def next_row(self) -> float:
        """The next row that has an earlier result, infinity where no more have."""
        return inf if self._next is None else self._next.row

    def take(self, row: int) -> Outcome | None:
        """Return the earlier result of this row, None where it has none."""
        found = self._next
        if found is None or found.row != row:
            return None
        self._next = next(self._rows, None)
        return found
