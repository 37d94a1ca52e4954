"""What a schema says of an answer, without repeating the answer."""

import socket
import threading
from typing import Any

import pytest

from shared.answers.validation import COMPILED_LIMIT, Checks, check_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "height": {"type": "integer"},
        "name": {"type": ["string", "null"], "minLength": 2},
        "kind": {"enum": ["tower", "bridge"]},
        "unit": {"const": "ft"},
        "code": {"type": "string", "pattern": "^[a-z]+$"},
        "built": {"type": "string", "format": "date"},
        "floors": {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 3},
        "address": {"$ref": "#/$defs/address"},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
        "any": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["height"],
    "additionalProperties": False,
    "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
CANARY = "canary"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"height": 1}, None),
        ({"height": 1.0, "name": None, "built": "2026-11-22"}, None),
        ({"height": 2**80}, None),
        ({"height": 1, "name": "\ud800\u2028"}, None),
        ({"height": CANARY}, "$.height: is not of the type integer"),
        ({}, "$: lacks height"),
        ([CANARY], "$: is not of the type object"),
        ({"height": 1, "name": 5}, "$.name: is not of the type null or string"),
        ({"height": 1, "name": "\ud800"}, "$.name: breaks minLength 2"),
        ({"height": 1, "kind": CANARY}, "$.kind: is not one of the allowed values (enum)"),
        ({"height": 1, "unit": CANARY}, "$.unit: is not the one allowed value (const)"),
        ({"height": 1, "code": "Canary"}, "$.code: does not match the pattern"),
        ({"height": 1, "built": CANARY}, "$.built: is not a valid date (format)"),
        ({"height": 1, "floors": [1, -1]}, "$.floors[1]: breaks minimum 0"),
        ({"height": 1, "floors": [1] * 4}, "$.floors: breaks maxItems 3"),
        ({"height": 1, "address": {"city": 5}}, "$.address.city: is not of the type string"),
        ({"height": 1, "address": {}}, "$.address: lacks city"),
        ({"height": 1, "links": {CANARY: 5}}, "$.links.*: is not of the type string"),
        ({"height": 1, CANARY: 5}, "$: has a property that the schema does not name"),
        ({"height": 1, "any": CANARY}, "$.any: fits none of the alternatives (anyOf)"),
    ],
)
def test_a_fault_names_the_path_and_the_keyword_only(answer: object, fault: str | None) -> None:
    assert check_of(SCHEMA)(answer) == fault


def test_many_faults_are_summed_up() -> None:
    answer = {"height": "a", "kind": 1, "unit": 2, "code": 3, "built": 4}
    fault = check_of(SCHEMA)(answer)
    assert fault is not None
    assert fault.count("; ") == 3
    assert fault.endswith("; and 2 more")


@pytest.mark.parametrize("keyword", ["$ref", "$schema"])
def test_nothing_is_ever_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        asked: list[object] = []

        def accept() -> None:
            try:
                asked.append(server.accept())
            except TimeoutError:
                pass

        listener = threading.Thread(target=accept)
        listener.start()
        check_of({keyword: address, "type": "object"})({})
        listener.join()
    assert asked == []


def test_an_unknown_dialect_is_read_as_the_current_one() -> None:
    check = check_of({"$schema": "https://example.com/mine", "type": "string", "format": "date"})
    assert (check("2026-11-22"), check([])) == (None, "$: is not of the type string")
    assert check("today") == "$: is not a valid date (format)"


@pytest.mark.parametrize("schema", [{"$ref": "#/nowhere"}, {"type": "nonsense"}, {"pattern": "("}])
def test_no_answer_fits_a_schema_that_cannot_be_compiled(schema: dict[str, Any]) -> None:
    assert check_of(schema)({}) == "$: the schema itself cannot be used for checking"


def test_schemas_are_read_once_and_only_so_many_are_kept() -> None:
    asked: list[int] = []

    def read_schema(number: int) -> dict[str, Any]:
        asked.append(number)
        return {"const": number}

    checks = Checks(read_schema)
    for _ in range(2):
        assert checks.check(0)(0) is None
    assert asked == [0]
    for number in range(1, COMPILED_LIMIT + 1):
        assert checks.check(number)(number) is None
    assert checks.check(0)(0) is None
    assert asked == [*range(COMPILED_LIMIT + 1), 0]
