"""Outcomes on their way between steps: as lines of a file, merged from several, the best of each row."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, cast

from shared import exact_json
from shared.model import Outcome, RowCode, Usage


def to_line(outcome: Outcome) -> bytes:
    """Write an outcome as a compact JSON array of its fields, without a line end."""
    *before, usage, attempts, schema, status = outcome
    paid = None if usage is None else (usage.input_tokens, usage.output_tokens)
    return exact_json.dumps([*before, paid, attempts, schema, status])


def from_line(line: bytes) -> Outcome:
    """Read an outcome as `to_line` wrote it; raises ValueError where the line is none."""
    fields = cast("list[Any]", exact_json.loads(line))
    if fields[2] is not None:
        fields[2] = RowCode(fields[2])
    if fields[8] is not None:
        fields[8] = Usage(*fields[8])
    return Outcome(*fields)


def best(of_one_row: Sequence[Outcome]) -> Outcome:
    """Choose what counts for a row, whatever the order: a success, else the latest attempt, one with an answer first.

    Where the latest has no paid answer, an earlier one's is carried along. `attempts` becomes the largest.
    """
    if len(of_one_row) == 1:
        return of_one_row[0]
    ranked = sorted(of_one_row, key=_rank, reverse=True)
    chosen = ranked[0]._replace(attempts=max(outcome.attempts for outcome in ranked))
    paid = next((outcome for outcome in ranked if is_paid(outcome)), chosen)
    if is_paid(chosen):
        return chosen
    return chosen._replace(text=paid.text, finish_reason=paid.finish_reason, model=paid.model, usage=paid.usage)


def is_paid(outcome: Outcome) -> bool:
    """Whether the service gave an answer for the row, which it bills, good or not."""
    return outcome.usage is not None or outcome.text is not None or outcome.code is None


def merge(parts: Sequence[Iterator[Outcome]]) -> Iterator[Outcome]:
    """Merge parts that are sorted by row into one, the best outcome of each row."""
    merged: Iterable[Outcome] = heapq.merge(*parts, key=itemgetter(0)) if len(parts) != 1 else parts[0]
    of_one_row: list[Outcome] = []
    for outcome in merged:
        if of_one_row and outcome.row != of_one_row[0].row:
            yield best(of_one_row)
            of_one_row = []
        of_one_row.append(outcome)
    if of_one_row:
        yield best(of_one_row)


def _rank(outcome: Outcome) -> tuple[bool, int, bool, bytes]:
    return outcome.code is None, outcome.attempts, is_paid(outcome), to_line(outcome)
