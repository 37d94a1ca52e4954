"""A batch's input file: which rows go into which batch, the list of its rows, and what a follow-up takes from both."""

from array import array
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import msgspec
import orjson

from shared import json_codec
from shared.domain.model import Request, RequestBlock, SentRow

OPEN_SHARDS: Final = 16
"""How many files are open at a time; each holds a block or two of some MiB in memory while it is written."""

_CAPS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes: to the shard `index`, after the shards `closes` were closed."""

    index: int
    closes: tuple[int, ...] = ()


@dataclass(slots=True)
class _Shard:
    placement: Placement
    requests: int
    size: int


@dataclass(slots=True)
class Shards:
    """Cuts a job's requests into files of one model and url each, within the service's limits.

    A file's size counts its lines with their line ends. Where more kinds of requests alternate than may be open at a
    time, the one that was unused for longest is closed, and its next request opens another.
    """

    max_requests: int
    max_bytes: int
    max_open: int = OPEN_SHARDS
    opened: int = 0
    _open: OrderedDict[tuple[str, str], _Shard] = field(default_factory=OrderedDict)

    def place(self, request: Request) -> Placement:
        """Choose the request's shard; raises ValueError for one that is too large for any."""
        size = len(request.line) + 1
        if size > self.max_bytes:
            raise ValueError(f"row {request.row} has {size} bytes, a batch {self.max_bytes} at most")
        kind = (request.model, request.url)
        placement = self._add(kind, 1, size)
        if placement is None:
            full = self._open.pop(kind).placement.index
            placement = Placement(self._new(kind, 1, size).placement.index, (full,))
        return placement

    def place_block(self, block: RequestBlock) -> Placement | None:
        """Choose the shard of all requests of a block, as for one by one; None where these would not fit into one."""
        return self._add((block.model, block.url), len(block.ids), len(block.text))

    def _add(self, kind: tuple[str, str], requests: int, size: int) -> Placement | None:
        """Put requests into the open shard of their kind, or into the first; None where that would be too full."""
        shard = self._open.get(kind)
        if shard is None and requests <= self.max_requests and size <= self.max_bytes:
            closes = (self._open.popitem(last=False)[1].placement.index,) if len(self._open) >= self.max_open else ()
            return Placement(self._new(kind, requests, size).placement.index, closes)
        if shard is None or shard.requests + requests > self.max_requests or shard.size + size > self.max_bytes:
            return None
        shard.requests += requests
        shard.size += size
        self._open.move_to_end(kind)
        return shard.placement

    def _new(self, kind: tuple[str, str], requests: int, size: int) -> _Shard:
        shard = self._open[kind] = _Shard(Placement(self.opened), requests, size)
        self.opened += 1
        return shard


class CustomIds:
    """Remembers which custom ids a file has used, in 11 to 22 bytes each.

    It keeps 64-bit hashes: among ten million rows, the chance that two different ids count as the same is 3 in a
    million. They are Python's own hashes of texts, keyed anew in each process, so that nobody can make ids that
    collide; none is kept, and building again begins with an empty list.
    """

    _PARTS: Final = 256
    # A part is never full while all together are three quarters full: that is nine standard deviations away. With
    # parts of a few dozen it would happen, and looking for a free place in one would not end.
    _FIRST_SIZE: Final = 1_024
    _FULL: Final = 0.75

    def __init__(self) -> None:
        # In small parts, as what grows is in memory twice for a moment, and leaves its place to the next.
        self._tables = [array("q", (0,)) * self._FIRST_SIZE for _ in range(self._PARTS)]
        self._count = 0

    def repeated(self, ids: Sequence[str]) -> list[int]:
        """Add ids, none of them empty; give the places of those that were used before, by an earlier place or call."""
        self._make_room(len(ids))
        tables, last = self._tables, len(self._tables[0]) - 1
        again: list[int] = []
        for number, key in enumerate(map(hash, ids)):
            # The upper eight bits, -128 to 127, choose the table, the lower ones where to look first; 0 is free.
            table = tables[key >> 56]
            place = key & last
            while found := table[place]:
                if found == key:
                    again.append(number)
                    break
                place = (place + 1) & last
            else:
                table[place] = key
        self._count += len(ids) - len(again)
        return again

    def _make_room(self, more: int) -> None:
        while self._count + more > self._FULL * self._PARTS * len(self._tables[0]):
            for number, table in enumerate(self._tables):
                self._tables[number] = _twice_as_large(table)

    @property
    def memory(self) -> int:
        """Bytes held for the ids."""
        return sum(len(table) * table.itemsize for table in self._tables)


def _twice_as_large(table: "array[int]") -> "array[int]":
    larger = array("q", (0,)) * (2 * len(table))
    last = len(larger) - 1
    for key in filter(None, table):
        place = key & last
        while larger[place]:
            place = (place + 1) & last
        larger[place] = key
    return larger


def row_line(sent: SentRow | Request) -> bytes:
    """Write what is known of one line of a batch: `[1,"task-0",0]`, without a line end."""
    return orjson.dumps([sent.row, sent.custom_id, sent.schema])


_sent_row: Final = msgspec.json.Decoder(SentRow)


def row_lines(block: RequestBlock) -> bytes:
    """Write what is known of the lines of a block, as `row_line` does, with line ends."""
    rows = list(zip(count(block.row), block.ids, block.schemas, strict=False))
    text = orjson.dumps(rows)
    if text.count(b"],[") < len(rows):
        # No id has that in it.
        return text[1:-1].replace(b"],[", b"]\n[") + b"\n"
    return b"".join([orjson.dumps(row) + b"\n" for row in rows])


def read_rows(lines: Iterable[bytes]) -> Iterator[SentRow]:
    """Read the lines that `row_line` wrote; blank ones are passed over."""
    read = _sent_row.decode
    for line in lines:
        if line and not line.isspace():
            yield read(line)


def follow_up(
    lines: Iterable[bytes], rows: Iterable[SentRow], keep: Container[int], *, raised: Container[int] = frozenset()
) -> Iterator[tuple[bytes, SentRow]]:
    """Take those requests of a batch whose rows are to be tried again, without line ends, in the batch's order.

    `lines` and `rows` go in lockstep; `keep` holds rows of the file, `raised` those of them whose token cap is doubled:
    they are left out where no cap was set. Raises ValueError where one of the two is longer.
    """
    for line, row in zip(lines, rows, strict=True):
        if row.row in keep:
            request = line.rstrip(b"\r\n")
            again = raise_cap(request) if row.row in raised else request
            if again is not None:
                yield again, row


def raise_cap(line: bytes) -> bytes | None:
    """Double the token cap of a request whose answer was cut off; None where it has none."""
    request = json_codec.loads(line)
    body = request.get("body") if isinstance(request, dict) else None
    if not isinstance(body, dict):
        return None
    caps = [cap for cap in _CAPS if type(body.get(cap)) is int]
    for cap in caps:
        body[cap] *= 2
    return json_codec.dumps(request) if caps else None
