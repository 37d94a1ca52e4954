"""Parquet files of five writers (tests/data/parquet) and of Arrow itself: what is read, and what the message says."""

import base64
import io
import json
import os
import random
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest

from shared.domain.errors import Unavailable
from shared.domain.model import JobCode
from shared.prompt_file import Form, Kind, Ranges, open_prompt_file
from testing.paths import DATA, PROJECT
from testing.reading import Reading, read

FILES = DATA / "parquet"
INDEX: dict[str, Any] = {entry["file"]: entry for entry in json.loads((FILES / "index.json").read_text("utf-8"))}
NAMES = sorted(path.name for path in FILES.glob("*.parquet"))
WHOLE = [name for name in NAMES if not name.startswith("damaged-") and INDEX[name]["rows"]]


def of(name: str) -> Reading:
    return read("a.parquet", (FILES / name).read_bytes())


def written(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def value_of(array: pa.Array) -> Any:
    (values,) = read("a.parquet", written(pa.table({"V": array}))).values
    return values["V"]


def alike(found: Any, other: Any) -> bool:
    """Compare a value with that of the index, which shows exact values in its own way."""
    if isinstance(other, dict) and "base64" in other:
        return bool(found == other["base64"])
    if isinstance(other, dict) and "map" in other:
        return bool(found == dict(other["map"]))
    if isinstance(other, dict):
        return isinstance(found, dict) and [*found] == [*other] and all(alike(found[key], other[key]) for key in other)
    if isinstance(other, list):
        return isinstance(found, list) and len(found) == len(other) and all(map(alike, found, other))
    if found is None:
        return other is None or other in ("NaN", "Infinity", "-Infinity")
    if isinstance(found, int | float) and isinstance(other, str):
        return str(found) == other
    if isinstance(found, str) and isinstance(other, str):
        return found == other or same_moment(found, other) or same_number(found, other)
    return (bool(found == other) and type(found) is type(other)) or (isinstance(found, float) and found == other)


def same_moment(found: str, other: str) -> bool:
    def padded(text: str) -> str:
        whole, _, fraction = text.removesuffix("Z").partition(".")
        return f"{whole}.{fraction:0<9}{'Z' if text.endswith('Z') else ''}"

    return found[:1].isdigit() and padded(found) == padded(other)


def same_number(found: str, other: str) -> bool:
    try:
        return Decimal(found) == Decimal(other)
    except ArithmeticError:
        return False


# The index has what this column holds as Arrow JS wraps it, beyond a day; and seconds without their unit.
EXCEPTIONS = {"Uhr", "s", "s_utc"}


@pytest.mark.parametrize("name", WHOLE)
def test_files_of_every_writer_are_read(name: str) -> None:
    values, entry = of(name).values, INDEX[name]

    assert len(values) == entry["rows"]
    for row, expected in zip(values, entry["first_rows"], strict=False):
        assert len(row) == len(expected)
        for (column, value), other in zip(row.items(), expected, strict=True):
            assert column in EXCEPTIONS or alike(value, other), (column, value, other)
    json.dumps(values, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("damaged-csv-named.parquet", JobCode.INVALID_FILE, "is not Parquet, whatever its name says"),
        ("damaged-empty.parquet", JobCode.EMPTY_FILE, "The file is empty"),
        (
            "damaged-encrypted-magic.parquet",
            JobCode.INVALID_FILE,
            "is encrypted, and the app has no key",
        ),
        ("damaged-footer-bytes.parquet", JobCode.INVALID_FILE, "is damaged"),
        ("damaged-footer-length.parquet", JobCode.INVALID_FILE, "is damaged"),
        ("damaged-no-tail.parquet", JobCode.INVALID_FILE, "is cut short. Upload it again, whole"),
        ("damaged-only-magic.parquet", JobCode.INVALID_FILE, "is damaged"),
        ("damaged-truncated-footer.parquet", JobCode.INVALID_FILE, "is cut short"),
        *((name, JobCode.EMPTY_FILE, "no rows") for name in NAMES if "zero-rows" in name),
    ],
)
def test_files_that_cannot_be_read_say_what_to_do(name: str, code: JobCode, said: str) -> None:
    reading = of(name)

    assert reading.fault is code
    assert said in reading.message


