"""JSON lines and JSON arrays, whole requests, records, and errors.jsonl dropped again."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.model import JobCode, RowCode
from shared.prompt_file import lines
from testing.reading import read

REQUEST = {"custom_id": "a", "method": "POST", "url": "/chat/completions", "body": {"messages": []}}
ERROR = {"code": "refusal", "message": "No.", "row": 7, "attempts": 1}
ANSWER = {"text": "no", "finish_reason": "stop", "model": "gpt-4o", "usage": {"input_tokens": 1}}


def both(*elements: str) -> list[tuple[str, bytes]]:
    """The same elements as lines and as an array."""
    return [("a.jsonl", "\n".join(elements).encode()), ("a.json", f"[{','.join(elements)}]".encode())]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}\n{"a":2}\n',
        b'{"a":1}\r\n{"a":2}',
        b'\xef\xbb\xbf{"a":1}\n\n \t\r\n{"a":2}\n\n',
        b'  {"a": 1}  \n{"a": 2}',
    ],
)
def test_lines_are_records_and_blank_ones_are_not_counted(data: bytes) -> None:
    assert read("a.jsonl", data).values == [{"a": 1}, {"a": 2}]
    assert read("a.ndjson", data).headers is None


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a":1},{"a":2}]',
        b'\xef\xbb\xbf \r\n[\n  {"a" : 1} ,\n\t{"a":2}\n] \n',
    ],
)
def test_an_arrays_elements_are_records(data: bytes) -> None:
    assert read("a.json", data).values == [{"a": 1}, {"a": 2}]


def test_requests_and_records_may_be_mixed_and_keep_all_their_keys() -> None:
    request = REQUEST | {"metadata": {"a": [1, None]}, "input": {"Ticket": 7}, "error": "mine", "answer": 42}
    for name, data in both(json.dumps(request), '{"Prompt": "One"}'):
        reading = read(name, data)
        assert reading.values == [request, {"Prompt": "One"}]
        assert [record.is_request for record in reading.records] == [True, False]


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ("nonsense", "is not valid JSON: expecting value at character 1"),
        ('{"a": 1,}', "is not valid JSON: illegal trailing comma before end of object at character 8"),
        ('{"a": NaN}', "is not valid JSON: NaN is not a JSON value: write null"),
        ('{"a": -Infinity}', "is not valid JSON"),
        ('{"a": 1e999}', "is not valid JSON"),
        ('{"a": "\\ud800"}', "is not valid JSON"),
        ('{"a": "\t"}', "is not valid JSON"),
        ("{'a': 1}", "is not valid JSON"),
        ('{"a": 1}}', "is not valid JSON"),
        ('{"a": 1} {"b": 2}', "holds several objects: write each on its own line"),
        ("[1]", "is a list and not a JSON object: if the file is a JSON array, name it .json"),
        ('"text"', "is a text and not a JSON object"),
        ("12.5", "is a number and not a JSON object"),
        ("true", "is true or false and not a JSON object"),
        ("null", "is null and not a JSON object"),
        (
            '{"a": 18446744073709551616}',
            "holds a whole number beyond 64 bits, which would be rounded: put it in quotes",
        ),
        ('{"a": [{"b": -9223372036854775809}]}', "holds a whole number beyond 64 bits"),
        (f'{{"a": {"9" * 300}}}', "holds a whole number beyond 64 bits"),
        (f'{{"a": {"9" * 5000}}}', "is not valid JSON: "),
        (f'{{"a": {"[" * 200}{"]" * 200}}}', "is nested more than 200 levels deep"),
    ],
)
def test_what_is_no_object_is_that_rows_fault_and_keeps_its_text(element: str, reason: str) -> None:
    for name, data in both('{"n": 1}', element, '{"n": 3}'):
        for size in (1, 7, 1 << 20):
            reading = read(name, data, size)
            assert reading.fault is None
            assert [record.row for record in reading.records] == [1, 2, 3]
            faulty = reading.records[1]
            assert faulty.fault is not None
            assert faulty.fault.code is RowCode.INVALID_JSON
            assert faulty.fault.message.startswith(f"Row 2 {reason}")
            assert (faulty.values, faulty.text) == ({}, element)
            assert reading.records[2].values == {"n": 3}


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_no_depth_of_nesting_exhausts_the_stack(brackets: str) -> None:
    opening = "[" if brackets == "[]" else '{"a":'
    element = f'{{"a": {opening * 200_000}1{brackets[1] * 200_000}}}'
    for name, data in both(element, '{"n": 2}'):
        reading = read(name, data)
        assert reading.records[0].fault is not None
        assert reading.records[1].values == {"n": 2}


@pytest.mark.parametrize(
    "value",
    [
        18446744073709551615,
        -9223372036854775808,
        12345678901234567890,
        "123456789012345678901234567890",
        1.2345678901234567,
        0.12345678901234567,
    ],
)
def test_numbers_that_fit_and_digits_in_texts_are_kept(value: object) -> None:
    assert read("a.jsonl", json.dumps({"a": value}).encode()).values == [{"a": value}]


def test_nesting_up_to_the_limit_is_kept() -> None:
    value: Any = 1
    for _ in range(199):
        value = [value]

    assert read("a.jsonl", json.dumps({"a": value}).encode()).values == [{"a": value}]


def test_many_brackets_side_by_side_are_no_depth() -> None:
    value: dict[str, Any] = {"a": [[]] * 1000}

    assert read("a.jsonl", json.dumps(value).encode()).values == [value]


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert read("a.jsonl", b'{"a": 1, "a": 2}').values == [{"a": 2}]


def test_unicode_line_ends_are_data() -> None:
    text = "a\u2028b\u0085c\x0bd\x1ce"
    for name, data in both(
        json.dumps({"a": text}, ensure_ascii=False).replace("\\u000b", "\u2029").replace("\\u001c", "")
    ):
        assert read(name, data).values == [{"a": "a\u2028b\u0085c\u2029de"}]


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "goes on after the end of its object. A .json file holds one array of objects"),
        (b"x", "does not begin with ["),
        (b'[{"a": 1}', "ends before its array does, after 0 whole rows"),
        (b'[{"a": 1}, {"a', "ends before its array does, after 1 whole rows"),
        (b'[{"a": 1},', "ends before its array does, after 1 whole rows"),
        (b"[", "ends before its array does"),
        (b'[{"a": 1}] [', "goes on after the end of its array"),
        (b'[{"a": [1}, {"a": 2}]', "ends before its array does"),
    ],
)
def test_a_file_that_is_no_whole_array_is_refused(data: bytes, hint: str) -> None:
    for size in (1, 1 << 20):
        reading = read("a.json", data, size)
        assert reading.fault is JobCode.INVALID_FILE
        assert hint in reading.message


def test_a_comma_with_nothing_before_it_is_an_element_that_is_missing() -> None:
    for data, faults in (
        (b'[,{"a": 1}]', [True, False]),
        (b'[{"a": 1},,{"a": 2}]', [False, True, False]),
        (b"[,]", [True]),
    ):
        reading = read("a.json", data)
        assert reading.fault is None
        assert [record.fault is not None for record in reading.records] == faults
        fault = reading.records[faults.index(True)].fault
        assert fault is not None
        assert fault.code is RowCode.INVALID_JSON
        assert "there is nothing between two commas" in fault.message


@pytest.mark.parametrize("end", [",]", ", ]", ",\n]\n"])
def test_a_comma_after_the_last_element_is_none(end: str) -> None:
    for size in (1, 1 << 20):
        assert read("a.json", f'[{{"a": 1}}, {{"a": 2}}{end}'.encode(), size).values == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf"])
def test_nothing_is_an_empty_file(data: bytes) -> None:
    assert read("a.jsonl", data).fault is JobCode.EMPTY_FILE
    assert read("a.json", data).fault is JobCode.EMPTY_FILE


def test_an_empty_array_is_an_empty_file() -> None:
    assert read("a.json", b"[ ]").fault is JobCode.EMPTY_FILE


@pytest.mark.parametrize(
    "wrong",
    [
        b'{"a": "\xe4"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xff",
        b'{"a": 1}\xc3',
        b'\xff\xfe{\0"\0',
        b'{\0"\0a\0"\0:\x001\0}\0',
    ],
)
def test_bytes_that_are_no_utf8_are_a_fault_of_the_file(wrong: bytes) -> None:
    for size in (1, 1 << 20):
        assert read("a.jsonl", wrong + b"\n", size).fault is JobCode.NOT_UTF8
    assert read("a.jsonl", b'{"a": 1}\n' + wrong.replace(b"\0", b"\xff")).fault is JobCode.NOT_UTF8


@pytest.mark.parametrize("data", [b'[{"a": "\xe4"}]', b'[{"a": 1}, \xff]', b'[{"a": 1}]\xff', b"\xff", b"[\0{\0}\0]\0"])
def test_an_array_with_bytes_that_are_no_utf8_is_a_fault_of_the_file(data: bytes) -> None:
    for size in (1, 1 << 20):
        assert read("a.json", data, size).fault is JobCode.NOT_UTF8


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b'{"a": "' + b"x" * 3000),
        ("a.jsonl", b"\n" * 3000),
        ("a.json", b'[{"a": "' + b"x" * 3000),
        ("a.json", b" " * 3000 + b"[]"),
        ("a.json", b"[" + b" " * 3000 + b"]"),
        ("a.json", b"[" + b"[" * 3000),
    ],
)
def test_a_file_without_a_rows_end_is_given_up(name: str, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_ROW", 2000)
    reading = read(name, data, size=100)

    assert reading.fault is JobCode.INVALID_FILE
    assert "without the end of a row" in reading.message


def test_the_limit_of_a_row_does_not_limit_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_ROW", 50)

    assert len(read("a.jsonl", b'\n{"a": 1}\n' * 100, size=20).values) == 100
    assert len(read("a.json", b"[" + b'{"a": 1}, \n' * 99 + b'{"a": 1}]', size=20).values) == 100


def test_an_error_lines_request_is_read_without_error_and_answer() -> None:
    for name, data in both(json.dumps(REQUEST | {"input": {"Ticket": 7}, "error": ERROR, "answer": ANSWER})):
        reading = read(name, data)
        assert reading.values == [REQUEST | {"input": {"Ticket": 7}}]
        assert reading.records[0].is_request


def test_an_error_lines_source_record_is_read_in_its_place() -> None:
    source = {"Prompt": "", "Ticket": 7, "error": "mine"}
    line = {"custom_id": "row-7", "source": source, "input": {"Ticket": 7}, "error": ERROR}
    for name, data in both(json.dumps(line)):
        reading = read(name, data)
        assert reading.values == [source]
        assert reading.records[0].custom_id == "row-7"


def test_an_error_lines_source_request_stays_a_request() -> None:
    line = {"custom_id": "a", "source": REQUEST | {"method": "GET"}, "error": ERROR, "input": {}}

    record = read("a.jsonl", json.dumps(line).encode()).records[0]

    assert record.is_request
    assert record.values == REQUEST | {"method": "GET"}


def test_an_error_lines_source_text_is_parsed_again() -> None:
    corrected = {"custom_id": "row-7", "source": '{"Prompt": "One"}', "input": {}, "error": ERROR}
    for name, data in both(json.dumps(corrected), json.dumps(corrected | {"source": "{Prompt"})):
        first, second = read(name, data).records
        assert (first.values, first.custom_id, first.fault) == ({"Prompt": "One"}, "row-7", None)
        assert second.fault is not None
        assert (second.fault.code, second.text, second.custom_id) == (RowCode.INVALID_JSON, "{Prompt", "row-7")
        assert second.fault.message.startswith('The text under "source" of row 2 is not valid JSON: ')
        assert "Write it as an object with a key for each column" in second.fault.message


def test_a_source_text_that_is_itself_an_error_line_is_followed() -> None:
    inner = {"custom_id": "row-1", "source": {"Prompt": "One"}, "error": ERROR}
    outer = {"custom_id": "row-9", "source": json.dumps(inner), "error": ERROR}

    record = read("a.jsonl", json.dumps(outer).encode()).records[0]

    assert (record.values, record.custom_id) == ({"Prompt": "One"}, "row-1")


def test_an_answer_that_was_cut_within_a_character_does_not_spoil_its_line() -> None:
    line = REQUEST | {"error": ERROR, "answer": ANSWER | {"text": "half \ud83d"}}

    assert read("a.jsonl", json.dumps(line).encode()).values == [REQUEST]


@pytest.mark.parametrize(
    "record",
    [
        {"Prompt": "One", "error": "E42", "source": "SAP"},
        {"Prompt": "One", "error": {"code": 5}, "source": {"a": 1}},
        {"Prompt": "One", "error": ERROR},
        {"Prompt": "One", "error": ERROR | {"row": "7"}, "source": "SAP"},
        {"Prompt": "One", "error": ERROR, "source": 12},
        {"Prompt": "One", "source": {"a": 1}, "answer": 42},
    ],
)
def test_own_columns_named_like_an_error_lines_are_kept(record: dict[str, object]) -> None:
    assert read("a.jsonl", json.dumps(record).encode()).values == [record]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)
RECORDS = st.lists(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), JSON_VALUES, max_size=4), min_size=1, max_size=5
)


@settings(deadline=None)
@given(RECORDS, st.booleans(), st.sampled_from([None, 2]), st.integers(1, 60))
def test_what_pythons_json_module_writes_is_read_back(
    records: list[dict[str, object]], ascii_only: bool, indent: int | None, size: int
) -> None:
    lines_text = "\n".join(json.dumps(record, ensure_ascii=ascii_only) for record in records)
    array_text = json.dumps(records, ensure_ascii=ascii_only, indent=indent)

    assert read("a.jsonl", lines_text.encode(), size).values == records
    assert read("a.json", array_text.encode(), size).values == records


@settings(deadline=None)
@given(st.text(st.sampled_from('[]{},:"\\ \n1aé'), max_size=30), st.integers(1, 7))
def test_an_array_is_read_whole_exactly_where_pythons_json_module_reads_it(text: str, size: int) -> None:
    """Whatever else it is: no row is lost, and none is made up."""
    reading = read("a.json", text.encode(), size)
    try:
        value = json.loads(re.sub(r",([ \n]*\][ \n]*)$", r"\1", text))
    except ValueError:
        value = None
    if isinstance(value, dict):
        value = [value]  # An object is one row; the texts here hold no key with an array of objects in it.
    if isinstance(value, list) and value:
        assert reading.fault is None
        assert len(reading.records) == len(value)
        for record, element in zip(reading.records, value, strict=True):
            assert record.values == (element if isinstance(element, dict) else {})
    else:
        assert reading.fault or any(record.fault for record in reading.records)
