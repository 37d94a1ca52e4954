"""What a job is estimated to use and cost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.estimate import Basis, Estimate
from shared.domain.model import RestOfJob
from shared.money.estimate import MeanOutput, estimate, estimate_rest
from shared.money.sample import MOST_CAPS, SAMPLE_SIZE, RequestSample
from shared.money.tokens import token_counter


def add(found: RequestSample, texts: list[str], schema: int = 0, **body: object) -> None:
    """Add requests with one message each."""
    requests = ({"body": {"messages": [{"role": "user", "content": text}], **body}} for text in texts)
    lines = [json.dumps(request).encode() for request in requests]
    found.add(lines, [schema] * len(lines), sum(map(len, lines)) + len(lines))


def sample(
    texts: list[str], *, block: int = 100, schema: int = 0, counter: object = token_counter("gpt-4o"), **body: object
) -> RequestSample:
    """A sample fed block by block, and counted."""
    found = RequestSample()
    for start in range(0, len(texts), block):
        part = texts[start : start + block]
        add(found, part, schema, **body)
    found.count(counter)  # type: ignore[arg-type]
    return found


def unknown(_deployment: str, _schema: int) -> float | None:
    """No history."""
    return None


def of(
    found: RequestSample, mean: MeanOutput = unknown, basis: Basis = Basis.HISTORY, model: str = "gpt-4o"
) -> Estimate:
    """The estimate of one deployment's sample."""
    found.count(token_counter("gpt-4o"))
    return estimate([("d", found)], lambda _name: model, mean, basis)


def test_up_to_a_thousand_requests_are_all_counted() -> None:
    texts = ["word " * (1 + number % 7) for number in range(SAMPLE_SIZE)]
    count = token_counter("gpt-4o")
    assert count is not None
    assert of(sample(texts)).input_tokens == sum(3 + 3 + count("user") + count(text) for text in texts)


def test_more_requests_are_estimated_within_three_percent() -> None:
    texts = [f"Row {number}: " + "the height of a tall building " * (1 + number % 23) for number in range(20_000)]
    count = token_counter("gpt-4o")
    assert count is not None
    exact = sum(3 + 3 + count("user") + count(text) for text in texts)
    assert of(sample(texts)).input_tokens == pytest.approx(exact, rel=0.03)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12))
def test_the_sample_follows_from_the_requests_and_not_from_how_they_were_blocked(sizes: list[int]) -> None:
    texts = [f"{number}" for number in range(sum(sizes))]
    blocked = RequestSample()
    start = 0
    for size in sizes:
        add(blocked, texts[start : start + size])
        start += size
    one = RequestSample()
    add(one, texts)
    assert blocked == one


