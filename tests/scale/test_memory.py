"""Memory does not grow with the file: three times the rows take the same, but for what finds duplicate ids."""

from pathlib import Path

import pytest

from benchmarks.measure import in_child

SMALL, LARGE = 50_000, 150_000
BYTES_A_ROW = 20
"""What finding duplicate ids may take; see CustomIds."""

PIECES = 12
"""MB by which two runs may differ for other reasons: pieces of 4 MiB at other places."""

OF_A_BATCH = 30
"""MB by which one batch's own index of answers grows until the batch is full, at 100,000 rows."""


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_building_three_times_the_rows_takes_the_same_memory(tmp_path: Path, kind: str) -> None:
    small, large = (in_child("build", "peak", str(tmp_path), kind, rows) for rows in (SMALL, LARGE))
    assert large - small < PIECES + (LARGE - SMALL) * BYTES_A_ROW / 1e6
    assert large < 250


def test_collecting_three_times_the_rows_takes_the_same_memory(tmp_path: Path) -> None:
    for rows in (SMALL, LARGE):
        in_child("collect", "make_inputs", str(tmp_path), rows)
    small, large = (in_child("collect", "peak", str(tmp_path), rows) for rows in (SMALL, LARGE))
    assert large - small < PIECES + (LARGE - SMALL) * BYTES_A_ROW / 1e6 + OF_A_BATCH
    assert large < 250
