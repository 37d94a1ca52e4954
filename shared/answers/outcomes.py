"""Outcomes as lines of a file, and the merging of several files: the best outcome of each row counts."""

import heapq
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, cast

import msgspec

from shared import json_codec
from shared.domain.model import Outcome, RowCode, Usage

_ROW = attrgetter("row")
_WEIGHTS: Final[Mapping[RowCode | None, int]] = {RowCode.GAVE_UP: 1, RowCode.NOT_SENT: -1}
"""Which code is kept for a row, of several codes of one attempt without an answer; 0 for all others."""


class OutcomeLine(msgspec.Struct, array_like=True, gc=False):
    """An outcome as its line holds it: the fields of Outcome, with `output` still as JSON.

    Most outcomes only pass through: reading a line takes a fraction of the time of an Outcome, and its output, which
    was checked when it arrived, goes into the results unchanged. For a reused answer, `reused_from` names the job that
    paid for it, and `request` is the hash of the request in hex, by which later jobs find it.
    """

    row: int
    custom_id: str
    code: str | None
    message: str
    output: msgspec.Raw
    text: str | None
    finish_reason: str
    model: str
    usage: tuple[int, int] | None
    attempts: int
    schema: int
    status: int
    cached_tokens: int = 0
    reused_from: str = ""
    request: str = ""

    @property
    def outcome(self) -> Outcome:
        """The outcome, parsed."""
        return Outcome(
            row=self.row,
            custom_id=self.custom_id,
            code=None if self.code is None else RowCode(self.code),
            message=self.message,
            output=json_codec.loads(memoryview(self.output)),
            text=self.text,
            finish_reason=self.finish_reason,
            model=self.model,
            usage=None if self.usage is None else Usage(*self.usage, self.cached_tokens),
            attempts=self.attempts,
            schema=self.schema,
            status=self.status,
            reused_from=self.reused_from,
        )


_decode = msgspec.json.Decoder(OutcomeLine).decode
_decode_all = msgspec.json.Decoder(list[OutcomeLine]).decode


def to_line(outcome: Outcome) -> bytes:
    """Write an outcome as a compact JSON array of its fields, without a line end."""
    *before, usage, attempts, schema, status, reused_from = outcome
    paid = None if usage is None else (usage.input_tokens, usage.output_tokens)
    cached = 0 if usage is None else usage.cached_tokens
    rest = [cached, reused_from] if reused_from else [cached] if cached else []
    return json_codec.dumps([*before, paid, attempts, schema, status, *rest])


def reused_line(line: OutcomeLine, row: int, custom_id: str, schema: int, paid_by: str, request: str) -> bytes:
    """Write the outcome of a row that reuses the answer that another job paid for, to the same request."""
    fields = [row, custom_id, None, "", line.output, None, line.finish_reason, line.model, None, 0, schema, line.status]
    return json_codec.dumps([*fields, 0, paid_by, request])


def result_line(
    row: int, custom_id: str, output: object, model: str, paid: tuple[int, int], attempts: int, schema: int, cached: int
) -> bytes:
    """Write the outcome of a row with a result: faster than `to_line`, as nearly all rows have one."""
    if cached:
        return json_codec.dumps(
            [row, custom_id, None, "", output, None, "stop", model, paid, attempts, schema, 200, cached]
        )
    return json_codec.dumps([row, custom_id, None, "", output, None, "stop", model, paid, attempts, schema, 200])


def read_line(line: bytes) -> OutcomeLine:
    """Read an outcome as `to_line` wrote it. Raises ValueError for any other line."""
    try:
        return _decode(line)
    except json_codec.UNREADABLE:
        # Half a surrogate pair.
        fields = cast("list[Any]", json_codec.loads(line))
        fields[4] = msgspec.Raw(json_codec.dumps(fields[4]))
        return OutcomeLine(*fields)


def read_lines(lines: Sequence[bytes]) -> list[OutcomeLine]:
    """Read many outcomes at once. Raises ValueError for any line that is no outcome."""
    try:
        found = _decode_all(b"[%b]" % b",".join(lines))
    except json_codec.UNREADABLE:
        found = []
    return found if len(found) == len(lines) else list(map(read_line, lines))


