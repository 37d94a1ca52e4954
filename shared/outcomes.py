"""Outcomes on their way between steps: as lines of a file, merged from several, the best of each row."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from shared import exact_json
from shared.model import Outcome, RowCode, Usage


def to_line(outcome: Outcome) -> bytes:
    """Write an outcome as compact JSON without a line end; what has its default is left out."""
    fields: dict[str, object] = {"row": outcome.row, "custom_id": outcome.custom_id}
    if outcome.code is not None:
        fields["code"] = outcome.code
    if outcome.output is not None:
        fields["output"] = outcome.output
    if outcome.text is not None:
        fields["text"] = outcome.text
    if outcome.usage is not None:
        fields["usage"] = [outcome.usage.input_tokens, outcome.usage.output_tokens]
    for name in ("message", "finish_reason", "model", "attempts", "status"):
        if value := getattr(outcome, name):
            fields[name] = value
    if outcome.schema >= 0:
        fields["schema"] = outcome.schema
    return exact_json.dumps(fields)


def from_line(line: bytes) -> Outcome:
    """Read an outcome as `to_line` wrote it; raises ValueError where the line is none."""
    fields = cast("dict[str, Any]", exact_json.loads(line))
    usage = fields.get("usage")
    return Outcome(
        row=fields["row"],
        custom_id=fields["custom_id"],
        code=RowCode(fields["code"]) if "code" in fields else None,
        message=fields.get("message", ""),
        output=fields.get("output"),
        text=fields.get("text"),
        finish_reason=fields.get("finish_reason", ""),
        model=fields.get("model", ""),
        usage=None if usage is None else Usage(*usage),
        attempts=fields.get("attempts", 0),
        schema=fields.get("schema", -1),
        status=fields.get("status", 0),
    )


def best(of_one_row: Sequence[Outcome]) -> Outcome:
    """Choose what counts for a row, whatever the order: a success, else the latest attempt, one with an answer first.

    Where the latest has no paid answer, an earlier one's is carried along. `attempts` becomes the largest.
    """
    if len(of_one_row) == 1:
        return of_one_row[0]
    ranked = sorted(of_one_row, key=_rank, reverse=True)
    chosen = replace(ranked[0], attempts=max(outcome.attempts for outcome in ranked))
    paid = next((outcome for outcome in ranked if is_paid(outcome)), chosen)
    if is_paid(chosen):
        return chosen
    return replace(chosen, text=paid.text, finish_reason=paid.finish_reason, model=paid.model, usage=paid.usage)


def is_paid(outcome: Outcome) -> bool:
    """Whether the service gave an answer for the row, which it bills, good or not."""
    return outcome.usage is not None or outcome.text is not None or outcome.code is None


def merge(parts: Sequence[Iterator[Outcome]]) -> Iterator[Outcome]:
    """Merge parts that are sorted by row into one, the best outcome of each row."""
    merged: Iterable[Outcome] = heapq.merge(*parts, key=attrgetter("row")) if len(parts) != 1 else parts[0]
    for _row, of_one_row in groupby(merged, key=attrgetter("row")):
        yield best(list(of_one_row))


def _rank(outcome: Outcome) -> tuple[bool, int, bool, bytes]:
    return outcome.code is None, outcome.attempts, is_paid(outcome), to_line(outcome)
