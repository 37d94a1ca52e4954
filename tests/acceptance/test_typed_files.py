"""Workbooks and Parquet, there and back: own columns come back in both with the types that they had."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared import VERSION
from testing.paths import DATA
from testing.world import World

REQUIRED = "Name, Height: integer, Tags: string[]"


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(AZURE_OPENAI_DEPLOYMENT="gpt-4o-mini")


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def parquet_result(world: World, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(world.result(name, "results.parquet")))


def test_a_workbook_gets_a_workbook_with_its_own_types(world: World) -> None:
    header = ["Prompt", "Required", "Received", "Amount"]
    rows: list[list[Any]] = [["Who?", REQUIRED, date(2026, 3, 29), 12.5], ["", REQUIRED, date(2026, 3, 30), 7]]
    name = world.drop("a.xlsx", workbook(header, *rows))

    world.run(name)

    page = openpyxl.load_workbook(io.BytesIO(world.result(name, "results.xlsx"))).active
    good, bad = list(page.iter_rows(min_row=2, values_only=True))
    assert [cell.value for cell in page[1]][:5] == ["custom_id", "Received", "Amount", "Name", "Height"]
    assert good[:3] == ("row-1", datetime(2026, 3, 29), 12.5)  # noqa: DTZ001 - cells know no zone
    assert isinstance(good[4], int)
    assert bad[:3] == ("row-2", datetime(2026, 3, 30), 7)  # noqa: DTZ001
    assert bad[-2] == "missing_prompt"
    assert page["B3"].fill.fgColor.rgb == "FFFFC7CE"
    assert world.results(name)[0]["input"] == {"Received": "2026-03-29", "Amount": "12.5"}


def test_a_row_without_a_prompt_says_that_its_formula_was_never_calculated(world: World) -> None:
    name = world.drop("a.xlsx", workbook(["Prompt", "Required"], ['="Who built "&"it?"', REQUIRED], ["Who?", REQUIRED]))

    status = world.run(name)

    assert status["rows"]["total"] == 2
    assert "holds a formula that was never calculated" in world.errors(name)[0]["error"]["message"]
    assert any('Column "Prompt": 1 cell holds a formula' in warning for warning in status["warnings"])


def test_a_semicolon_table_gets_a_semicolon_table(world: World) -> None:
    name = world.drop("a.csv", f"Prompt;Required;Höhe\nWho?;{REQUIRED};1,5\n")

    world.run(name)

    text = world.result(name, "results.csv").decode("utf-8-sig")
    assert text.startswith("custom_id;Höhe;Name;Height;Tags;status;")
    assert next(csv.DictReader(io.StringIO(text), delimiter=";"))["Höhe"] == "1,5"


TYPED = pa.table(
    {
        "Prompt": ["Who?", None, "When?"],
        "Required": [REQUIRED] * 3,
        "Price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(10, 2)),
        "At": pa.array([datetime(2026, 3, 29, 13, 5, tzinfo=UTC)] * 3, pa.timestamp("us", "Europe/Berlin")),
        "Nanos": pa.array([1, None, 3], pa.timestamp("ns")),
        "Kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "List": pa.array([[date(2026, 1, 1)], [], None]),
        "Struct": pa.array([{"x": b"a"}, None, {"x": None}]),
    }
)


def test_parquet_gets_parquet_with_each_of_its_columns_as_it_was(world: World) -> None:
    name = world.drop("a.parquet", parquet(TYPED))

    status = world.run(name)

    found = parquet_result(world, name)
    assert status["rows"] == {"total": 3, "succeeded": 2, "failed": 1, "pending": 0, "reused": 0}
    own = ["Price", "At", "Nanos", "Kind", "List", "Struct"]
    fixed = ["status", "error_code", "error_message", "attempts"]
    assert found.column_names == ["row", "custom_id", *own, "Name", "Height", "Tags", *fixed]
    assert found.select(own).cast(TYPED.select(own).schema).equals(TYPED.select(own))
    assert found.column("row").to_pylist() == [1, 2, 3]
    assert found.column("status").to_pylist() == ["ok", "error", "ok"]
    assert found.column("error_code").to_pylist() == [None, "missing_prompt", None]
    assert found.column("attempts").to_pylist() == [1, 0, 1]
    assert found.schema.field("Height").type == pa.int64()
    assert found.schema.field("Tags").type == pa.list_(pa.string())
    answer = world.results(name)[0]["output"]
    assert {column: found.column(column)[0].as_py() for column in answer} == answer
    assert found.schema.metadata[b"structuredbatch.version"].decode() == VERSION
    assert found.schema.metadata[b"structuredbatch.job_id"].decode() == status["job_id"]
    own_in_json = world.results(name)[0]["input"]
    assert own_in_json["Price"] == "1.5"
    assert own_in_json["At"] == "2026-03-29T13:05:00Z"
    assert own_in_json["List"] == ["2026-01-01"]
    assert own_in_json["Struct"] == {"x": "YQ=="}


@pytest.mark.parametrize(
    ("name", "content", "types"),
    [
        ("a.csv", f'Prompt,Required,N\nWho?,"{REQUIRED}",1\n', {"N": pa.string()}),
        (
            "a.jsonl",
            "".join(
                json.dumps({"Prompt": "Who?", "Required": REQUIRED, "N": number, "T": True, "M": mixed}) + "\n"
                for number, mixed in ((1, "x"), (2.5, 7), (None, None))
            ),
            {"N": pa.float64(), "T": pa.bool_(), "M": pa.string()},
        ),
        (
            "a.xlsx",
            workbook(["Prompt", "Required", "D", "I"], ["Who?", REQUIRED, date(2026, 3, 29), 5]),
            {"D": pa.date32(), "I": pa.int64()},
        ),
    ],
)
def test_other_prompt_files_get_parquet_where_it_is_asked_for(
    new_world: Callable[..., World], name: str, content: str | bytes, types: dict[str, pa.DataType]
) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="gpt-4o-mini", RESULT_FORMATS="csv,parquet")
    dropped = world.drop(name, content)

    world.run(dropped)

    found = parquet_result(world, dropped)
    assert {field.name: field.type for field in found.schema if field.name in types} == types
    if "M" in types:
        assert found.column("M").to_pylist() == ["x", "7", None]


def test_a_cover_sheet_is_named_where_a_column_is_missing(world: World) -> None:
    cover = DATA / "field" / "xlsx-empty-or-cover-sheet-first" / "closedxml-cover-first.xlsx"
    name = world.drop("a.xlsx", cover.read_bytes())

    status = world.run(name)

    assert status["code"] == "missing_column"
    read = 'The workbook has 2 sheets; only the first, "Deckblatt", was read.'
    assert f"{read} To have another one read, move it to the front." in status["message"]
