"""A batch's input file: which rows go into which batch, the list of its rows, and what a follow-up takes from both."""

from array import array
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import orjson

from shared import exact_json
from shared.model import Request, SentRow

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
    index: int
    requests: int = 0
    size: int = 0


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
        shard = self._open.get(kind)
        closes: tuple[int, ...] = ()
        if shard is None:
            if len(self._open) >= self.max_open:
                closes = (self._open.popitem(last=False)[1].index,)
            shard = self._new(kind)
        elif shard.requests >= self.max_requests or shard.size + size > self.max_bytes:
            closes = (shard.index,)
            shard = self._new(kind)
        shard.requests += 1
        shard.size += size
        self._open.move_to_end(kind)
        return Placement(shard.index, closes)

    def _new(self, kind: tuple[str, str]) -> _Shard:
        shard = self._open[kind] = _Shard(self.opened)
        self.opened += 1
        return shard


class CustomIds:
    """Remembers which custom ids a file has used, in 8 to 16 bytes each.

    It keeps 64-bit hashes: among ten million rows, the chance that two different ids count as the same is 3 in a
    million. The hash is the same in every process, so that building again finds the same duplicates.
    """

    _PARTS = 256
    _FULL = 0.8

    def __init__(self) -> None:
        self._tables = [array("Q", bytes(8 * 8)) for _ in range(self._PARTS)]
        self._used = [0] * self._PARTS

    def first_use(self, custom_id: str) -> bool:
        """Whether no earlier call had this id."""
        text = custom_id.encode("utf-8", "surrogatepass")
        number = int.from_bytes(blake2b(text, digest_size=8).digest()) or 1
        part = number % self._PARTS
        table = self._tables[part]
        place = _place_of(number, table)
        if table[place] == number:
            return False
        table[place] = number
        self._used[part] += 1
        if self._used[part] > self._FULL * len(table):
            self._tables[part] = _grown(table)
        return True

    @property
    def memory(self) -> int:
        """Bytes held for the ids."""
        return sum(len(table) * table.itemsize for table in self._tables)


def _place_of(number: int, table: "array[int]") -> int:
    """Where a number is, or is to go, in a hash table with open addressing; 0 is a free place."""
    size = len(table)
    place = (number >> 8) % size
    while (found := table[place]) and found != number:
        place = place + 1 if place + 1 < size else 0
    return place


def _grown(table: "array[int]") -> "array[int]":
    larger = array("Q", bytes(8 * (len(table) * 3 // 2 + 1)))
    for number in table:
        if number:
            larger[_place_of(number, larger)] = number
    return larger


def row_line(sent: SentRow) -> bytes:
    """Write what is known of one line of a batch: `[1,"task-0",0]`, without a line end."""
    return orjson.dumps([sent.row, sent.custom_id, sent.schema])


def read_rows(lines: Iterable[bytes]) -> Iterator[SentRow]:
    """Read the lines that `row_line` wrote; blank ones are passed over."""
    for line in lines:
        if line.strip():
            yield SentRow(*orjson.loads(line))


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
    request = exact_json.loads(line)
    body = request.get("body") if isinstance(request, dict) else None
    if not isinstance(body, dict):
        return None
    caps = [cap for cap in _CAPS if type(body.get(cap)) is int]
    for cap in caps:
        body[cap] *= 2
    return exact_json.dumps(request) if caps else None
