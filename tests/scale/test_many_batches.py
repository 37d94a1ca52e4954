"""A job of many batches and many models, and answers larger than the temporary file may be."""

import json
from collections.abc import Iterator

import pytest

from shared.answers.matching import Matching
from shared.answers.outcomes import read_line
from shared.answers.validation import Checks
from shared.domain.model import Fault, RowCode, SentRow
from shared.requests.batch_cutter import OPEN_BATCHES
from tests.reliability.simulation import Simulation

MODELS = OPEN_BATCHES + 5
ROWS = 120


def test_rows_of_many_models_over_many_batches_come_back_in_order() -> None:
    world = Simulation(MAX_REQUESTS_PER_BATCH="3")
    rows = [{"Prompt": f"Q{number}", "Model": f"m{number % MODELS}", "n": number} for number in range(ROWS)]
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    host, name = world.host(), world.drop("many.jsonl", "\n".join(map(json.dumps, rows)), schema=schema)
    world.event(host, name)
    world.go_on(host)
    (job,) = world.jobs()
    assert world.status(job)["state"] == "completed"
    assert len(world.status(job)["batches"]) >= ROWS / 3
    lines = [json.loads(line) for line in world.result(job, "results.jsonl").splitlines()]
    assert [line["row"] for line in lines] == list(range(1, ROWS + 1))
    assert [line["input"]["n"] for line in lines] == list(range(ROWS))


@pytest.mark.parametrize("scratch", [20_000, 10**9])
def test_answers_larger_than_the_temporary_file_are_all_matched(scratch: int) -> None:
    """At 20,000 bytes the 2,000 answers take many windows, each with one more pass over the file."""
    rows = [SentRow(number, f"id-{number}", -1) for number in range(1, 2001)]
    text = b"".join(_answer(row) for row in reversed(rows))
    passes = 0

    def chunks() -> Iterator[bytes]:
        nonlocal passes
        passes += 1
        for start in range(0, len(text), 10_000):
            yield text[start : start + 10_000]

    matching = Matching(
        rows,
        [chunks],
        absent=Fault(RowCode.MISSING, "none"),
        attempts=1,
        checks=Checks(lambda number: {}),
        scratch=scratch,
        memory=1000,
    )
    outcomes = [read_line(line).outcome for lines in matching.lines() for line in lines]
    assert [outcome.output for outcome in outcomes] == [{"text": f"answer {row.row}"} for row in rows]
    assert (passes > 5) is (scratch == 20_000)


def _answer(row: SentRow) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"answer {row.row}"}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    body = {"choices": [choice], "model": "m", "usage": usage}
    return json.dumps({"custom_id": row.custom_id, "response": {"status_code": 200, "body": body}}).encode() + b"\n"
