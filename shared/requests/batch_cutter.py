"""Which requests go into which batch: of one model and url each, within the service's limits."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.domain.model import RequestBlock
from shared.requests.request_lines import part_of

OPEN_BATCHES: Final = 16
"""How many files are open at a time; each holds a block or two of some MiB in memory while it is written."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where requests go: into the batch `index`, after the batches `closes` were closed."""

    index: int
    block: RequestBlock
    closes: tuple[int, ...] = ()


@dataclass(slots=True)
class _OpenBatch:
    index: int
    max_requests: int
    max_bytes: int
    requests: int = 0
    size: int = 0


@dataclass(slots=True)
class BatchCutter:
    """Cuts a job's requests into batches, which are numbered as they are opened.

    A batch's size counts its lines with their line ends. Where more kinds of requests alternate than may be open at a
    time, the batch that was unused for longest is closed, and the next request of its kind opens another.
    """

    max_requests: int
    max_bytes: int
    max_open: int = OPEN_BATCHES
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """The requests and bytes of a batch of a model that has its own limits."""
    opened: int = 0
    _open: OrderedDict[tuple[str, str, bool], _OpenBatch] = field(default_factory=OrderedDict)

    def place(self, block: RequestBlock, *, pilot: bool = False) -> Iterator[Placement]:
        """Choose the batches of a block's requests, in their order, as for one request after another.

        Those of the `pilot` go into separate batches. Raises ValueError for a request that fits no batch.
        """
        kind = (block.model, block.url, pilot)
        batch = self._open.get(kind)
        if batch is not None and self._add(batch, len(block.ids), block.size):
            self._open.move_to_end(kind)
            yield Placement(batch.index, block)
            return
        yield from self._in_parts(block, kind)

    def close(self) -> None:
        """End all batches that are open, whatever room they have left."""
        self._open.clear()

    def _in_parts(self, block: RequestBlock, kind: tuple[str, str, bool]) -> Iterator[Placement]:
        sizes = [len(line) + 1 for line in block.lines]
        self._check(block, sizes)
        start = 0
        closes: tuple[int, ...] = ()
        while start < len(sizes):
            batch = self._open.get(kind)
            if batch is None:
                batch, closed = self._new(kind)
                closes += closed
            end = self._fill(batch, sizes, start)
            if end > start:
                self._open.move_to_end(kind)
                yield Placement(batch.index, part_of(block, start, end), closes)
                closes = ()
            if end < len(sizes):
                closes += (self._open.pop(kind).index,)
            start = end

    def _check(self, block: RequestBlock, sizes: Sequence[int]) -> None:
        largest = max(sizes)
        _, max_bytes = self._limits_of(block.model)
        if largest > max_bytes:
            row = block.rows[sizes.index(largest)]
            raise ValueError(f"row {row} has {largest} bytes, a batch {max_bytes} at most")

    def _limits_of(self, model: str) -> tuple[int, int]:
        return self.limits.get(model, (self.max_requests, self.max_bytes))

    def _fill(self, batch: _OpenBatch, sizes: Sequence[int], start: int) -> int:
        """Put as many requests into a batch as fit; return the place of the first that does not."""
        end = start
        while end < len(sizes) and self._add(batch, 1, sizes[end]):
            end += 1
        return end

    def _add(self, batch: _OpenBatch, requests: int, size: int) -> bool:
        """Put requests into a batch if all of them fit."""
        if batch.requests + requests > batch.max_requests or batch.size + size > batch.max_bytes:
            return False
        batch.requests += requests
        batch.size += size
        return True

    def _new(self, kind: tuple[str, str, bool]) -> tuple[_OpenBatch, tuple[int, ...]]:
        """Open a batch; return it, and which one has to be closed for it."""
        closed = (self._open.popitem(last=False)[1].index,) if len(self._open) >= self.max_open else ()
        batch = self._open[kind] = _OpenBatch(self.opened, *self._limits_of(kind[0]))
        self.opened += 1
        return batch, closed
