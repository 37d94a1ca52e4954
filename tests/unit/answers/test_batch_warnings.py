"""What a batch's outcomes say together: a schema at fault, or a parameter that all rows were refused for."""

import pytest

from shared.answers.batch_warnings import common_refusal, warning_of
from shared.answers.outcomes import read_lines, to_line
from shared.answers.tally import Tally
from shared.domain.model import Batch, BatchState, Outcome, RowCode, Usage

BATCH = Batch(
    job_id="j", index=0, attempt=1, state=BatchState.ENDED, model="m", url="u", requests=3, batch_id="batch_1"
)
COLD = "HTTP 400: unsupported_value: Unsupported value: 'temperature' does not support 0. (parameter temperature)"


def refused(row: int, message: str = COLD, status: int = 400) -> Outcome:
    return Outcome(row, f"row-{row}", RowCode.REQUEST_FAILED, message, attempts=1, status=status)


def answered(row: int, code: RowCode | None = None) -> Outcome:
    return Outcome(row, f"row-{row}", code, usage=Usage(10, 5, 4), attempts=1, status=200)


def tally_of(*outcomes: Outcome) -> Tally:
    tally = Tally()
    for outcome in outcomes:
        tally.add(read_lines([to_line(outcome)]))
    return tally


def test_rows_all_refused_for_one_parameter_name_it_and_the_remedy() -> None:
    tally = tally_of(*(refused(row) for row in range(1, 4)))
    assert common_refusal(tally) == (
        "All 3 rows were refused because of the parameter temperature: reasoning models do not take it; remove it from "
        "parameters of _job.json, or from the requests (to steer such a model, use reasoning_effort), then retry the "
        "job."
    )
    assert warning_of(BATCH, tally) == f"Batch batch_1: {common_refusal(tally)}"


@pytest.mark.parametrize(
    ("parameter", "remedy"),
    [("max_tokens", "use max_completion_tokens in its place"), ("response_format", "correct or remove it")],
)
def test_each_parameter_has_its_remedy(parameter: str, remedy: str) -> None:
    tally = tally_of(refused(1, f"HTTP 400: Refused. (parameter {parameter})"))
    assert common_refusal(tally).startswith(f"The only row was refused because of the parameter {parameter}: {remedy}")


@pytest.mark.parametrize(
    "others",
    [
        [answered(9)],
        [refused(9, "HTTP 400: another reason (parameter temperature)")],
        [refused(9, status=500)],
        [Outcome(9, "row-9", RowCode.CONTENT_FILTER, COLD, attempts=1, status=400)],
    ],
    ids=["one was answered", "other words", "other status", "other code"],
)
def test_rows_that_were_not_all_refused_alike_say_nothing(others: list[Outcome]) -> None:
    tally = tally_of(*(refused(row) for row in range(1, 4)), *others)
    assert (common_refusal(tally), warning_of(BATCH, tally)) == ("", "")


def test_a_refusal_that_names_no_parameter_says_nothing() -> None:
    assert common_refusal(tally_of(refused(1, "HTTP 400: The request is invalid."))) == ""


def test_no_rows_say_nothing() -> None:
    assert warning_of(BATCH, Tally()) == ""


def test_many_different_refusals_take_no_memory() -> None:
    tally = tally_of(*(refused(row, f"HTTP 400: {row}") for row in range(50)))
    assert len(tally._refusals) == 2


def test_a_schema_that_more_than_a_fifth_of_20_rows_break_is_at_fault() -> None:
    rows = [answered(row, RowCode.INVALID_OUTPUT) for row in range(5)] + [answered(row) for row in range(5, 20)]
    assert "5 of the 20 answers of batch batch_1 do not fit their schema" in warning_of(BATCH, tally_of(*rows))
    assert warning_of(BATCH, tally_of(*rows[1:], answered(20))) == ""


def test_cached_tokens_are_added_up() -> None:
    assert tally_of(answered(1), answered(2)).usage == Usage(20, 10, 8)