def test_every_file_is_expected_to_give_something() -> None:
    assert {name for name in NAMES if INDEX[name].get("rows") == 0} == {name for name in NAMES if "zero-rows" in name}
    assert len(WHOLE) + sum("zero-rows" in name or "damaged-" in name for name in NAMES) == len(NAMES)


def test_any_change_of_a_file_gives_rows_or_a_fault_and_nothing_else() -> None:
    data = bytearray((FILES / "wasm-table-snappy.parquet").read_bytes())
    chance = random.Random(5)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        reading = read("a.parquet", bytes(changed))
        assert reading.fault in (None, JobCode.INVALID_FILE, JobCode.EMPTY_FILE, JobCode.NOT_UTF8)


@pytest.mark.parametrize(
    ("array", "value"),
    [
        (pa.array([Decimal("12.3400")], pa.decimal128(38, 18)), "12.34"),
        (pa.array([Decimal("-100")], pa.decimal256(50, 4)), "-100"),
        (pa.array([Decimal(10) ** 30], pa.decimal128(38, 0)), "1" + "0" * 30),
        (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
        (pa.array([float("nan")]), None),
        (pa.array([float("-inf")]), None),
        (pa.array([date(2026, 3, 29)]), "2026-03-29"),
        (pa.array([datetime(2026, 3, 29, 13, 5, 7)], pa.timestamp("s")), "2026-03-29T13:05:07"),  # noqa: DTZ001
        (pa.array([1_774_789_507_250_000_001], pa.timestamp("ns")), "2026-03-29T13:05:07.250000001"),
        (pa.array([1_774_789_507_250], pa.timestamp("ms", "Europe/Berlin")), "2026-03-29T13:05:07.250Z"),
        (pa.array([time(13, 5)], pa.time64("us")), "13:05:00"),
        (pa.array([timedelta(hours=30, milliseconds=5)], pa.duration("ms")), "PT108000.005S"),
        (pa.array([-1], pa.duration("ns")), "-PT0.000000001S"),
        (pa.array([b"\x00\xff"]), "AP8="),
        (pa.array([b"\x00\xff"], pa.large_binary()), "AP8="),
        (pa.array([b"\x00\xff"], pa.binary(2)), "AP8="),
        (pa.array(["x"], pa.large_string()), "x"),
        (pa.array(["x"], pa.string_view()), "x"),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([date(2026, 3, 29)]).dictionary_encode(), "2026-03-29"),
        (pa.array([[date(2026, 3, 29), None]]), ["2026-03-29", None]),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [1, 2]),
        (pa.array([[[b"a"], []]]), [["YQ=="], []]),
        (pa.array([{"a": {"b": Decimal("1.50")}, "c": None}]), {"a": {"b": "1.5"}, "c": None}),
        (pa.array([[{"a": 1.5}]]), [{"a": 1.5}]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())), {"k": 1}),
        (pa.array([[(1, b"x")]], pa.map_(pa.int32(), pa.binary())), [[1, "eA=="]]),
        (pa.array([[("k", 1)]], pa.map_(pa.large_string(), pa.int32())), {"k": 1}),
        (pa.array([[("k", "v")]], pa.map_(pa.string_view(), pa.string_view())), {"k": "v"}),
        (pa.array([[(date(2026, 3, 29), 1)]], pa.map_(pa.date32(), pa.int32())), [["2026-03-29", 1]]),
        (
            pa.array(
                [[("k", [("l", Decimal("1.50"))])]], pa.map_(pa.string(), pa.map_(pa.string(), pa.decimal128(5, 2)))
            ),
            {"k": {"l": "1.5"}},
        ),
        (pa.array([b"\x00\xff"], pa.binary_view()), "AP8="),
        (pa.array([[b"\x00\xff", None]], pa.list_(pa.binary_view())), ["AP8=", None]),
        (pa.array([[date(2026, 3, 29)]], pa.list_view(pa.date32())), ["2026-03-29"]),
        (pa.array([[b"a"]], pa.large_list_view(pa.binary())), ["YQ=="]),
        (pa.array([[1]], pa.large_list(pa.int8())), [1]),
        (pa.array([["x", "y"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))), ["x", "y"]),
        (pa.array([Decimal("1.50")], pa.decimal32(5, 2)), "1.5"),
        (pa.array([Decimal("1.50")], pa.decimal64(12, 2)), "1.5"),
        (pa.array([date(2026, 3, 29)], pa.date64()), "2026-03-29"),
        (pa.array([1_774_789_507], pa.timestamp("s", "+05:30")), "2026-03-29T13:05:07Z"),
        (pa.array([1_774_789_507_000], pa.timestamp("ms", "Mars/Phobos")), "2026-03-29T13:05:07Z"),
        (pa.array([2**63 - 1], pa.timestamp("us")), str(2**63 - 1)),
        (pa.array([1], pa.time32("s")), "00:00:01"),
        (pa.array([1], pa.time32("ms")), "00:00:00.001"),
        (pa.array([1], pa.time64("ns")), "00:00:00.000000001"),
        (pa.array([1.5], pa.float16()), 1.5),
        (pa.array([bytes(15) + b"\x01"], pa.uuid()), "AAAAAAAAAAAAAAAAAAAAAQ=="),
        (pa.array(['{"a": 1}'], pa.json_()), '{"a": 1}'),
        (pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "t", "v"), pa.array([5])), 5),
        (pa.array([[None]], pa.list_(pa.null())), [None]),
        (pa.array([None]), None),
        (pa.array([True]), True),
    ],
)
def test_every_type_is_shown_as_in_json(array: pa.Array, value: Any) -> None:
    assert value_of(array) == value


