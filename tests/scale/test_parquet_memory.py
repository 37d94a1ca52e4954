"""The memory that Parquet takes does not depend on the number of rows: each in a process of its own."""

from pathlib import Path

import pytest

from benchmarks.measure import in_child


@pytest.mark.parametrize("step", ["read_peak", "write_peak"])
def test_a_million_rows_take_the_memory_of_a_hundred_thousand(step: str, tmp_path: Path) -> None:
    if step == "read_peak":
        for rows in (100_000, 1_000_000):
            in_child("parquet", "make_input", str(tmp_path), rows)
    few, many = (in_child("parquet", step, str(tmp_path), rows) for rows in (100_000, 1_000_000))

    assert many < 1.1 * few, (few, many)
