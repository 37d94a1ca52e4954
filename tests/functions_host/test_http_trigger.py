"""HTTP triggers of the functions host."""

import pytest

from local.functions_host import FunctionsHost


def test_a_function_sees_method_route_query_and_body(host: FunctionsHost) -> None:
    answer = host.http("post", "/api/orders/7", query="a=1&b=x%20y&a=2&empty=", body="Größe".encode(), key="secret")
    assert answer.status == 201
    assert answer.json() == {"order": "7", "method": "POST", "params": {"a": "1,2", "b": "x y"}, "body": "Größe"}
    assert ("x-seen", "yes") in answer.headers
    assert ("content-type", "application/json") in answer.headers


@pytest.mark.parametrize("key", [None, "", "wrong", "sécret"])
def test_without_the_function_key_a_function_is_closed(host: FunctionsHost, key: str | None) -> None:
    answer = host.http("GET", "/api/orders/7", key=key)
    assert (answer.status, answer.body) == (401, b"")


def test_the_function_key_may_stand_in_the_query(host: FunctionsHost) -> None:
    assert host.http("GET", "/api/orders/7", query="code=secret").status == 201


def test_an_anonymous_function_needs_no_key_and_a_literal_route_wins(host: FunctionsHost) -> None:
    answer = host.http("GET", "/api/orders/all")
    assert (answer.status, answer.body) == (200, b"all")
    assert host.http("GET", "/api/letters/all").body == b"all letters"
    assert ("set-cookie", "seen=1; HttpOnly; Path=/") in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/nothing"), ("GET", "/orders/7"), ("GET", "/api/orders/seven"), ("DELETE", "/api/orders/7")],
)
def test_what_no_route_matches_is_not_found(host: FunctionsHost, method: str, path: str) -> None:
    answer = host.http(method, path, key="secret")
    assert (answer.status, answer.body) == (404, b"")


def test_the_root_lists_the_routes_and_which_need_a_key(host: FunctionsHost) -> None:
    answer = host.http("GET", "/")
    lines = [line.strip() for line in answer.body.decode().splitlines()]
    assert answer.status == 200
    assert any(line.endswith("/api/orders/all") for line in lines)
    assert any(line.endswith("/api/orders/{order:int}   (function key)") for line in lines), lines


def test_routes_match_in_any_case(host: FunctionsHost) -> None:
    assert host.http("GET", "/API/Orders/ALL").status == 200


def test_a_function_that_raises_answers_500_without_the_reason(host: FunctionsHost) -> None:
    answer = host.http("GET", "/api/broken")
    assert (answer.status, answer.body) == (500, b"")
