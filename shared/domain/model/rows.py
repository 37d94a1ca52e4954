"""A row on its way: as read, as sent, and what became of it.

What exists once a row is a named tuple, which takes a third of the time of a frozen dataclass to make.
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
    """One row of a prompt file as it was read, counted from 1.

    `values` maps the header or key to the cell or JSON value; where the row could not be parsed it is empty,
    `text` holds the raw text and `fault` says why. In a ready-made request an object `input` holds the user's own
    columns. `custom_id` is what a line of an errors.jsonl bore that is dropped again: for a row that names none itself.
    `typed` holds the values with the types that the file gave them, where `values` shows them as texts; `gaps` says for
    a column why its value is missing although a person sees one.
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
    """Consecutive rows of a prompt file that have the same keys; `row` is the first's number.

    `keys` are a table's headers or the keys of JSON records. `rows` are as long as these, their cells in the same
    order: texts in tables, texts, numbers, true, false and null in JSON. `typed` are the same cells with the types that
    the file gave them, where `rows` shows them as texts. A row that a block cannot hold (with lists or objects, with a
    fault) is a block of one: `odd` is the row itself.
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
    """Requests of one model and url, in the order of their rows: `text` holds their lines with line ends.

    `schemas` are the numbers of their answers' schemas in the job's list, -1 without one; `input_tokens` is an estimate
    of all of them, `image_tokens` what the images of each cost of it, empty where none has images. `wording` are the
    requests as they would be without the bytes of images, empty where there are none. The request of an odd row is a
    block of one.
    """

    rows: Sequence[int]
    ids: Sequence[str]
    model: str
    url: str
    text: bytes
    schemas: Sequence[int]
    input_tokens: int
    image_tokens: Sequence[int] = ()
    wording: bytes = b""


class SentRow(NamedTuple):
    """What must be known of one line of a batch: the file's row, its custom_id and its schema's number.

    `image_tokens` is what its images cost, as estimated when it was built.
    """

    row: int
    custom_id: str
    schema: int
    image_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that were paid; the cached ones are among the input tokens, as far as the service tells them."""

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
    """What became of one row in one batch, or before any: a result (`code` is None) or a named error.

    `output` is the parsed answer where it is a result; `text` the raw answer that was paid for but is not a result.
    `schema` is the number of the answer's schema in the job's list, -1 without one.
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
    """The HTTP status of the row's own request, 0 where there was none."""
    reused_from: str = ""
    """The job that paid for the answer, where that was an earlier one."""


class FailedRow(NamedTuple):
    """One input row that has no result, with all that errors.jsonl says of it.

    `input` holds the user's own columns. The row also carries its `request` (custom_id, method, url, body), or where
    it never became one, its `source`: the record as an object, or the raw text. `schema` is the one that its answer is
    checked with, where that asks for more than the request shows. `typed` is `input` with the types that the file gave
    it, where these are others.
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