def test_dictionaries_within_lists_are_read_from_every_group_of_rows() -> None:
    parts = [pa.array([[one]], pa.list_(pa.dictionary(pa.int32(), pa.string()))) for one in "abc"]
    data = written(pa.table({"V": pa.chunked_array(parts)}), row_group_size=1)

    assert [values["V"] for values in read("a.parquet", data).values] == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_codec_is_read(codec: str, version: str) -> None:
    rows = [f"row {number}" for number in range(3000)]
    data = written(pa.table({"V": rows}), compression=codec, data_page_version=version, row_group_size=1000)
    assert [values["V"] for values in read("a.parquet", data).values] == rows


def test_a_file_without_columns_or_rows_is_empty() -> None:
    assert read("a.parquet", written(pa.table({}))).fault is JobCode.EMPTY_FILE
    assert read("a.parquet", written(pa.table({"V": pa.array([], pa.string())}))).fault is JobCode.EMPTY_FILE


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_a_file_with_encrypted_columns_says_so(plaintext_footer: bool) -> None:
    data = encrypted(pa.table({"Prompt": ["secret"], "V": [1]}), plaintext_footer=plaintext_footer)
    reading = read("a.parquet", data)

    assert reading.fault is JobCode.INVALID_FILE
    assert "is encrypted, and the app has no key" in reading.message


