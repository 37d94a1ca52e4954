"""The outcomes of rows that take earlier answers: a part like any batch's, written while the requests are built.

The answers lie in the order of the earlier jobs' rows; they are put into the order of this job's, so many at a time as
there is room for on temporary disk.
"""

import heapq
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import batched, chain
from pathlib import Path
from typing import Final

from shared.answers.outcomes import OutcomeBlock, OutcomeLine, reused_line
from shared.answers.spilled_lines import SpilledLines
from shared.domain import blob_names
from shared.domain.errors import Conflict
from shared.domain.model import Job
from shared.domain.ports import App, BlobWriter, Container
from shared.pipeline.build.answer_index import FullError
from shared.pipeline.build.taken_answers import Taken, TakenAnswers, Wanted
from shared.pipeline.claims import Claim
from shared.pipeline.outcome_files import DAMAGED, merged_blocks

MEMORY: Final = 16 * 1024 * 1024
DISK: Final = 64 * 1024 * 1024
"""Bytes of outcomes that are in memory, and on temporary disk, while they are put into the order of the rows."""

PLACES: Final = 200_000
"""Rows whose outcomes are put into order at a time."""

SIDE_BY_SIDE: Final = 2
"""Earlier jobs that may be read at the same time: each holds some MiB in memory."""

RUN: Final = 512


class GoneError(Exception):
    """The work files of an earlier job are gone since its answers were looked up."""


class ReusedPart:
    """Takes rows with the answers that they get; nothing is done where an earlier run has written the part whole."""

    def __init__(self, app: App, claim: Claim[Job], jobs: Mapping[int, str], folder: Path) -> None:
        """`jobs` are the earlier jobs by number; `folder` is one for temporary files."""
        self._app = app
        self._claim = claim
        self._jobs = jobs
        self._name = blob_names.reused(claim.record)
        self._taken = TakenAnswers(folder / "taken")
        self._part: BlobWriter | None = None
        self._is_there: bool | None = None

    def add(self, some: Sequence[Wanted]) -> None:
        """Add rows; raises GoneError where an answer is not there any more."""
        if self._is_there is None:
            self._is_there = self._app.files.info(Container.WORK, self._name) is not None
        if self._is_there:
            return
        try:
            self._taken.add(some)
        except FullError:
            self._flush()
            self._taken.add(some)

    def commit(self) -> None:
        """Make the part visible, if it has any rows; raises GoneError likewise."""
        self._flush()
        if self._part is not None:
            with suppress(Conflict):  # Another worker's, which is the same.
                self._part.commit()

    def close(self) -> None:
        """Let go of temporary files."""
        self._taken.close()

    def _flush(self) -> None:
        """Write the outcomes of the rows that were added last."""
        if not len(self._taken):
            return
        if self._part is None:
            self._part = self._app.files.writer(Container.WORK, self._name, create_only=True)
        for lines in self._claim.keeping(self._lines()):
            self._part.write(b"\n".join((*lines, b"")))
        self._taken.clear()

    def _lines(self) -> Iterator[list[bytes]]:
        """Give the outcomes in the order of the rows."""
        places = range(len(self._taken))
        jobs = self._taken.jobs(places)
        if self._taken.is_in_order and len(jobs) <= SIDE_BY_SIDE:
            yield from self._side_by_side(jobs, places)
            return
        for start in range(0, len(places), PLACES):
            yield from self._put_into_order(places[start : start + PLACES])

    def _side_by_side(self, jobs: Sequence[int], places: range) -> Iterator[list[bytes]]:
        """Read the earlier jobs beside each other, whose rows came in the order of these; raises GoneError."""
        given = 0
        for some in batched(heapq.merge(*(self._answers(job, places) for job in jobs)), RUN, strict=False):
            given += len(some)
            yield [line for _, line in some]
        if given < len(places):
            raise GoneError

    def _put_into_order(self, places: range) -> Iterator[list[bytes]]:
        """Read one job after another: all at once where it fits onto the disk, else one window after another."""
        with tempfile.TemporaryFile(buffering=0) as scratch:
            spilled = SpilledLines(len(places), scratch, MEMORY, DISK)
            self._fill(spilled, places)
            if not spilled.overflown:
                yield from _taken_out(spilled, len(places))
                return
            windows = spilled.windows()
        for window in windows:
            with tempfile.TemporaryFile(buffering=0) as scratch:
                spilled = SpilledLines(len(window), scratch, MEMORY)
                self._fill(spilled, places[window.start : window.stop])
                yield from _taken_out(spilled, len(window))

    def _fill(self, spilled: SpilledLines, places: range) -> None:
        """Put aside what is taken for these places; raises GoneError where it is not there any more."""
        put = 0
        for job in self._taken.jobs(places):
            for place, line in self._answers(job, places):
                spilled.put(place - places.start, line)
                put += 1
        if put < len(places):
            raise GoneError
        spilled.finish()

    def _answers(self, job: int, places: range) -> Iterator[tuple[int, bytes]]:
        """Give the outcomes that these places take from a job, in the order of its rows, as far as they are there."""
        job_id = self._jobs[job]
        with suppress(*DAMAGED):
            for taken, line in _joined(self._taken.of_job(job, places), self._outcomes_of(job_id)):
                fields = taken.row, taken.custom_id, taken.schema, line.reused_from or job_id, taken.request.hex()
                yield taken.place, reused_line(line, *fields)

    def _outcomes_of(self, job_id: str) -> Iterator[OutcomeBlock]:
        job, batches = self._app.store.job_with_batches(job_id)
        return iter(()) if job is None else self._claim.keeping(merged_blocks(self._app, job, batches))


def _joined(wanted: Iterator[Taken], blocks: Iterator[OutcomeBlock]) -> Iterator[tuple[Taken, OutcomeLine]]:
    """Find the results that are wanted among a job's outcomes; both are in the order of that job's rows."""
    taken = next(wanted, None)
    for line in chain.from_iterable(blocks):
        while taken is not None and taken.earlier < line.row:
            taken = next(wanted, None)
        while taken is not None and taken.earlier == line.row and line.code is None:
            yield taken, line
            taken = next(wanted, None)
        if taken is None:
            return


def _taken_out(spilled: SpilledLines, count: int) -> Iterator[list[bytes]]:
    for start in range(0, count, RUN):
        found = spilled.take(start, min(start + RUN, count))
        yield [line if isinstance(line, bytes) else line[0] for line in found]
