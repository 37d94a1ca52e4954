"""Memory does not grow with the file: twice the rows take the same, but for what finds duplicate ids."""

from pathlib import Path

import pytest

from benchmarks.measure import in_child

SMALL, LARGE = 60_000, 120_000
BATCH = 20_000
BYTES_A_ROW = 20
"""What finding duplicate ids may take; see CustomIds."""

PIECES = 10
"""MB by which two runs may differ for other reasons: pieces of 4 MiB at other places."""


def _peak(module: str, *arguments: object, enough: float = 0) -> float:
    """The peak of the leaner of two runs, or of the first where it is below `enough`.

    Transfers beside the work may hold a piece more or less, by chance.
    """
    first = float(in_child(module, "peak", *arguments))
    return first if first < enough else min(first, float(in_child(module, "peak", *arguments)))


def _most(small: float) -> float:
    """The most that twice the rows may take."""
    return min(250, small + PIECES + (LARGE - SMALL) * BYTES_A_ROW / 1e6)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_building_twice_the_rows_takes_the_same_memory(tmp_path: Path, kind: str) -> None:
    most = _most(_peak("build", str(tmp_path), kind, SMALL))
    assert _peak("build", str(tmp_path), kind, LARGE, enough=most) < most


def test_collecting_twice_the_batches_takes_the_same_memory(tmp_path: Path) -> None:
    for rows in (SMALL, LARGE):
        in_child("collect", "make_inputs", str(tmp_path), rows, BATCH)
    most = _most(_peak("collect", str(tmp_path), SMALL, BATCH))
    assert _peak("collect", str(tmp_path), LARGE, BATCH, enough=most) < most
