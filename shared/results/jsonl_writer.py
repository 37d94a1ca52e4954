"""The lines of results.jsonl and errors.jsonl."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from shared import json_codec
from shared.answers.outcomes import OutcomeLine, is_paid
from shared.domain.model import FailedRow, Outcome, Usage
from shared.results import CHUNK_SIZE
from shared.results.half_pairs import may_hold_half_pairs, readable_json
from shared.results.table import Own


class _Usage(msgspec.Struct, gc=False, omit_defaults=True):
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class _Result(msgspec.Struct, gc=False):
    """What results.jsonl holds for a row that succeeded."""

    row: int
    custom_id: str
    output: msgspec.Raw
    input: Mapping[str, object]
    model: str
    attempts: int
    usage: _Usage | None


class _Reused(_Result):
    """The same where an earlier job paid for the answer."""

    reused_from: str


_encode_lines = msgspec.json.Encoder().encode_lines


def result_lines(some: Sequence[OutcomeLine], own: Own) -> bytes:
    """Write rows that succeeded, with their own columns, as lines of results.jsonl."""
    results = [_result(line, values) for line, values in zip(some, own, strict=True)]
    try:
        lines = _encode_lines(results)
    except UnicodeEncodeError:
        lines = b"\\ud"
    if may_hold_half_pairs(lines):
        return b"".join([readable_json(_by_name(*row)) + b"\n" for row in zip(some, own, strict=True)])
    return lines


def _result(line: OutcomeLine, own: Mapping[str, object]) -> _Result:
    usage = line.usage and _Usage(*line.usage, line.cached_tokens)
    if line.reused_from:
        return _Reused(line.row, line.custom_id, line.output, own, line.model, line.attempts, usage, line.reused_from)
    return _Result(line.row, line.custom_id, line.output, own, line.model, line.attempts, usage)


def error_line(row: FailedRow) -> bytes:
    """Write a row that failed as a line of errors.jsonl: dropped again, it tries the row again."""
    return readable_json(_error_of(row)) + b"\n"


def _by_name(line: OutcomeLine, own: Mapping[str, object]) -> dict[str, object]:
    return {
        "row": line.row,
        "custom_id": line.custom_id,
        "output": json_codec.loads(memoryview(line.output)),
        "input": own,
        "model": line.model,
        "attempts": line.attempts,
        "usage": _usage(line.outcome.usage),
        **({"reused_from": line.reused_from} if line.reused_from else {}),
    }


def _error_of(row: FailedRow) -> dict[str, object]:
    outcome = row.outcome
    line: dict[str, object] = {"custom_id": row.custom_id}
    if row.request is not None:
        line |= row.request
    else:
        line["source"] = row.source
    line["input"] = row.input
    if row.schema is not None:
        line["schema"] = row.schema
    line["error"] = {
        "code": outcome.code,
        "message": outcome.message,
        "row": outcome.row,
        "attempts": outcome.attempts,
    }
    if is_paid(outcome):
        line["answer"] = _answer(outcome)
    return line


def _answer(outcome: Outcome) -> dict[str, object]:
    return {
        "text": outcome.text,
        "finish_reason": outcome.finish_reason,
        "model": outcome.model,
        "usage": _usage(outcome.usage),
    }


def _usage(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    cached = {"cached_tokens": usage.cached_tokens} if usage.cached_tokens else {}
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, **cached}


class JsonLines:
    """Writes a JSONL file to a sink, if there is one."""

    def __init__(self, write: Callable[[bytes], object] | None) -> None:
        self._write = write
        self._pending: list[bytes] = []
        self._size = 0

    def add(self, lines: bytes) -> None:
        """Append lines."""
        if self._write is None:
            return
        self._pending.append(lines)
        self._size += len(lines)
        if self._size >= CHUNK_SIZE:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        if self._write is not None and self._pending:
            self._write(b"".join(self._pending))
            self._pending.clear()
            self._size = 0
