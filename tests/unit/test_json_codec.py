"""JSON keeps what fast parsers lose, and refuses what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import json_codec

TEXTS = st.text(alphabet=st.characters(exclude_categories=[]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(JSON)
def test_any_value_comes_back_as_it_was(value: object) -> None:
    assert json_codec.loads(json_codec.dumps(value)) == value


@given(JSON)
def test_the_standard_library_reads_and_writes_the_same(value: object) -> None:
    assert json.loads(json_codec.dumps(value)) == value
    assert json_codec.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "number", [2**63 - 1, -(2**63) - 1, 2**64 - 1, 2**64, 9_999_999_999_999_999_999, 10**40, -(10**18), 0.1, 1e22]
)
def test_numbers_of_any_size_are_exact(number: float) -> None:
    assert json_codec.loads(f'{{"n": {number!r}}}') == {"n": number}


@pytest.mark.parametrize(
    "text",
    ["", " ", "NaN", "Infinity", "-Infinity", "1e400", "{'a':1}", '{"a":1}}', '"\x00"', "[" * 100_000, "1" * 5000],
)
def test_what_is_no_json_or_cannot_be_held_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any ValueError is promised)
        json_codec.loads(text)


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any ValueError is promised)
        json_codec.loads(b'"\xff"')


def test_half_a_surrogate_pair_within_a_text_is_kept() -> None:
    assert json_codec.loads('{"a": "\ud800"}') == {"a": "\ud800"}
