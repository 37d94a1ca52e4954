"""docs/schemas.md says what the code does."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from shared import answer_schema
from shared.answer_schema.keywords import CHECKS, FORMATS_TAKEN, NEVER_TAKEN, REFUSED
from shared.answer_schema.limits import LIMITS
from shared.domain.errors import SchemaFault
from testing.paths import PROJECT

DOCS = (PROJECT / "docs/schemas.md").read_text()


def section(title: str) -> str:
    return re.split(r"^##+ ", DOCS.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_example_is_sent_and_checked_as_shown() -> None:
    given, sent = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
    prepared = answer_schema.prepare(given)
    assert json.dumps(prepared.sent) == json.dumps(sent)
    answer: dict[str, Any] = {"name": "Shard", "floors": None, "kind": "tower"}
    validator = jsonschema_rs.validator_for(prepared.checked)
    assert validator.is_valid(answer)
    for wrong in (answer | {"floors": 0}, answer | {"name": ""}, {"name": "Shard", "kind": "tower"}):
        assert not validator.is_valid(wrong)


def test_the_line_of_required_fields_is_one() -> None:
    line = re.findall(r"```\n(.*?)\n```", DOCS)[0]
    assert list(answer_schema.from_required(line)["properties"]) == [  # type: ignore[call-overload]
        "BuildingName",
        "HeightInFeet",
        "Tags",
        "Architect",
    ]


def test_every_type_of_the_table_is_one() -> None:
    types = [
        kind.replace("\\|", "|")
        for kind in re.findall(r"`([a-z|\\-]+(?:\[\])?\??)`", section("The column `Required`"))
        if kind != "invalid_schema"
    ]
    assert len(types) == 21
    answer_schema.from_required(", ".join(f"f{i}: {kind}" for i, kind in enumerate(types)))


def test_every_limit_is_named_with_its_figures() -> None:
    rows = re.findall(r"^\| (.+) \| ([\d,]+) \| ([\d,]+) \|$", section("Limits"), re.MULTILINE)
    assert rows == [(limit.name, f"{limit.warned:,}", f"{limit.allowed:,}") for limit in LIMITS]


def test_every_check_that_is_moved_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", section("Said in the description, and still checked")))
    named -= {"invalid_output", "password", "int32", "date", "time", "Z"}
    assert named == {keyword for checks in CHECKS.values() for keyword in checks}


@pytest.mark.parametrize("keyword", sorted(REFUSED))
def test_every_refused_keyword_is_named(keyword: str) -> None:
    assert f"`{keyword}`" in section("Refused")
    with pytest.raises(SchemaFault):
        answer_schema.prepare({"type": "object", "properties": {"a": {"type": "string", keyword: {}}}})


def test_what_is_refused_in_ready_made_requests_is_named() -> None:
    text = section("Schemas in ready-made batch requests")
    for keyword in sorted(NEVER_TAKEN):
        assert f"`{keyword}`" in text
    for format_ in sorted(FORMATS_TAKEN):
        assert f"`{format_}`" in text
