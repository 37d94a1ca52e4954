"""A job's outcomes as they lie in the work container: parts sorted by row, merged into one outcome a row."""

from collections.abc import Iterable, Iterator
from typing import Final

from shared import names, outcomes
from shared.errors import NotFound
from shared.model import BatchState, Job, Outcome
from shared.ports import App, Container

MERGE_MEMORY: Final = 16 * 1024 * 1024
"""Bytes of all parts together that are in memory while they are merged."""

SMALLEST_PIECE: Final = 64 * 1024


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks into lines at line feeds only, without them; an empty last line is none."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def work_lines(app: App, name: str) -> Iterator[bytes]:
    """The lines of a work file; none where it was never written."""
    try:
        yield from lines_of(app.files.read(Container.WORK, name))
    except NotFound:
        return


def outcomes_in(app: App, name: str) -> Iterator[Outcome]:
    """The outcomes in one part, by row."""
    return (outcomes.from_line(line) for line in work_lines(app, name))


def merged(app: App, job: Job) -> Iterator[Outcome]:
    """Everything known of the job's rows, one outcome for each row that has any, by row."""
    batches = [batch for batch in app.store.batches(job.job_id) if batch.state is BatchState.COLLECTED]
    piece = max(MERGE_MEMORY // (len(batches) + 1), SMALLEST_PIECE)
    parts = [outcomes_in(app, names.unsent(job)), _kept(app, job)]
    return outcomes.merge([*parts, *(_in_pieces(app, names.batch_outcomes(batch), piece) for batch in batches)])


def _in_pieces(app: App, name: str, piece: int) -> Iterator[Outcome]:
    """The outcomes in one part of many that are read side by side: each holds no more than a piece in memory."""
    info = app.files.info(Container.WORK, name)
    size = 0 if info is None else info.size
    pieces = (app.files.read_range(Container.WORK, name, start, piece) for start in range(0, size, piece))
    return (outcomes.from_line(line) for line in lines_of(pieces))


def _kept(app: App, job: Job) -> Iterator[Outcome]:
    """The results taken over from the job that this one retries; from there where it ended before it took them."""
    if not job.previous or app.files.info(Container.WORK, names.kept(job)) is not None:
        return outcomes_in(app, names.kept(job))
    previous = app.store.job(job.previous)
    if previous is None:
        return iter(())
    return (outcome for outcome in merged(app, previous) if outcome.code is None)
