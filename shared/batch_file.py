"""A batch's input file: which rows go into which batch, the list of its rows, and what a follow-up takes from both."""

from array import array
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson

from shared import exact_json
from shared.model import Request, SentRow

OPEN_SHARDS: Final = 16
"""How many files are open at a time; each holds a block or two of some MiB in memory while it is written."""

_PRIME: Final = 0xE36BF9B3DDCB369D
_FACTOR: Final = 0x9E3779B97F4A7C15

_CAPS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes: to the shard `index`, after the shards `closes` were closed."""

    index: int
    closes: tuple[int, ...] = ()


@dataclass(slots=True)
class _Shard:
    placement: Placement
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
                closes = (self._open.popitem(last=False)[1].placement.index,)
            shard = self._new(kind)
        elif shard.requests >= self.max_requests or shard.size + size > self.max_bytes:
            closes = (shard.placement.index,)
            shard = self._new(kind)
        shard.requests += 1
        shard.size += size
        self._open.move_to_end(kind)
        return Placement(shard.placement.index, closes) if closes else shard.placement

    def _new(self, kind: tuple[str, str]) -> _Shard:
        shard = self._open[kind] = _Shard(Placement(self.opened))
        self.opened += 1
        return shard


class CustomIds:
    """Remembers which custom ids a file has used, in 10 to 20 bytes each.

    It keeps 64-bit hashes: among ten million rows, the chance that two different ids count as the same is 3 in a
    million. The hash is the same in every process, so that building again finds the same duplicates: it is the id's
    bytes as a number, scattered by a factor modulo a prime, at a third of the time of a cryptographic hash.
    """

    _PARTS: Final = 256
    _FIRST_SIZE: Final = 256
    _FULL: Final = 0.8

    def __init__(self) -> None:
        self._tables = [array("Q", bytes(8 * self._FIRST_SIZE)) for _ in range(self._PARTS)]
        self._left = [int(self._FULL * self._FIRST_SIZE)] * self._PARTS

    def first_use(self, custom_id: str) -> bool:
        """Whether no earlier call had this id."""
        # The leading 1 tells ids apart that begin with NULs.
        text = b"\x01" + custom_id.encode("utf-8", "surrogatepass")
        number = int.from_bytes(text) * _FACTOR % _PRIME or 1
        part = number & 255
        table = self._tables[part]
        place = (number >> 8) & (len(table) - 1)
        if (found := table[place]) and found != number:
            place = _next_place(number, place, table)
            found = table[place]
        if found:
            return False
        table[place] = number
        self._left[part] -= 1
        if not self._left[part]:
            self._grow(part)
        return True

    def _grow(self, part: int) -> None:
        table = self._tables[part]
        larger = self._tables[part] = array("Q", bytes(8 * 2 * len(table)))
        last = len(larger) - 1
        for number in filter(None, table):
            place = (number >> 8) & last
            larger[_next_place(number, place, larger) if larger[place] else place] = number
        self._left[part] = int(self._FULL * len(larger)) - int(self._FULL * len(table))

    @property
    def memory(self) -> int:
        """Bytes held for the ids."""
        return sum(len(table) * table.itemsize for table in self._tables)


def _next_place(number: int, place: int, table: "array[int]") -> int:
    """Where a number is, or is to go, whose first place is another's: open addressing, 0 is a free place.

    Another odd step for each number keeps ids that look alike from queueing behind each other.
    """
    last, step = len(table) - 1, (number >> 40) | 1
    while (found := table[place]) and found != number:
        place = (place + step) & last
    return place


def row_line(sent: SentRow | Request) -> bytes:
    """Write what is known of one line of a batch: `[1,"task-0",0]`, without a line end."""
    return orjson.dumps([sent.row, sent.custom_id, sent.schema])


def read_rows(lines: Iterable[bytes]) -> Iterator[SentRow]:
    """Read the lines that `row_line` wrote; blank ones are passed over."""
    for line in lines:
        if line and not line.isspace():
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
