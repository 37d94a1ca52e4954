"""A job's rows, each with its outcome → the result files: rows with a result in groups, failed ones one by one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from shared.answers.outcomes import OutcomeBlock, OutcomeLine
from shared.domain.model import Job, Outcome, Record, RowBlock, RowCode
from shared.pipeline.assemble.source_rows import Rows
from shared.pipeline.claims import Claim
from shared.results.files import ResultFiles
from shared.results.table import Own


@dataclass(slots=True)
class Counts:
    """How many rows the result files hold, and the warnings about the files."""

    total: int | None = 0
    succeeded: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    def add_results(self, count: int) -> None:
        """Count rows that succeeded."""
        self.total = (self.total or 0) + count
        self.succeeded += count

    def add_error(self, outcome: Outcome) -> None:
        """Count a row that failed."""
        self.total = (self.total or 0) + 1
        self.errors[str(outcome.code)] += 1


class _Outcomes:
    """The merged outcomes, taken in the order of rows: one row's, or those of many rows at once."""

    def __init__(self, blocks: Iterator[OutcomeBlock]) -> None:
        self._blocks = blocks
        self._block: OutcomeBlock = []
        self._at = 0

    def of(self, row: int) -> OutcomeLine | None:
        """Return the outcome of this row, None if it has none."""
        self._look_ahead(1)
        if self._at == len(self._block) or self._block[self._at].row != row:
            return None
        self._at += 1
        return self._block[self._at - 1]

    def of_all(self, row: int, count: int) -> Sequence[OutcomeLine | None]:
        """Return the outcomes of `count` rows from `row` on, None for those without one."""
        self._look_ahead(count)
        some = self._block[self._at : self._at + count]
        if len(some) < count or some[0].row != row or some[-1].row != row + count - 1:
            return [self.of(number) for number in range(row, row + count)]
        self._at += count
        return some

    def _look_ahead(self, count: int) -> None:
        """Read on until `count` outcomes are available, or no more come."""
        while len(self._block) - self._at < count and (following := next(self._blocks, None)) is not None:
            self._block, self._at = [*self._block[self._at :], *following], 0


class RowWriter:
    """Writes the rows of a job, in input order, and counts them."""

    def __init__(
        self, rows: Rows, outcomes: Iterator[OutcomeBlock], files: ResultFiles, outcome_if_missing: tuple[RowCode, str]
    ) -> None:
        self._rows = rows
        self._outcomes = _Outcomes(outcomes)
        self._files = files
        self._outcome_if_missing = outcome_if_missing
        self._counts = Counts()

    def write_all(self, claim: Claim[Job]) -> Counts:
        """Write all rows, keeping the claim meanwhile, and return their counts."""
        for block in claim.keeping(self._rows.row_blocks):
            self._write(block)
        return self._counts

    def _write_failed(self, record: Record, line: OutcomeLine | None) -> None:
        failed = self._rows.failed(record, None if line is None else line.outcome, self._outcome_if_missing)
        self._files.add_error(failed)
        self._counts.add_error(failed.outcome)

    def _write(self, rows: RowBlock) -> None:
        """Write a block of rows: the results between two failed rows at once, the failed ones singly."""
        outcomes = self._outcomes.of_all(rows.row, len(rows.rows))
        failed = [place for place, line in enumerate(outcomes) if line is None or line.code is not None]
        own, typed = self._rows.own_of_all(rows), self._rows.typed_of_all(rows)
        start = 0
        for place in [*failed, len(outcomes)]:
            if place > start:
                some = slice(start, place)
                lines = cast("Sequence[OutcomeLine]", outcomes[some])
                self._write_results(lines, own[some], None if typed is None else typed[some])
            if place < len(outcomes):
                self._write_failed(rows.record(place), outcomes[place])
            start = place + 1

    def _write_results(self, lines: Sequence[OutcomeLine], own: Own, typed: Own | None) -> None:
        self._files.add_results(lines, own, typed)
        self._counts.add_results(len(lines))
