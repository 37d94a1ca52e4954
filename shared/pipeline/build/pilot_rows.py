"""Which of a job's requests are its pilot: counted in a separate pass, and taken out of their blocks when built."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from shared.domain.model import Batch, RequestBlock
from shared.requests.request_lines import part_of


class RequestKinds:
    """Takes a job's requests as their files would, and keeps only of what kind each is."""

    has_new = False

    def __init__(self) -> None:
        self.kinds = array("L")
        """For each request, a number of its model, url and schema."""
        self.there: dict[str, int] = {}
        self._numbers: dict[tuple[str, str, int], int] = {}

    def put(self, block: RequestBlock, image_note: bytes = b"", *, is_there: bool = False, pilot: bool = False) -> None:
        """Note the kinds of some requests."""
        for schema in block.schemas:
            kind = (block.model, block.url, schema)
            self.kinds.append(self._numbers.setdefault(kind, len(self._numbers)))

    def close(self) -> list[Batch]:
        """Return no batches: nothing was written."""
        return []


class Discarded:
    """A blob of which nothing is kept."""

    def write(self, data: bytes) -> None:
        """Take bytes."""

    def commit(self) -> str:
        """Make nothing visible."""
        return ""


class PilotRows:
    """Divides requests, as they come, into those of the pilot and the others."""

    def __init__(self, positions: Sequence[int]) -> None:
        """`positions` count the requests of the job from 0, in order; empty for a job without a pilot."""
        self._positions = positions
        self._seen = 0
        self._owed = 0

    def __bool__(self) -> bool:
        """Return whether there is a pilot."""
        return bool(self._positions)

    def pass_over(self) -> None:
        """Pass over a request that was counted and is not sent after all; the next one takes its place in the pilot."""
        place = bisect_left(self._positions, self._seen)
        self._owed += self._positions[place : place + 1] == [self._seen]
        self._seen += 1

    def divide(self, block: RequestBlock) -> Iterator[tuple[RequestBlock, bool]]:
        """Return the parts of a block in their order, each with whether it belongs to the pilot."""
        start, end = self._seen, self._seen + len(block.ids)
        self._seen = end
        chosen = self._positions[bisect_left(self._positions, start) : bisect_left(self._positions, end)]
        inside = [position - start for position in chosen]
        if self._owed:
            others = list(islice((place for place in range(end - start) if place not in inside), self._owed))
            self._owed -= len(others)
            inside = sorted([*inside, *others])
        if not inside:
            yield block, False
            return
        done = 0
        for position in inside:
            if position > done:
                yield part_of(block, done, position), False
            yield part_of(block, position, position + 1), True
            done = position + 1
        if done < len(block.ids):
            yield part_of(block, done, len(block.ids)), False
