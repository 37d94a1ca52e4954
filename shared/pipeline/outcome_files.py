"""A job's outcomes in the work container: several files, each sorted by row, merged into one outcome per row."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shared.answers import outcomes
from shared.answers.outcomes import OutcomeBlock
from shared.domain import blob_names
from shared.domain.errors import NotFound
from shared.domain.model import Batch, BatchState, Job, Outcome
from shared.domain.ports import App, Container
from shared.json_codec import UNREADABLE

MERGE_MEMORY: Final = 16 * 1024 * 1024
"""Bytes of all files together that are in memory while they are merged."""

SMALLEST_PIECE: Final = 64 * 1024


DAMAGED: Final = (ValueError, TypeError, LookupError, *UNREADABLE)
"""What reading work files raises that were cut short or changed."""

BLOCK: Final = 512
"""Lines yielded at a time."""


def line_blocks(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut chunks into blocks of lines without their line feeds, the only line ends; an empty last line is left out."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        del chunk  # All files of a job are read side by side: each would hold its piece twice.
        for start in range(0, len(lines), BLOCK):
            yield lines[start : start + BLOCK]
    if rest:
        yield [rest]


def work_lines(app: App, name: str) -> Iterator[bytes]:
    """Yield the lines of a work file; none if it does not exist."""
    try:
        for lines in line_blocks(app.files.read(Container.WORK, name)):
            yield from lines
    except NotFound:
        return


def outcomes_in(app: App, name: str) -> Iterator[OutcomeBlock]:
    """Yield the outcomes in one file, ordered by row; none if it does not exist."""
    try:
        for lines in line_blocks(app.files.read(Container.WORK, name)):
            yield outcomes.read_lines(lines)
    except NotFound:
        return


def failures_in(app: App, name: str) -> Iterator[Outcome]:
    """Yield the outcomes without a result in one file, ordered by row."""
    return (line.outcome for block in outcomes_in(app, name) for line in block if line.code is not None)


def merged(app: App, job: Job) -> Iterator[Outcome]:
    """Yield a job's outcomes ordered by row, one for each row that has any."""
    return (line.outcome for block in merged_blocks(app, job, app.store.batches(job.job_id)) for line in block)


def merged_blocks(app: App, job: Job, batches: Iterable[Batch]) -> Iterator[OutcomeBlock]:
    """Yield a job's outcomes ordered by row, in blocks."""
    batches = [batch for batch in batches if batch.state is BatchState.COLLECTED]
    piece = max(MERGE_MEMORY // (len(batches) + 1), SMALLEST_PIECE)
    parts = [_carried_over(app, job)]
    if job.unsent:
        parts.append(outcomes_in(app, blob_names.unsent(job)))
    if job.rows_reused:
        parts.append(outcomes_in(app, blob_names.reused(job)))
    return outcomes.merge([*parts, *(_in_pieces(app, blob_names.batch_outcomes(batch), piece) for batch in batches)])


def merged_batches(app: App, batches: Sequence[Batch]) -> Iterator[OutcomeBlock]:
    """Yield the outcomes of these collected batches only, ordered by row."""
    piece = max(MERGE_MEMORY // (len(batches) + 1), SMALLEST_PIECE)
    return outcomes.merge([_in_pieces(app, blob_names.batch_outcomes(batch), piece) for batch in batches])


def results_of(app: App, job: Job) -> Iterator[OutcomeBlock]:
    """Yield a job's outcomes that are results, ordered by row."""
    blocks = merged_blocks(app, job, app.store.batches(job.job_id))
    return ([line for line in block if line.code is None] for block in blocks)


def _in_pieces(app: App, name: str, piece: int) -> Iterator[OutcomeBlock]:
    """Yield the outcomes in one of many files that are read side by side, with one piece of it in memory at a time."""
    return (outcomes.read_lines(lines) for lines in line_blocks(_pieces(app, name, piece)))


def _pieces(app: App, name: str, piece: int) -> Iterator[bytes]:
    start, size = 0, piece
    while size == piece:
        try:
            data = app.files.read_range(Container.WORK, name, start, piece)
        except NotFound:
            return
        start, size = start + piece, len(data)
        yield data


def _carried_over(app: App, job: Job) -> Iterator[OutcomeBlock]:
    """Yield the results taken over from the retried job, read there if this job ended before it copied them."""
    if not job.previous:
        return iter(())
    if app.files.info(Container.WORK, blob_names.carried_over(job)) is not None:
        return outcomes_in(app, blob_names.carried_over(job))
    previous = app.store.job(job.previous)
    return iter(()) if previous is None else results_of(app, previous)
