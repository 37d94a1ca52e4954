"""Reused answers: rows whose request an earlier job has answered get that answer, and are not sent.

What earlier jobs have answered is looked up once and written down create-only before the first request is written. So
building again, or by two workers at once, takes the same answers, whatever ends or is deleted meanwhile.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence, Set
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import Conflict, NotFound
from shared.domain.model import Job, RequestBlock
from shared.domain.ports import App, Container
from shared.job_settings import Reuse
from shared.pipeline.build.answer_index import AnswerIndex
from shared.pipeline.build.earlier_answers import EarlierAnswers
from shared.pipeline.build.request_files import OutdatedError
from shared.pipeline.build.reused_part import GoneError, ReusedPart
from shared.pipeline.claims import Claim
from shared.requests.request_hash import request_hash
from shared.requests.request_lines import block_of

PIECE: Final = 1024 * 1024


class ReusedAnswers:
    """The answers that a job takes from earlier ones, while its requests are built."""

    def __init__(self, index: AnswerIndex, part: ReusedPart | None) -> None:
        """Without a `part`, rows are only counted."""
        self._index = index
        self._part = part
        self.taken = 0
        """How many rows have taken an answer."""
        self.may_take = index.has_any
        """Whether there is any answer to take."""

    def __contains__(self, request: bytes) -> bool:
        """Return whether there is an answer to a request, by its hash."""
        return request in self._index.find([request])

    def requests(self, block: RequestBlock, checked: Sequence[bytes]) -> list[bytes]:
        """Hash requests; `checked` are the hashes of the job's schemas by number."""
        return [
            request_hash(line, checked[schema] if schema >= 0 else b"")
            for line, schema in zip(block.lines, block.schemas, strict=True)
        ]

    def take(self, block: RequestBlock, hashes: Sequence[bytes]) -> RequestBlock | None:
        """Take earlier answers to requests; return the others, None where there are none.

        Raises GoneError where an answer is not there any more.
        """
        found = self._index.find(hashes)
        places = [place for place, request in enumerate(hashes) if request in found]
        if not places:
            return block
        if self._part is not None:
            self._part.add(
                [(block.rows[at], block.ids[at], block.schemas[at], hashes[at], *found[hashes[at]]) for at in places]
            )
        self.taken += len(places)
        return _without(block, frozenset(places))

    def commit(self) -> None:
        """Make the outcomes of the rows that are not sent visible; raises GoneError likewise."""
        if self._part is not None:
            self._part.commit()

    @property
    def warnings(self) -> list[str]:
        """What the person should know of answers that were not looked up."""
        left_out = self._index.left_out
        if not left_out:
            return []
        return [
            f"reuse: of the answers of earlier jobs, the newest {len(self._index):,} were looked up; there is no room "
            f"for more, so rows that only the up to {left_out:,} older ones answer are asked anew."
        ]


def _without(block: RequestBlock, places: Set[int]) -> RequestBlock | None:
    """Return a block's other requests, None where there are none."""
    left = [place for place in range(len(block.ids)) if place not in places]
    if not left:
        return None
    return block_of(
        [block.rows[place] for place in left],
        [block.ids[place] for place in left],
        block.model,
        block.url,
        [block.lines[place] for place in left],
        [block.schemas[place] for place in left],
    )


@contextmanager
def reusing(app: App, claim: Claim[Job], reuse: Reuse | None, *, counting: bool) -> Iterator[ReusedAnswers | None]:
    """Look up what may be reused, the first time that the job is built; None where the job does not want that.

    With `counting`, nothing of it is written but what was looked up. Raises OutdatedError where an answer is gone that
    was there then: it was looked up anew, and all is to be built anew.
    """
    if reuse is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _LookUp(app, claim, reuse, folder / "found")
        try:
            found.make_or_fetch()
            with AnswerIndex(found.path) as index:
                if counting:
                    yield ReusedAnswers(index, None)
                else:
                    with closing(ReusedPart(app, claim, index.jobs(), folder)) as part:
                        yield ReusedAnswers(index, part)
        except (GoneError, sqlite3.DatabaseError):
            found.make_anew()
            raise OutdatedError from None


class _LookUp:
    """A job's index: written down by the first run that builds the job, and fetched by the others."""

    def __init__(self, app: App, claim: Claim[Job], reuse: Reuse, path: Path) -> None:
        self._app = app
        self._claim = claim
        self._reuse = reuse
        self._name = blob_names.earlier_answers(claim.record)
        self.path = path

    def make_or_fetch(self) -> None:
        if self._fetch():
            return
        self._make()
        try:
            self._write(create_only=True)
        except Conflict:
            self._fetch()  # Another worker's counts.

    def make_anew(self) -> None:
        self._make()
        self._write(create_only=False)

    def _make(self) -> None:
        self.path.unlink(missing_ok=True)
        with AnswerIndex(self.path) as index:
            EarlierAnswers(self._app, self._claim, self._reuse, index).add_all()

    def _fetch(self) -> bool:
        """Fetch the index that was written down; False where none was."""
        try:
            with self.path.open("wb") as file:
                for chunk in self._claim.keeping(self._app.files.read(Container.WORK, self._name)):
                    file.write(chunk)
        except NotFound:
            return False
        return True

    def _write(self, *, create_only: bool) -> None:
        writer = self._app.files.writer(Container.WORK, self._name, create_only=create_only)
        with self.path.open("rb") as file:
            while chunk := file.read(PIECE):
                self._claim.keep()
                writer.write(chunk)
        writer.commit()
