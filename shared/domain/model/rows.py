"""A row at each stage: as read, as sent, and what became of it.

Records that exist once per row are named tuples, which take a third of the time of a frozen dataclass to create.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.model.states import RowCode


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one row cannot be sent, or has no result."""

    code: RowCode
    message: str


class Record(NamedTuple):
    """One row of a prompt file as it was read; `row` counts from 1.

    `values` maps each header or key to its cell or JSON value. If the row could not be parsed, `values` is empty,
    `text` holds the raw text and `fault` says why. In a ready-made request, the object `input` holds the user's own
    columns. `custom_id` comes from the line of an errors.jsonl that was dropped again, for rows that name none
    themselves. `typed` holds the values with the types of the file, if `values` holds them as texts. `gaps` says by
    column why a value is missing although a person sees one.
    """

    row: int
    values: Mapping[str, object]
    text: str | None = None
    fault: Fault | None = None
    custom_id: str = ""
    typed: Mapping[str, object] | None = None
    gaps: Mapping[str, str] | None = None

    @property
    def is_dropped_again(self) -> bool:
        """Whether this is a line of an errors.jsonl."""
        return self.custom_id != ""

    @property
    def is_request(self) -> bool:
        """Whether this is a ready-made batch request, not a record of columns (only JSON holds objects)."""
        return isinstance(self.values.get("body"), dict) and "url" in self.values


class RowBlock(NamedTuple):
    """Consecutive rows of a prompt file with the same keys; `row` is the number of the first.

    `keys` are a table's headers or the keys of JSON records. Each of `rows` holds its cells in the same order: texts in
    tables; texts, numbers, booleans and null in JSON. `typed` holds the same cells with the types of the file, if
    `rows` holds them as texts. A row that does not fit into a block (with lists, objects or a fault) is a block of one,
    and `odd` is the row itself.
    """

    row: int
    keys: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    typed: Sequence[Sequence[object]] | None = None
    odd: Record | None = None

    def records(self) -> Iterator[Record]:
        """Return the same rows, one by one."""
        return (self.record(place) for place in range(len(self.rows)))

    def record(self, place: int) -> Record:
        """Return the row at a place, counted from 0."""
        if self.odd is not None:
            return self.odd
        typed = None if self.typed is None else dict(zip(self.keys, self.typed[place], strict=True))
        return Record(self.row + place, dict(zip(self.keys, self.rows[place], strict=True)), typed=typed)


class RequestBlock(NamedTuple):
    """Requests for one model and url, in the order of their rows; `lines` has one for each, without line ends.

    `schemas` are the numbers of their answers' schemas in the job's list, -1 without one. `size` is the bytes of the
    lines with line ends. `input_tokens` is an estimate for all of them; `image_tokens` is the part of each request's
    images, empty if none has images. `wordings` holds the lines without the bytes of images, empty if there are none.
    The request of an odd row is a block of one.
    """

    rows: Sequence[int]
    ids: Sequence[str]
    model: str
    url: str
    lines: Sequence[bytes]
    schemas: Sequence[int]
    size: int
    input_tokens: int
    image_tokens: Sequence[int] = ()
    wordings: Sequence[bytes] = ()

    @property
    def text(self) -> bytes:
        """The lines with line ends."""
        return b"\n".join((*self.lines, b""))


class SentRow(NamedTuple):
    """One line of a batch: the row in the prompt file, its custom_id and the number of its schema.

    `image_tokens` are the estimated tokens of its images.
    """

    row: int
    custom_id: str
    schema: int
    image_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that were paid for; the cached ones are part of the input tokens, 0 if not reported."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
        )


class Outcome(NamedTuple):
    """What became of one row, in a batch or before it reached one: a result (`code` is None) or a named error.

    `output` is the parsed answer of a result; `text` is a raw answer that was paid for but is not a result. `schema` is
    the number of the answer's schema in the job's list, -1 without one.
    """

    row: int
    custom_id: str
    code: RowCode | None = None
    message: str = ""
    output: object = None
    text: str | None = None
    finish_reason: str = ""
    model: str = ""
    usage: Usage | None = None
    attempts: int = 0
    schema: int = -1
    status: int = 0
    """The HTTP status of the row's own request, 0 if there was none."""
    reused_from: str = ""
    """The earlier job that paid for the answer; empty if this one did."""


class FailedRow(NamedTuple):
    """One input row without a result, with everything that errors.jsonl says about it.

    `input` holds the user's own columns. The row has its `request` (custom_id, method, url, body) or, if it never
    became one, its `source`: the record as an object, or the raw text. `schema` is what its answer is checked with, if
    that is more than the request shows. `typed` is `input` with the types of the file, if they differ.
    """

    custom_id: str
    input: Mapping[str, object]
    outcome: Outcome
    request: Mapping[str, object] | None = None
    source: Mapping[str, object] | str | None = None
    schema: Mapping[str, object] | None = None
    typed: Mapping[str, object] | None = None


def block_of_one(record: Record) -> RowBlock:
    """Return a row as a block of one."""
    return RowBlock(record.row, tuple(record.values), [tuple(record.values.values())], odd=record)