@given(st.integers(0, 5000))
def test_the_sample_is_spread_over_the_whole_file(rows: int) -> None:
    found = sample(["x"] * rows, counter=None)
    assert found.requests == rows
    assert min(rows, SAMPLE_SIZE // 2) <= len(found.sampled) <= SAMPLE_SIZE


def test_of_many_requests_no_more_than_the_sample_is_counted() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    found = sample([f"Row {number}" for number in range(20_000)], counter=count)
    assert len([text for text in counted if text.startswith("Row")]) == len(found.sampled) <= SAMPLE_SIZE


def test_what_requests_have_in_common_is_counted_once() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    found = sample([f"Row {number}" for number in range(100)], counter=count, response_format=form, tools=[{"n": 1}])
    assert sorted(set(counted)) == sorted(counted)
    each = 3 + 3 + len("user") + len(json.dumps(schema, separators=(",", ":"))) + len('{"n":1}')
    assert [request.tokens for request in found.sampled] == [each + len(f"Row {n}") for n in range(100)]


def test_counting_some_of_a_sample_before_it_is_complete_makes_no_difference() -> None:
    texts = [f"{number}" * (number % 9) for number in range(2_500)]
    found = RequestSample()
    for start in range(0, len(texts), 100):
        add(found, texts[start : start + 100])
        found.count(len)
        assert found.held == 0
    assert found == sample(texts, counter=len)


def test_a_sample_holds_only_the_requests_that_are_still_to_be_counted() -> None:
    found = RequestSample()
    add(found, ["x" * 1_000, "y" * 100_000])
    assert found.held == sum(len(request.line) for request in found.sampled) > 101_000
    many = sample(["x" * 1_000] * 5_000, counter=len)
    assert (many.held, {request.line for request in many.sampled}) == (0, {b""})


def test_where_no_encoding_is_known_tokens_are_estimated_by_bytes() -> None:
    found = sample(["x" * 400] * 10, counter=None)
    assert of(found).input_tokens == -(-found.size // 4)


@pytest.mark.parametrize("text", ["tall building ", "人工智能正在改变世界各地的医疗、", "x[i] += {12.5; 7, 88};\n"])
@pytest.mark.parametrize("others", [0, 99])
def test_very_long_requests_are_counted_as_the_model_does_whatever_the_others_are_like(text: str, others: int) -> None:
    long = [" ".join(f"{text * number} {number}" for number in range(350, 450)), text * 40_000]
    texts = ["A short question in English."] * others + long
    count = token_counter("gpt-4o")
    assert count is not None
    exact = sum(7 + count(text) for text in texts)
    assert of(sample(texts)).input_tokens == pytest.approx(exact, rel=0.03)


def test_a_very_long_text_is_counted_in_pieces_and_a_shared_one_once() -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text)

    book = "once upon a time " * 50_000
    found = sample([f"{book}{number % 2}" for number in range(100)], counter=count)

    assert [request.tokens for request in found.sampled] == [3 + 3 + len("user") + len(book) + 1] * 100
    assert sum(counted) < 2 * 32_768 + 100


def test_without_history_and_cap_output_and_cost_are_unknown() -> None:
    assert of(sample(["Hi"])) == Estimate(8, None, None, None)


def test_without_history_every_row_counts_its_cap() -> None:
    found = of(sample(["Hi"] * 10, max_completion_tokens=100))
    assert (found.output_tokens, found.basis) == (1000, Basis.CAP)
    assert found.usd == pytest.approx((80 * 1.25 + 1000 * 5) / 1e6)


def test_the_mean_of_earlier_answers_counts_and_no_row_counts_more_than_its_cap() -> None:
    found = sample(["Hi"] * 5, max_completion_tokens=20)
    add(found, ["Hi"] * 5, max_completion_tokens=200)
    known = of(found, lambda _deployment, _schema: 30.0)
    assert (known.output_tokens, known.basis) == (5 * 20 + 5 * 30, Basis.HISTORY)


def test_one_schema_without_a_mean_makes_the_estimate_no_better_founded_than_its_cap() -> None:
    found = sample(["Hi"] * 2, schema=0, max_completion_tokens=50)
    add(found, ["Hi"] * 2, schema=1, max_completion_tokens=50)
    known = of(found, lambda _deployment, schema: 10.0 if schema == 0 else None, Basis.PILOT)
    assert (known.output_tokens, known.basis) == (2 * 10 + 2 * 50, Basis.CAP)


def test_an_unknown_price_leaves_the_cost_open_and_the_tokens_known() -> None:
    found = of(sample(["Hi"], max_completion_tokens=10), model="my-deployment")
    assert (found.output_tokens, found.usd) == (10, None)


@pytest.mark.parametrize("caps", [[20] * 5 + [200] * 5, [20] * 5 + [None] * 5, list(range(1, 121))])
def test_after_a_pilot_no_row_counts_more_than_its_own_cap(caps: list[int | None]) -> None:
    found = RequestSample()
    for cap in caps:
        add(found, ["Hi"], **({} if cap is None else {"max_completion_tokens": cap}))
    found.count(token_counter("gpt-4o"))
    rest = {"d": RestOfJob(requests=found.requests, input_tokens=found.input_tokens, caps=found.caps)}

    known = estimate_rest(rest, lambda _name: "gpt-4o", lambda _name: 30.0)

    assert known.output_tokens == sum(30 if cap is None else min(30, cap) for cap in caps)
    assert len(found.caps) <= MOST_CAPS + 1


@pytest.mark.parametrize(("caps", "tokens"), [(((10.0, 3), (20.0, 1)), 50), (((10.0, 3), (None, 1)), None)])
def test_a_pilot_without_any_answer_leaves_the_rows_to_their_caps(
    caps: tuple[tuple[float | None, int], ...], tokens: int | None
) -> None:
    rest = {"d": RestOfJob(requests=4, input_tokens=40, caps=caps)}
    assert estimate_rest(rest, lambda _name: "gpt-4o", lambda _name: None).output_tokens == tokens
