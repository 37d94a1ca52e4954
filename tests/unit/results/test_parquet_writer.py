"""results.parquet, read back with every reader that is installed."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.answers.outcomes import read_line, to_line
from shared.domain.errors import Unavailable
from shared.domain.model import FailedRow, Outcome, RowCode
from shared.results import parquet_writer
from shared.results.arrow_columns import OwnBatches, OwnValues
from shared.results.arrow_types import answer_columns
from shared.results.parquet_writer import ParquetTable

TEXT = {"type": "string"}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


SCHEMA = obj(
    Name=TEXT,
    Floors={"type": ["integer", "null"]},
    Share={"type": "number"},
    Open={"type": "boolean"},
    Tags={"type": "array", "items": TEXT},
    Place=obj(City=TEXT, Point={"anyOf": [obj(x={"type": "number"}), {"type": "null"}]}),
)
ANSWER = {"Name": "A", "Floors": 95, "Share": 1, "Open": True, "Tags": ["a"], "Place": {"City": "L", "Point": None}}


def written(
    answers: Sequence[object], schemas: Sequence[dict[str, Any]] = (SCHEMA,), own: Any = None
) -> tuple[bytes, list[str]]:
    out = io.BytesIO()
    table = ParquetTable(out.write, own or OwnValues({}), schemas, {"structuredbatch.job_id": "j"})
    for row, answer in enumerate(answers, 1):
        if answer is None:
            failed = Outcome(row=row, custom_id=f"r-{row}", code=RowCode.REFUSAL, message="no", attempts=2)
            table.add_error(FailedRow(failed.custom_id, {}, failed), {})
        else:
            table.add_results(
                [read_line(to_line(Outcome(row=row, custom_id=f"r-{row}", output=answer, attempts=1)))], [{}]
            )
    warnings = table.close()
    return out.getvalue(), warnings


def column(answers: Sequence[object], name: str, **options: Any) -> list[Any]:
    return list(pq.read_table(io.BytesIO(written(answers, **options)[0])).column(name).to_pylist())


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        (TEXT, pa.string()),
        ({"type": ["integer", "null"]}, pa.int64()),
        ({"enum": ["a", "b"]}, pa.string()),
        ({"type": "string", "enum": ["a", None]}, pa.string()),
        ({"const": 1}, pa.int64()),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, pa.float64()),
        ({"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}}, pa.list_(pa.list_(pa.bool_()))),
        (obj(x=TEXT), pa.struct([("x", pa.string())])),
        ({"type": "array", "items": obj(x={"type": "integer"})}, pa.list_(pa.struct([("x", pa.int64())]))),
        ({"$ref": "#/$defs/Plain"}, pa.struct([("y", pa.float64())])),
        ({"$ref": "#/$defs/Tree"}, None),
        ({"type": "array", "items": {"$ref": "#/$defs/Tree"}}, None),
        ({"anyOf": [TEXT, {"type": "integer"}]}, None),
        ({"type": ["string", "integer"]}, None),
        ({"type": "object", "additionalProperties": TEXT}, None),
        ({"type": "array"}, None),
        ({}, None),
    ],
)
def test_a_field_has_its_schemas_type_or_is_json(schema: dict[str, Any], type_: pa.DataType | None) -> None:
    tree = obj(children={"type": "array", "items": {"$ref": "#/$defs/Tree"}})
    root = obj(A=schema) | {"$defs": {"Plain": obj(y={"type": "number"}), "Tree": tree}}
    (found,) = answer_columns([root])
    assert (found.type, found.is_json) == (type_ or pa.string(), type_ is None)


def test_fields_of_several_schemas_stand_side_by_side_and_are_json_where_they_differ() -> None:
    found = answer_columns([obj(A=TEXT, B=TEXT), obj(B={"type": "integer"}, C=TEXT), obj(B=TEXT)])
    assert [(one.name, one.is_json) for one in found] == [("A", False), ("B", True), ("C", False)]


def test_answers_come_back_by_their_types() -> None:
    table = pq.read_table(io.BytesIO(written([ANSWER, None])[0]))
    assert table.column("Place").to_pylist() == [{"City": "L", "Point": None}, None]
    assert table.column("Share").to_pylist() == [1.0, None]
    assert table.column("attempts").to_pylist() == [1, 2]
    assert table.column("error_message").to_pylist() == [None, "no"]


def test_what_has_no_type_is_json() -> None:
    schema = obj(M={"type": "object", "additionalProperties": {"type": "integer"}})
    assert column([{"M": {"a": 1}}, {"M": None}], "M", schemas=[schema]) == ['{"a":1}', None]


@pytest.mark.parametrize(("value", "fitting"), [(12.0, 12), (2**70, None), ("x", None)])
def test_a_value_that_does_not_fit_its_column_is_null_with_a_warning(value: object, fitting: object) -> None:
    data, warnings = written([{"Floors": 1}, {"Floors": value}])
    assert pq.read_table(io.BytesIO(data)).column("Floors").to_pylist() == [1, fitting]
    assert [warning[:27] for warning in warnings] == (["results.parquet: 1 values d"] if fitting is None else [])


def test_halves_of_surrogate_pairs_are_shown_as_the_replacement_character() -> None:
    assert column([{"Name": "a\ud83d", "Tags": ["\udfff"]}], "Name") == ["a\ufffd"]
    assert column([{"Name": "a", "Tags": ["\udfff"]}], "Tags") == [["\ufffd"]]


def test_names_are_told_apart_whatever_their_case() -> None:
    own = OwnValues({"ROW": frozenset((int,)), "name": frozenset((str,)), "Name": frozenset((str,))})
    names = pq.read_table(io.BytesIO(written([ANSWER], own=own, schemas=[obj(Name=TEXT, Status=TEXT)])[0])).column_names
    assert names[2:7] == ["input.ROW", "input.name", "input.input.Name", "Name", "output.Status"]


def test_own_columns_are_copied_row_for_row_whatever_the_batches() -> None:
    numbers = pa.table({"N": range(10_000), "other": ["x"] * 10_000})
    own = OwnBatches(["N"], numbers.schema, iter(numbers.to_batches(max_chunksize=37)))
    assert column([{"Name": str(row)} for row in range(10_000)], "N", own=own) == list(range(10_000))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([b"a", None], pa.binary_view()),
        pa.array(["a", None], pa.string_view()),
        pa.array([["a"], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        pa.array([[1], None], pa.list_view(pa.int8())),
        pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
        pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())),
        pa.array([{"a": [1]}, None]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([bytes(16), None], pa.uuid()),
        pa.array([1, None], pa.timestamp("us", "Europe/Berlin")),
        pa.array([2**63 - 1, None], pa.timestamp("us")),
        pa.array([1.5, None], pa.float16()),
        pa.nulls(2),
    ],
    ids=lambda array: str(array.type),
)
def test_own_columns_keep_their_types_over_groups_of_rows(array: pa.Array) -> None:
    source = io.BytesIO()
    pq.write_table(pa.table({"V": pa.chunked_array([array] * 3)}), source, row_group_size=2)
    file = pq.ParquetFile(source)
    batches = (batch for group in range(3) for batch in file.iter_batches(row_groups=[group]))
    data, _ = written([{"Name": "x"}] * 6, own=OwnBatches(["V"], file.schema_arrow, batches))
    found = pq.ParquetFile(io.BytesIO(data)).read(["V"]).column("V")

    assert found.type == file.schema_arrow.field("V").type
    assert found.cast(array.type).equals(pa.chunked_array([array] * 3))


def test_groups_of_rows_are_written_as_they_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_writer, "_GROUP", 200_000)
    data, _warnings = written([{"Name": "x" * 100}] * 10_000)
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups > 2
    assert column([{"Name": str(row)} for row in range(9000)], "row") == list(range(1, 9001))


def by_pyarrow(path: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())


def by_pandas(path: Path) -> list[dict[str, Any]]:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(path).astype(object)
    return list(frame.where(frame.notna(), None).to_dict("records"))


def by_polars(path: Path) -> list[dict[str, Any]]:
    return list(pytest.importorskip("polars").read_parquet(path).to_dicts())


def by_duckdb(path: Path) -> list[dict[str, Any]]:
    found = pytest.importorskip("duckdb").execute(f"SELECT * FROM '{path}'")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("reader", [by_pyarrow, by_pandas, by_polars, by_duckdb])
def test_it_opens_in_other_programs(reader: Callable[[Path], list[dict[str, Any]]], tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_bytes(written([ANSWER, None, ANSWER | {"Floors": None}])[0])
    first, second, third = reader(path)
    assert (first["row"], first["Name"], first["Floors"], first["Open"]) == (1, "A", 95, True)
    assert list(first["Tags"]) == ["a"]
    assert first["Place"]["City"] == "L"
    assert (second["custom_id"], second["status"], second["error_code"]) == ("r-2", "error", "refusal")
    assert third["Floors"] is None


def test_storage_that_fails_while_the_file_is_written_is_told() -> None:
    def fail(data: bytes) -> None:
        raise Unavailable("Storage does not answer.")

    table = ParquetTable(fail, OwnValues({}), [SCHEMA], {})
    outcome = read_line(to_line(Outcome(row=1, custom_id="r-1", output=ANSWER, attempts=1)))
    table.add_results([outcome], [{}])
    with pytest.raises(Unavailable):
        table.close()
