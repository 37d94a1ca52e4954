"""Lines of the output and error files matched to rows: each row has exactly one outcome, whatever the lines do."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.answers.lines import answer_in, outcome_of
from shared.answers.matching import Matching, lines_of
from shared.answers.outcomes import best, read_line
from shared.answers.validation import Checks
from shared.domain.model import Fault, Outcome, RowCode, SentRow

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
ABSENT = Fault(RowCode.MISSING, "The service gave no answer.")


def answer(custom_id: str, content: str = '{"n":1}', reason: str = "stop") -> bytes:
    body = {
        "choices": [{"finish_reason": reason, "message": {"content": content}}],
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 3, "completion_tokens": len(content)},
    }
    line = {"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}
    return json.dumps(line, ensure_ascii=False).encode()


def failure(custom_id: str, status: int = 500) -> bytes:
    line = {"custom_id": custom_id, "response": {"status_code": status, "body": {"error": {"message": "no"}}}}
    return json.dumps(line).encode()


def expired(custom_id: str) -> bytes:
    return json.dumps({"error": {"code": "batch_expired"}, "response": None, "custom_id": custom_id}).encode()


def rows(count: int, prefix: str = "task-") -> list[SentRow]:
    return [SentRow(number * 2 + 1, f"{prefix}{number}", number % 2 - 1) for number in range(count)]


def matched(
    sent: Sequence[SentRow], *files: bytes, chunk: int = 1000, absent: Fault = ABSENT, **limits: int
) -> tuple[list[Outcome], Matching]:
    def chunks(data: bytes) -> Iterator[bytes]:
        return (data[start : start + chunk] for start in range(0, len(data), chunk))

    matching = Matching(
        sent,
        [lambda data=data: chunks(data) for data in files],  # type: ignore[misc]
        absent=absent,
        attempts=1,
        checks=Checks(lambda _number: SCHEMA),
        **limits,
    )
    return outcomes_of(matching), matching


def outcomes_of(matching: Matching) -> list[Outcome]:
    return [read_line(line).outcome for lines in matching.lines() for line in lines]


def counts(matching: Matching) -> tuple[int, int, int, int, bool]:
    return matching.missing, matching.unknown, matching.repeated, matching.broken_lines, matching.cut


def test_rows_get_their_own_answers_in_their_own_order() -> None:
    sent = rows(50)
    lines = [answer(row.custom_id, f'{{"n":{row.row}}}') for row in sent]
    random.Random(1).shuffle(lines)
    outcomes, matching = matched(sent, b"\n".join(lines) + b"\n", b"")
    assert [(o.row, o.custom_id, o.schema) for o in outcomes] == [(s.row, s.custom_id, s.schema) for s in sent]
    assert all(o.output == ({"n": o.row} if o.schema == 0 else {"text": f'{{"n":{o.row}}}'}) for o in outcomes)
    assert counts(matching) == (0, 0, 0, 0, False)


def test_failures_are_read_from_the_error_file() -> None:
    outcomes, matching = matched(rows(3), answer("task-1") + b"\n", failure("task-0", 429) + b"\n" + expired("task-2"))
    assert [o.code for o in outcomes] == [RowCode.RATE_LIMITED, None, RowCode.EXPIRED]
    assert counts(matching) == (0, 0, 0, 0, False)


def test_a_row_without_a_line_gets_what_the_caller_says() -> None:
    outcomes, matching = matched(rows(2), answer("task-1") + b"\n")
    assert outcomes[0] == Outcome(
        row=1, custom_id="task-0", code=ABSENT.code, message=ABSENT.message, attempts=1, schema=-1
    )
    assert counts(matching) == (1, 0, 0, 0, False)


def test_of_repeated_lines_the_success_counts_and_all_are_counted() -> None:
    lines = [failure("task-1"), answer("task-1"), answer("task-1"), expired("task-1"), answer("task-0")]
    outcomes, matching = matched(rows(2), b"\n".join(lines))
    assert [o.code for o in outcomes] == [None, None]
    assert counts(matching) == (0, 0, 3, 0, False)


def test_lines_of_no_row_are_counted() -> None:
    _outcomes, matching = matched(rows(1), b"\n".join([answer("else"), answer("task-0"), answer("other"), b""]))
    assert counts(matching) == (0, 2, 0, 0, False)


@pytest.mark.parametrize(
    "broken", [b"{", b"[]", b"5", b'{"custom_id": 5}', b"{}", b'{"custom_id": "task-0", "resp', b"\xff"]
)
def test_a_broken_line_is_counted_and_costs_its_own_row_only(broken: bytes) -> None:
    outcomes, matching = matched(rows(2), broken + b"\n" + answer("task-1") + b"\n")
    assert [o.code for o in outcomes] == [RowCode.MISSING, None]
    assert counts(matching) == (1, 0, 0, 1, False)


@pytest.mark.parametrize(
    ("raw", "custom_id"),
    [
        (b'{"custom_id": "task-0", "response": {}}', "task-0"),
        (b'{"response": {"custom_id": "no"}, "custom_id": "yes"}', "yes"),
        (b'{"custom_id": "with \\"quotes\\" \\u00fc"}', 'with "quotes" ü'),
        ('{"custom_id": "Zürich\u2028"}'.encode(), "Zürich\u2028"),
        (b'\xef\xbb\xbf{"custom_id": "after a BOM"}', "after a BOM"),
        (answer("task-0").replace(b'"model"', b'"odd": "\xff", "model"'), "task-0"),
        (answer("task-0").replace(b'"model"', b'"deep": ' + b"[" * 2000 + b"]" * 2000 + b', "model"'), "task-0"),
    ],
)
def test_a_custom_id_is_found_wherever_it_stands(raw: bytes, custom_id: str) -> None:
    _outcomes, matching = matched([SentRow(1, custom_id, -1)], raw)
    assert counts(matching) == (0, 0, 0, 0, False)


@pytest.mark.parametrize(
    "odd",
    [
        {"finish_reason": "length"},
        {"message": {"content": ""}},
        {"message": {"content": None, "refusal": "No."}},
        {"message": {"content": '{"n":1}', "refusal": ""}},
        {"message": {"content": None, "tool_calls": [{"id": "1"}]}},
        {"message": {"content": '{"n":1}', "tool_calls": []}},
        {"message": {"content": '{"n":"', "function_call": {"name": "f"}}},
        {"message": {"content": [{"type": "text", "text": '{"n":1}'}]}},
        {"message": {"content": '{"n":"\ud800"}'}},
        {"message": {"content": '{"n":1' + "0" * 30 + "}"}},
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"usage": None},
        {"usage": {"prompt_tokens": True, "completion_tokens": 1}},
        {"usage": {"prompt_tokens": -1, "completion_tokens": 1}},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 10**400}},
        {"usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 8}}},
        {"usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": None}}},
        {"model": 5},
        {"error": {}},
    ],
)
@pytest.mark.parametrize("schema", [-1, 0])
def test_an_ordinary_answer_is_read_like_any_other(odd: dict[str, Any], body: dict[str, Any], schema: int) -> None:
    line = json.loads(answer("task-0"))
    line["response"]["body"]["choices"][0].update(odd)
    line["response"]["body"].update(body)
    sent = SentRow(1, "task-0", schema)
    check = Checks(lambda _number: SCHEMA).check(0) if schema >= 0 else None
    assert matched([sent], json.dumps(line).encode())[0] == [
        outcome_of(answer_in(line), sent=sent, attempts=1, check=check)
    ]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_blank_lines_and_a_missing_last_line_end_are_no_fault(end: bytes) -> None:
    outcomes, matching = matched(rows(2), answer("task-0") + b"\r\n\n" + answer("task-1") + end)
    assert [o.code for o in outcomes] == [None, None]
    assert counts(matching) == (0, 0, 0, 0, False)


def test_a_file_that_ends_within_a_line_is_reported_as_cut_wherever_that_is() -> None:
    whole = answer("task-0") + b"\n" + answer("task-1", '{"n":22}')
    second = whole.index(b"\n") + 1
    for end in range(len(whole) + 1):
        outcomes, matching = matched(rows(2), whole[:end], chunk=64)
        assert matching.cut == (end not in (0, second - 1, second, len(whole))), end
        assert [o.code is None for o in outcomes] == [end >= second - 1, end == len(whole)]
        assert matching.broken_lines == 0


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\x1c", "\x0b", "\\u0000", "\\ud800", "é", "\U0001f600"])
def test_lines_end_at_line_feeds_only_and_any_text_is_kept(odd: str) -> None:
    sent = [SentRow(1, "task-0", -1), SentRow(2, "task-1", -1)]
    line = answer("task-0", "PLACE").replace(b"PLACE", odd.encode())
    if odd in "\x1c\x0b":
        line = line.replace(odd.encode(), json.dumps(odd)[1:-1].encode())
    outcomes, matching = matched(sent, line + b"\n" + answer("task-1") + b"\n", chunk=7)
    assert outcomes[0].output == {"text": json.loads(f'"{odd}"', strict=False)}
    assert counts(matching) == (0, 0, 0, 0, False)


def test_answers_that_fit_neither_memory_nor_disk_are_matched_in_windows() -> None:
    sent = rows(40)
    lines = [answer(row.custom_id, f'{{"n":{row.row},"pad":"{"x" * 200}"}}') for row in sent]
    lines += [failure("task-3"), answer("unknown"), b"broken"]
    random.Random(2).shuffle(lines)
    files = b"\n".join(lines[:20]) + b"\n", b"\n".join(lines[20:]) + b"\n"
    at_once, matching = matched(sent, *files)
    opened: list[int] = []

    def count_opened() -> Iterator[bytes]:
        opened.append(1)
        return iter(files)

    in_windows = Matching(
        sent,
        [count_opened],
        absent=ABSENT,
        attempts=1,
        checks=Checks(lambda _number: SCHEMA),
        memory=1000,
        scratch=2000,
    )
    assert outcomes_of(in_windows) == at_once
    assert counts(in_windows) == counts(matching)
    assert len(opened) > 5


IDS = st.sampled_from([f"task-{number}" for number in range(6)] + ["stranger", 'quoted " id', "Zürich\u2028"])
LINES = st.lists(
    st.one_of(
        st.builds(answer, IDS, st.sampled_from(['{"n":1}', '{"n":"x"}', "no json", '{"n":1}' + " " * 300])),
        st.builds(answer, IDS, reason=st.sampled_from(["length", "content_filter"])),
        st.builds(failure, IDS, st.sampled_from([400, 429, 500])),
        st.builds(expired, IDS),
        st.sampled_from([b"", b"  ", b"{", b"[]", b'{"custom_id": "task-1", "response": ', b"\xff"]),
    ),
    max_size=25,
)


def oracle(sent: Sequence[SentRow], lines: Sequence[bytes]) -> tuple[list[Outcome], tuple[int, int, int, int, bool]]:
    """Do the same the naive way: everything in dicts."""
    by_id: dict[str, list[Any]] = {}
    broken = 0
    for line in filter(bytes.strip, lines):
        try:
            parsed = json.loads(line)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict) and "custom_id" in parsed:
            by_id.setdefault(parsed["custom_id"], []).append(parsed)
        else:
            broken += 1
    outcomes = []
    missing = repeated = 0
    for row in sent:
        check = Checks(lambda _number: SCHEMA).check(0) if row.schema >= 0 else None
        own = [outcome_of(answer_in(line), sent=row, attempts=1, check=check) for line in by_id.pop(row.custom_id, [])]
        absence = Outcome(
            row=row.row,
            custom_id=row.custom_id,
            code=ABSENT.code,
            message=ABSENT.message,
            attempts=1,
            schema=row.schema,
        )
        missing += not own
        repeated += max(len(own) - 1, 0)
        outcomes.append(best(own) if own else absence)
    return outcomes, (missing, sum(map(len, by_id.values())), repeated, broken, False)


@given(
    LINES, st.integers(0, 25), st.integers(1, 400), st.sampled_from([0, 1000, 10**6]), st.sampled_from([1, 700, 10**6])
)
def test_every_row_has_exactly_the_outcome_that_the_naive_way_finds(
    lines: list[bytes], split: int, chunk: int, memory: int, scratch: int
) -> None:
    sent = [*rows(6), SentRow(90, 'quoted " id', 0), SentRow(91, "Zürich\u2028", 0)]
    files = [b"".join(line + b"\n" for line in part) for part in (lines[:split], lines[split:])]
    outcomes, matching = matched(sent, *files, chunk=chunk, memory=memory, scratch=scratch)
    assert (outcomes, counts(matching)) == oracle(sent, lines)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_at_all_leave_every_row_with_one_outcome(junk: bytes, chunk: int) -> None:
    outcomes, _matching = matched(rows(3), junk, answer("task-1") + b"\n" + junk, chunk=chunk)
    assert [o.row for o in outcomes] == [1, 3, 5]
    assert outcomes[1].code is None


@given(st.binary(), st.integers(1, 20))
def test_lines_joined_are_the_bytes_they_came_from(data: bytes, chunk: int) -> None:
    lines = list(lines_of(data[start : start + chunk] for start in range(0, len(data), chunk)))
    assert b"".join(lines) == data
    assert all(line.find(b"\n") in (len(line) - 1, -1) for line in lines)


def test_rows_that_were_never_run_are_given_up_with_their_job_whether_the_service_names_them_or_not() -> None:
    sent = rows(4)
    cancelled = json.dumps({"custom_id": "task-1", "response": None, "error": {"code": "batch_cancelled"}}).encode()
    lines = b"\n".join([expired("task-0"), cancelled, failure("task-2", 400), b""])
    outcomes, _ = matched(sent, lines, absent=Fault(RowCode.GAVE_UP, "The job gave up."))
    given_up = [RowCode.GAVE_UP, "The job gave up."]
    assert [[outcome.code, outcome.message] for outcome in outcomes[:2]] == [given_up, given_up]
    assert outcomes[2].code is RowCode.REQUEST_FAILED
    assert [outcomes[3].code, outcomes[3].message] == given_up
    named, _ = matched(sent, lines)
    assert [outcome.code for outcome in named[:2]] == [RowCode.EXPIRED, RowCode.CANCELLED]
