"""Answers used again: rows whose request an earlier job has answered get that answer, and are not sent.

What earlier jobs have answered is looked up once and written down create-only before the first request is written. So
building again, or by two workers at once, takes the same answers, whatever ends or is deleted meanwhile.
"""

import tempfile
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Final

from shared.answers.outcomes import OutcomeBlock, OutcomeLine, reused_line
from shared.answers.spilled_lines import SpilledLines
from shared.domain import blob_names
from shared.domain.errors import Conflict, NotFound
from shared.domain.model import Job, RequestBlock
from shared.domain.ports import App, Container
from shared.job_settings import Reuse
from shared.pipeline.build.answer_index import AnswerIndex, FullError, Taken
from shared.pipeline.build.earlier_answers import EarlierAnswers
from shared.pipeline.build.request_files import OutdatedError
from shared.pipeline.claims import Claim
from shared.pipeline.outcome_files import merged_blocks
from shared.requests.request_hash import request_hash
from shared.requests.request_lines import block_of, lines_of

MEMORY: Final = 16 * 1024 * 1024
DISK: Final = 64 * 1024 * 1024
"""Bytes of outcomes that are in memory, and on temporary disk, while they are put into the order of the rows."""

PLACES: Final = 500_000
"""Rows whose outcomes are put into order at a time."""

PIECE: Final = 1024 * 1024
RUN: Final = 512


class GoneError(Exception):
    """The work files of an earlier job are gone since its answers were looked up."""


class ReusedAnswers:
    """The answers that a job takes from earlier ones, while its requests are built."""

    def __init__(self, app: App, claim: Claim[Job], index: AnswerIndex) -> None:
        self._app = app
        self._claim = claim
        self._index = index

    def take(self, block: RequestBlock, checked: Sequence[bytes]) -> RequestBlock | None:
        """Take earlier answers to requests; return the others, None where there are none.

        `checked` are the hashes of the job's schemas by number.
        """
        lines = lines_of(block)
        hashes = [
            request_hash(line, checked[schema] if schema >= 0 else b"")
            for line, schema in zip(lines, block.schemas, strict=True)
        ]
        found = self._index.find(hashes)
        places = [place for place, request in enumerate(hashes) if request in found]
        try:
            self._index.take(
                [(block.rows[at], block.ids[at], block.schemas[at], hashes[at], *found[hashes[at]]) for at in places]
            )
        except FullError:
            return block
        return _without(block, frozenset(places)) if places else block

    def write(self) -> int:
        """Write the outcomes of the rows that are not sent, unless an earlier run has; return how many they are.

        Raises GoneError where the work files of an earlier job are gone since they were looked up.
        """
        job = self._claim.record
        name = blob_names.reused(job)
        if self._index.taken and self._app.files.info(Container.WORK, name) is None:
            part = self._app.files.writer(Container.WORK, name, create_only=True)
            for lines in self._claim.keeping(self._lines()):
                part.write(b"\n".join((*lines, b"")))
            with suppress(Conflict):  # Another worker's, which are the same.
                part.commit()
        return self._index.taken

    def _lines(self) -> Iterator[list[bytes]]:
        """Give the outcomes in the order of their rows, some at a time."""
        for start in range(0, self._index.taken, PLACES):
            yield from self._lines_at(range(start, min(start + PLACES, self._index.taken)))

    def _lines_at(self, places: range) -> Iterator[list[bytes]]:
        """Read all at once where they fit onto the disk, else one window after another."""
        with tempfile.TemporaryFile(buffering=0) as scratch:
            spilled = SpilledLines(len(places), scratch, MEMORY, DISK)
            self._fill(spilled, places)
            if not spilled.overflown:
                yield from _in_order(spilled, len(places))
                return
            windows = spilled.windows()
        for window in windows:
            with tempfile.TemporaryFile(buffering=0) as scratch:
                spilled = SpilledLines(len(window), scratch, MEMORY)
                self._fill(spilled, range(places.start + window.start, places.start + window.stop))
                yield from _in_order(spilled, len(window))

    def _fill(self, spilled: SpilledLines, places: range) -> None:
        """Put aside what is taken for these places; raises GoneError where it is not there any more."""
        put = 0
        jobs = self._index.jobs()
        for number in self._index.jobs_taken_from(places):
            job_id = jobs[number]
            for taken, line in _joined(self._index.taken_from(number, places), self._outcomes_of(job_id)):
                fields = taken.row, taken.custom_id, taken.schema, line.reused_from or job_id, taken.request.hex()
                spilled.put(taken.place - places.start, reused_line(line, *fields))
                put += 1
        if put < len(places):
            raise GoneError
        spilled.finish()

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


def _in_order(spilled: SpilledLines, count: int) -> Iterator[list[bytes]]:
    for start in range(0, count, RUN):
        found = spilled.take(start, min(start + RUN, count))
        yield [line if isinstance(line, bytes) else line[0] for line in found]


def _without(block: RequestBlock, places: Set[int]) -> RequestBlock | None:
    """Return a block's other requests, None where there are none."""
    left = [place for place in range(len(block.ids)) if place not in places]
    if not left:
        return None
    lines = lines_of(block)
    return block_of(
        [block.rows[place] for place in left],
        [block.ids[place] for place in left],
        block.model,
        block.url,
        [lines[place] for place in left],
        [block.schemas[place] for place in left],
    )


@contextmanager
def reusing(app: App, claim: Claim[Job], reuse: Reuse | None) -> Iterator[ReusedAnswers | None]:
    """Look up what may be used again, the first time that the job is built; None where the job does not want that.

    Raises OutdatedError where an answer is gone that was there then: it was looked up anew, and all is to be built
    anew.
    """
    if reuse is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = _looked_up_once(app, claim, reuse, Path(folder))
        with AnswerIndex(path) as index:
            try:
                yield ReusedAnswers(app, claim, index)
            except GoneError:
                _write(app, claim, _look_up(app, claim, reuse, Path(folder) / "anew"), create_only=False)
                raise OutdatedError from None


def _looked_up_once(app: App, claim: Claim[Job], reuse: Reuse, folder: Path) -> Path:
    """Return the index that was written down, by this run if it is the first."""
    found = folder / "found"
    if _read(app, claim, found):
        return found
    own = _look_up(app, claim, reuse, folder / "own")
    try:
        _write(app, claim, own, create_only=True)
    except Conflict:
        _read(app, claim, found)  # Another worker's counts.
        return found
    return own


def _look_up(app: App, claim: Claim[Job], reuse: Reuse, path: Path) -> Path:
    with AnswerIndex(path) as index:
        EarlierAnswers(app, claim, reuse, index).add_all()
    return path


def _read(app: App, claim: Claim[Job], path: Path) -> bool:
    """Fetch the index that was written down; False where none was."""
    try:
        with path.open("wb") as file:
            for chunk in claim.keeping(app.files.read(Container.WORK, blob_names.earlier_answers(claim.record))):
                file.write(chunk)
    except NotFound:
        return False
    return True


def _write(app: App, claim: Claim[Job], path: Path, *, create_only: bool) -> None:
    writer = app.files.writer(Container.WORK, blob_names.earlier_answers(claim.record), create_only=create_only)
    with path.open("rb") as file:
        while chunk := file.read(PIECE):
            claim.keep()
            writer.write(chunk)
    writer.commit()