def best(of_one_row: Sequence[Outcome]) -> Outcome:
    """Choose the outcome that counts for a row, in whatever order they are given.

    That is a result, or else the latest attempt; of several at one attempt, one with an answer. If it has no answer
    that was paid for, it takes over an earlier one's. `attempts` becomes the largest. A follow-up that was never sent
    does not count as an attempt: the row keeps its earlier outcome, unless the job gave up.
    """
    if len(of_one_row) == 1:
        return of_one_row[0]
    ranked = sorted(of_one_row, key=_rank, reverse=True)
    chosen = ranked[0]._replace(attempts=max(outcome.attempts for outcome in ranked))
    paid = next((outcome for outcome in ranked if is_paid(outcome)), chosen)
    if is_paid(chosen):
        return chosen
    return chosen._replace(text=paid.text, finish_reason=paid.finish_reason, model=paid.model, usage=paid.usage)


def best_line(of_one_row: Sequence[bytes]) -> bytes:
    """Choose the line that counts for a row, as `best` does."""
    return to_line(best([read_line(line).outcome for line in of_one_row]))


def is_paid(outcome: Outcome) -> bool:
    """Return whether the service gave an answer for the row, good or bad, for which it bills."""
    return outcome.usage is not None or outcome.text is not None or outcome.code is None


type OutcomeBlock = list[OutcomeLine]
"""Outcomes of some rows, one per row, sorted by row."""


def merge(parts: Sequence[Iterator[OutcomeBlock]]) -> Iterator[OutcomeBlock]:
    """Merge several sorted parts: yield the best outcome of each row that any of them has."""
    reading = [_Part(blocks) for blocks in parts]
    # The part with the lowest next row is on top of the heap; its rows are taken until another part's turn.
    turns = [(part.row, number) for number, part in enumerate(reading) if part.goes_on()]
    heapq.heapify(turns)
    while turns:
        row, number = turns[0]
        following = min(turns[1:3], default=(None, 0))[0]
        if following == row:
            same = []
            while turns and turns[0][0] == row:
                number = turns[0][1]
                same.append(reading[number].take_one().outcome)
                _next_turn(turns, reading[number])
            yield [read_line(to_line(best(same)))]
        else:
            yield reading[number].take_before(following)
            _next_turn(turns, reading[number])


def _next_turn(turns: list[tuple[int, int]], part: "_Part") -> None:
    """Move the part on top to its next place in the heap; remove it if it has ended."""
    if part.goes_on():
        heapq.heapreplace(turns, (part.row, turns[0][1]))
    else:
        heapq.heappop(turns)


class _Part:
    """A part that is being merged: its current block, and how far that was read."""

    def __init__(self, blocks: Iterator[OutcomeBlock]) -> None:
        self._blocks = blocks
        self._block: OutcomeBlock = []
        self._at = 0

    @property
    def row(self) -> int:
        """The next row; call `goes_on` first, which tells whether there is one."""
        return self._block[self._at].row

    def goes_on(self) -> bool:
        """Return whether there is a next row."""
        while self._at == len(self._block):
            following = next(self._blocks, None)
            if following is None:
                return False
            self._block, self._at = following, 0
        return True

    def take_one(self) -> OutcomeLine:
        """Take the next row's outcome."""
        self._at += 1
        return self._block[self._at - 1]

    def take_before(self, row: int | None) -> OutcomeBlock:
        """Take the outcomes of the current block before `row`, or all of it if that is None."""
        start = self._at
        self._at = len(self._block) if row is None else bisect_left(self._block, row, start, key=_ROW)
        return self._block[start : self._at]


def _rank(outcome: Outcome) -> tuple[bool, int, bool, int, bytes]:
    weight = _WEIGHTS.get(outcome.code, 0)
    return outcome.code is None, outcome.attempts, is_paid(outcome), weight, to_line(outcome)
