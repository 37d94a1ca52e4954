"""The results of an earlier job that a retry carries over."""

from collections.abc import Iterator
from math import inf

from shared.domain.model import Outcome


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
