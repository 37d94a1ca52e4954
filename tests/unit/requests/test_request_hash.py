"""When two requests count as the same: properties, with Python's own comparison of JSON values as the oracle."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.requests.request_hash import SIZE, request_hash

BODY: dict[str, Any] = {
    "model": "gpt-4o-batch",
    "messages": [{"role": "user", "content": "Who built it?"}],
    "temperature": 0,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
}


def line(body: object = None, url: str = "/chat/completions", custom_id: str = "task-0", **more: object) -> bytes:
    request = {"custom_id": custom_id, "method": "POST", "url": url, "body": BODY if body is None else body, **more}
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def hashed(body: object = None, checked: bytes = b"", **parts: Any) -> bytes:
    return request_hash(line(body, **parts), checked)


def test_it_has_sixteen_bytes() -> None:
    assert len(hashed()) == SIZE == 16


@pytest.mark.parametrize(
    "parts", [{"custom_id": "other"}, {"custom_id": "a\u2028\U0001f600"}, {"priority": 1}], ids=str
)
def test_the_custom_id_and_what_else_stands_beside_url_and_body_do_not_count(parts: dict[str, Any]) -> None:
    assert hashed(**parts) == hashed()


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "gpt-4o"},
        {"messages": [{"role": "user", "content": "Who built it? "}]},
        {"messages": [{"role": "system", "content": "Who built it?"}]},
        {"messages": [*BODY["messages"], *BODY["messages"]]},
        {"temperature": 0.1},
        {"temperature": None},
        {"seed": 1},
        {"response_format": {"type": "text"}},
        {"messages": [{"role": "user", "content": "Wer\u0301 built it?"}]},
    ],
    ids=str,
)
def test_whatever_differs_in_the_body_makes_it_another(changed: dict[str, Any]) -> None:
    assert hashed({**BODY, **changed}) != hashed()


def test_a_key_less_makes_it_another() -> None:
    assert hashed({key: value for key, value in BODY.items() if key != "temperature"}) != hashed()


def test_the_url_counts() -> None:
    assert len({hashed(url=url) for url in ("/chat/completions", "/v1/chat/completions", "/v1/responses")}) == 3


def test_what_the_answer_is_checked_with_counts() -> None:
    assert len({hashed(checked=checked) for checked in (b"", b"1" * 16, b"2" * 16)}) == 3


def test_the_order_of_a_schemas_keys_counts_as_an_answers_fields_follow_it() -> None:
    one, other = ({"a": {"type": "string"}, "b": {}}, {"b": {}, "a": {"type": "string"}})
    assert hashed({**BODY, "response_format": {"schema": one}}) != hashed(
        {**BODY, "response_format": {"schema": other}}
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (2**70, 2**70 + 1),
        (2**53, 2**53 + 1),
        (-(2**64), 2**64),
        (1, "1"),
        (1, True),
        (0, False),
        (None, "null"),
        ("a", "A"),
        ("\u00e9", "e\u0301"),
        ("\ud83d", "\ufffd"),
        ("a\ud83d", "a\ud83e"),
        ([], {}),
        ([[1], 2], [1, [2]]),
        ("a\nb", "a\\nb"),
        ({"a": 1, "b": 2}, {"a": [1, "b", 2]}),
        ({"a": '1,"b":2'}, {"a": 1, "b": 2}),
    ],
)
def test_values_that_look_alike_are_told_apart(one: object, other: object) -> None:
    assert hashed({**BODY, "metadata": one}) != hashed({**BODY, "metadata": other})


def test_keys_and_values_do_not_run_into_each_other() -> None:
    bodies: list[dict[str, Any]] = [{"a": 1, "b": 2}, {'a"\n1\n"b': 2}, {"a": {"b": 2}}, {"a": "1\nb\n2"}, {"ab": 12}]
    assert len({hashed(body) for body in bodies}) == len(bodies)


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    messages = [{"role": "user", "content": "a\ud83d"}]
    one = json.dumps({"url": "/chat/completions", "body": {"model": "m", "messages": messages}}).encode()
    turned = json.dumps({"url": "/chat/completions", "body": {"messages": messages, "model": "m"}}).encode()
    other = json.dumps(
        {"url": "/chat/completions", "body": {"model": "m", "messages": [*messages, *messages]}}
    ).encode()

    assert request_hash(one, b"") == request_hash(turned, b"") != request_hash(other, b"")


KEYS = st.text(max_size=6) | st.sampled_from(["model", "messages", "metadata", "a", "b"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=5)


@given(BODIES, st.text(max_size=5))
def test_the_order_of_the_bodys_keys_and_the_custom_id_never_count(body: dict[str, Any], custom_id: str) -> None:
    assert hashed(dict(reversed(body.items())), custom_id=custom_id) == hashed(body)


@given(BODIES, BODIES)
def test_two_bodies_have_the_same_hash_only_where_they_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = {key: json.dumps(one[key]) for key in one} == {key: json.dumps(other[key]) for key in other}
    assert (hashed(one) == hashed(other)) == same
