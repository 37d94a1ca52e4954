"""The job's schemas: numbered once each, whatever stands for them, and read back."""

import sys
from functools import partial
from typing import Any

import msgspec
import pytest

from shared.answer_schema import AnswerSchema, from_required, prepare
from shared.answer_schema.schema_list import PREPARED, SchemaList, StoredSchema
from shared.domain.errors import SchemaFault


def make(text: str) -> AnswerSchema:
    return prepare(from_required(text))


def test_numbers_follow_first_appearance_and_each_schema_is_written_once() -> None:
    lines: list[bytes] = []
    schemas = SchemaList(lines.append)
    numbers = [schemas.number_of(key, "n", partial(make, key)) for key in ("a", "b", "a", "c", "b")]
    assert numbers == [0, 1, 0, 2, 1]
    assert len(schemas) == 3
    assert [msgspec.json.decode(line)["checked"]["required"] for line in lines] == [["a"], ["b"], ["c"]]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)


def test_keys_that_stand_for_the_same_schema_share_its_number() -> None:
    lines: list[bytes] = []
    schemas = SchemaList(lines.append)
    assert schemas.number_of("a,b", "n", lambda: make("a,b")) == schemas.number_of(b"a, b", "n", lambda: make("a, b"))
    assert len(lines) == 1


@pytest.mark.parametrize(("name", "text"), [("m", "a,b"), ("n", "b,a"), ("n", "a,b: integer")])
def test_another_name_order_or_type_is_another_schema(name: str, text: str) -> None:
    schemas = SchemaList(lambda _line: None)
    assert schemas.number_of("1", "n", lambda: make("a,b")) == 0
    assert schemas.number_of("1" if name != "n" else "2", name, lambda: make(text)) == 1


def test_a_known_key_is_not_prepared_again() -> None:
    schemas = SchemaList(lambda _line: None)
    schemas.number_of("a", "n", lambda: make("a"))
    assert schemas.number_of("a", "n", _never) == 0
    assert schemas.prepared("a", "n", _never).sent == from_required("a")


def test_a_long_unused_schema_is_prepared_again_under_its_number() -> None:
    lines: list[bytes] = []
    schemas = SchemaList(lines.append)
    for i in range(PREPARED + 1):
        schemas.number_of(str(i), "n", partial(make, f"f{i}"))
    assert schemas.prepared("0", "n", partial(make, "f0")).sent == from_required("f0")
    assert schemas.number_of("0", "n", _never) == 0
    assert len(lines) == PREPARED + 1


def test_what_cannot_be_prepared_gets_no_number() -> None:
    schemas = SchemaList(lambda _line: None)
    with pytest.raises(SchemaFault):
        schemas.number_of("a", "n", lambda: make(""))
    assert schemas.number_of("a", "n", lambda: make("a")) == 0


def test_reading_gives_what_was_written() -> None:
    lines: list[bytes] = []
    schemas = SchemaList(lines.append)
    for text in ("a", "b: integer", "Straße: string[]"):
        schemas.number_of(text, f"name-{text[0]}", partial(make, text))
    stored = SchemaList.read(lines)
    assert len(stored) == 3
    assert stored[1] == StoredSchema("name-b", make("b: integer").checked)
    assert list(stored[2].checked["properties"]) == ["Straße"]  # type: ignore[call-overload]
    assert [schema.name for schema in stored] == ["name-a", "name-b", "name-S"]
    assert [schema.name for schema in stored[1:]] == ["name-b", "name-S"]
    for number in (3, -1):
        with pytest.raises(IndexError, match="the job has 3 schemas"):
            stored[number]


def test_checks_that_are_not_sent_are_written() -> None:
    lines: list[bytes] = []
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string", "minLength": 3}}}
    SchemaList(lines.append).number_of("a", "n", lambda: prepare(schema))
    assert SchemaList.read(lines)[0].checked["properties"] == {"a": {"type": ["string", "null"], "minLength": 3}}


def test_a_schema_for_every_row_takes_a_few_hundred_bytes_each() -> None:
    schemas = SchemaList(lambda _line: None)
    count = 20_000
    for i in range(count):
        schemas.number_of(f"key {i}", "n", partial(AnswerSchema, {}, {"type": "object", "title": str(i)}))
    assert len(schemas) == count
    held = sys.getsizeof(schemas._numbers) + sum(map(sys.getsizeof, schemas._numbers))
    assert held < 400 * count
    assert len(schemas._prepared) == PREPARED


def _never() -> AnswerSchema:
    raise AssertionError("the schema is known")
