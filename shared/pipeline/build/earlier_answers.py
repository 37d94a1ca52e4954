"""The answers of earlier jobs of a prompt file's name, found by their requests: put into a job's index, newest first.

The index is built from what those jobs left in the work container: their input files, which ordinary jobs have anyway,
and the outcomes that they reused themselves. So what may be reused costs nothing until it is.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from shared.answer_schema.schema_list import SchemaList, checked_digest
from shared.domain import blob_names
from shared.domain.model import Batch, Job, newest_first
from shared.domain.ports import App
from shared.job_settings import Reuse
from shared.pipeline.build.answer_index import Answered, AnswerIndex, FullError
from shared.pipeline.claims import Claim
from shared.pipeline.outcome_files import DAMAGED, merged_blocks, outcomes_in, work_lines
from shared.requests.batch_file import read_lines
from shared.requests.request_hash import request_hash

log = logging.getLogger("structuredbatch.building")

JOBS: Final = 100
"""How many earlier jobs are looked at, the newest of those with results."""

PAGE: Final = 100
PAGES: Final = 100
"""How many pages of the history are looked through for them."""


def earlier_jobs(app: App, job: Job) -> Iterator[Job]:
    """Find jobs of the same prompt file's name that began before this one and ended with results, newest first.

    Those that this one retries are none: their answers are kept, and their other rows are to be asked again.
    """
    found, place = 0, newest_first(job)
    for _ in range(PAGES):
        page = app.store.history(after=place, limit=PAGE, state="", prefix=job.prompt_file)
        for earlier, _status in page:
            is_same = (earlier.retry_of or earlier.job_id) == (job.retry_of or job.job_id)
            if earlier.prompt_file == job.prompt_file and earlier.rows_succeeded and not is_same:
                found += 1
                yield earlier
        if len(page) < PAGE or found >= JOBS:
            return
        place = newest_first(page[-1][0])


class EarlierAnswers:
    """Fills a job's index, for as long as there is room in it."""

    def __init__(self, app: App, claim: Claim[Job], reuse: Reuse, index: AnswerIndex) -> None:
        self._app = app
        self._claim = claim
        self._index = index
        days = reuse.max_age_days
        self._oldest = None if days is None else _before(app.now(), days)
        self._ends: dict[str, datetime | None] = {}

    def add_all(self) -> None:
        """Add the answers of all earlier jobs, the newest first; say of those without room how many they are."""
        left_out = 0
        for job in earlier_jobs(self._app, self._claim.record):
            if left_out:
                left_out += job.rows_succeeded - job.rows_reused
                continue
            before = self._index.added
            try:
                self._add(job)
            except FullError:
                left_out = max(1, job.rows_succeeded - (self._index.added - before))
        if left_out:
            self._index.left_out = left_out
            log.warning("too many earlier answers", extra={"job_id": self._claim.record.job_id})

    def _add(self, job: Job) -> None:
        if (paid_at := self._paid_at(job.job_id, job.completed_at)) is None:
            return  # What it reused is older still.
        number = self._index.add_job(job.job_id)
        batches = self._app.store.batches(job.job_id)
        with _passing_over_damage(job):  # As its answers will be read from all its outcomes, those must be whole.
            succeeded, schemas = self._succeeded(job, batches), self._schemas(job)
            for batch in batches:
                if batch.attempt == 1:  # Follow-ups ask the same, but for a token cap.
                    with _passing_over_damage(job):
                        self._add_batch(batch, number, paid_at, succeeded, schemas)
            self._add_reused(job, number)
        self._index.flush()

    def _add_batch(self, batch: Batch, number: int, paid_at: int, succeeded: "_Rows", schemas: Sequence[bytes]) -> None:
        lines = work_lines(self._app, blob_names.batch_input(batch))
        rows = work_lines(self._app, blob_names.batch_rows(batch))
        for requests in self._claim.keeping(read_lines(lines, rows)):
            self._index.add(
                Answered(
                    request_hash(line, schemas[sent.schema] if sent.schema >= 0 else b""), paid_at, number, sent.row
                )
                for line, sent in requests
                if sent.row in succeeded
            )

    def _add_reused(self, job: Job, number: int) -> None:
        if not job.rows_reused:
            return
        for some in self._claim.keeping(outcomes_in(self._app, blob_names.reused(job))):
            self._index.add(
                Answered(bytes.fromhex(line.request), paid_at, number, line.row)
                for line in some
                if (paid_at := self._paid_at_by(line.reused_from)) is not None
            )

    def _succeeded(self, job: Job, batches: Sequence[Batch]) -> "_Rows":
        found = _Rows()
        for some in self._claim.keeping(merged_blocks(self._app, job, batches)):
            found.add([line.row for line in some if line.code is None and not line.reused_from])
        return found

    def _schemas(self, job: Job) -> list[bytes]:
        stored = SchemaList.read(work_lines(self._app, blob_names.schemas(job)))
        return [checked_digest(schema.checked) for schema in stored]

    def _paid_at_by(self, job_id: str) -> int | None:
        """Return when a job ended, in seconds; None where that is too long ago, or not known any more."""
        if job_id not in self._ends:
            job = self._app.store.job(job_id)
            self._ends[job_id] = None if job is None else job.completed_at
        return self._paid_at(job_id, self._ends[job_id])

    def _paid_at(self, job_id: str, ended: datetime | None) -> int | None:
        if ended is None:
            return 0 if self._oldest is None else None
        return None if self._oldest is not None and ended < self._oldest else int(ended.timestamp())


class _Rows:
    """A set of rows, a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, rows: Sequence[int]) -> None:
        """Add rows."""
        if rows:
            self._bits.extend(bytes(max(0, max(rows) // 8 + 1 - len(self._bits))))
        for row in rows:
            self._bits[row >> 3] |= 1 << (row & 7)

    def __contains__(self, row: int) -> bool:
        return row >> 3 < len(self._bits) and bool(self._bits[row >> 3] >> (row & 7) & 1)


@contextmanager
def _passing_over_damage(job: Job) -> Iterator[None]:
    """Leave out what cannot be read: it is asked anew."""
    try:
        yield
    except DAMAGED:
        log.info("work files of an earlier job are incomplete", extra={"job_id": job.job_id})


def _before(now: datetime, days: float) -> datetime | None:
    """Return the time so long ago; None if that is before all time."""
    try:
        return now - timedelta(days=days)
    except OverflowError:
        return None