def encrypted(table: pa.Table, *, plaintext_footer: bool) -> bytes:
    """A file whose column V, or all of it, is encrypted with keys that are kept in the clear."""

    class Keys(encryption.KmsClient):  # type: ignore[misc]  # It has no types.
        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
            return base64.b64encode(key_bytes)

        def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
            return base64.b64decode(wrapped_key)

    settings = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"column": ["V"]}, plaintext_footer=plaintext_footer
    )
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), settings)
    out = io.BytesIO()
    with pq.ParquetWriter(out, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    return out.getvalue()


def test_nulls_among_nested_values_keep_their_places() -> None:
    table = pa.table(
        {
            "L": pa.array([None, [], [1, None], None, [2]]),
            "S": pa.array([None, {"a": None}, {"a": "x"}, None, {"a": "y"}], pa.struct([("a", pa.string())])),
            "M": pa.array([None, [], [("k", None)], None, [("l", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )

    assert read("a.parquet", written(table)).values == [
        {"L": None, "S": None, "M": None},
        {"L": [], "S": {"a": None}, "M": {}},
        {"L": [1, None], "S": {"a": "x"}, "M": {"k": None}},
        {"L": None, "S": None, "M": None},
        {"L": [2], "S": {"a": "y"}, "M": {"l": 1}},
    ]


def test_columns_keep_their_types_beside_the_json() -> None:
    table = pa.table({"D": pa.array([date(2026, 3, 29)]), "N": pa.array([Decimal("1.50")]), "T": pa.array(["x"])})
    (record,) = read("a.parquet", written(table)).records

    assert record.typed == {"D": date(2026, 3, 29), "N": Decimal("1.50"), "T": "x"}


def test_two_columns_of_the_same_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])

    assert 'Two columns have the same name, "a"' in read("a.parquet", written(table)).message


def test_only_the_parts_that_are_needed_are_asked_for() -> None:
    data = written(pa.table({"Prompt": [f"{number} " * 50 for number in range(50_000)]}), row_group_size=5000)
    asked: list[int] = []

    def part(offset: int, length: int) -> bytes:
        asked.append(length)
        return data[offset : offset + length]

    next(open_prompt_file(Form(Kind.PARQUET), (), Ranges(len(data), part)).row_blocks)

    assert sum(asked) < len(data) / 3
    assert max(asked) <= 512 * 1024


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = [_peak(tmp_path / f"{rows}.parquet", rows) for rows in (100_000, 1_000_000)]

    assert peaks[1] < peaks[0] * 1.1, peaks


def _peak(path: Path, rows: int) -> float:
    with pq.ParquetWriter(path, pa.schema([("Prompt", pa.string()), ("N", pa.int64())])) as writer:
        for start in range(0, rows, 100_000):
            numbers = range(start, start + 100_000)
            writer.write_table(
                pa.table({"Prompt": [f"Provide info about building {n}" for n in numbers], "N": numbers})
            )
    code = (
        "import os, resource, sys\n"
        "from shared.prompt_file import Form, Kind, Ranges, open_prompt_file\n"
        "file = os.open(sys.argv[1], os.O_RDONLY)\n"
        "ranges = Ranges(os.fstat(file).st_size, lambda offset, length: os.pread(file, length, offset))\n"
        "rows = sum(len(block.rows) for block in open_prompt_file(Form(Kind.PARQUET), (), ranges).row_blocks)\n"
        "print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    found, peak = run.stdout.split()
    assert int(found) == rows
    return float(peak)


def test_nothing_of_arrow_is_loaded_before_a_parquet_file_is_read() -> None:
    code = "import sys, function_app; print([name for name in sys.modules if name.startswith('pyarrow')])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True, env={**os.environ}
    )

    assert run.stdout.strip().endswith("[]")


@pytest.mark.parametrize("allowed", [2, 3, 4, 5, 6])
def test_storage_that_fails_while_parts_are_read_is_no_fault_of_the_file(allowed: int) -> None:
    data = written(pa.table({"Prompt": [f"{number} " * 50 for number in range(50_000)]}), row_group_size=5000)
    calls = iter(range(1000))

    def part(offset: int, length: int) -> bytes:
        if next(calls) >= allowed:
            raise Unavailable("Storage does not answer.")
        return data[offset : offset + length]

    with pytest.raises(Unavailable, match="Storage does not answer"):
        list(open_prompt_file(Form(Kind.PARQUET), (), Ranges(len(data), part)).row_blocks)
