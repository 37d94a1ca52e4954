"""Parquet in and out: the reader's and the writer's own share, beside Arrow's bare reader and writer."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.inputs import FIELDS, HEADERS, prompt_rows
from benchmarks.measure import compare, peak_mb
from shared.answers.outcomes import OutcomeLine, read_lines, result_line
from shared.prompt_file import Form, Kind, Ranges, open_prompt_file
from shared.results.arrow_columns import OwnValues
from shared.results.parquet_writer import ParquetTable

BLOCK = 512
SCHEMA = {"type": "object", "properties": {name: {"type": "string"} for name in FIELDS}}
OWN = {"Ticket": frozenset((str,))}


def reading(folder: str, rows: int, runs: int) -> dict[str, Any]:
    """Compare reading a prompt file with Arrow's reader, every value made Python's."""
    source = _prompts(Path(folder), rows)
    found = compare(lambda: _read(source), lambda: _read_bare(source), runs, clear=lambda: None)
    return {**found.to_figures(rows), "bytes_in": source.stat().st_size, "bytes_out": 0}


def writing(folder: str, rows: int, runs: int) -> dict[str, Any]:
    """Compare writing results.parquet with Arrow's writer, given the same columns."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        blocks = list(_outcomes(rows))
        target, bare = Path(place) / "results.parquet", Path(place) / "bare.parquet"
        found = compare(lambda: _write(blocks, target), lambda: _write_bare(blocks, bare), runs, clear=lambda: None)
        return {**found.to_figures(rows), "bytes_in": 0, "bytes_out": target.stat().st_size}


def read_peak(folder: str, rows: int) -> float:
    """Return the peak memory of a process that reads once, in MB."""
    _read(_prompts(Path(folder), rows))
    return peak_mb()


def write_peak(folder: str, rows: int) -> float:
    """Return the peak memory of a process that writes once, in MB."""
    _write(_outcomes(rows), Path(folder) / f"results-{rows}.parquet")
    return peak_mb()


def make_input(folder: str, rows: int) -> None:
    """Write the prompt file beforehand: making it takes memory of its own."""
    _prompts(Path(folder), rows)


def _prompts(folder: Path, rows: int) -> Path:
    path = folder / f"prompts-{rows}.parquet"
    if not path.exists():
        columns = list(zip(*prompt_rows(rows), strict=True))
        pq.write_table(pa.table(dict(zip(HEADERS, map(list, columns), strict=True))), path, row_group_size=100_000)
    return path


def _read(source: Path) -> int:
    with _file(source) as ranges:
        return sum(len(block.rows) for block in open_prompt_file(Form(Kind.PARQUET), (), ranges).row_blocks)


def _read_bare(source: Path) -> int:
    batches = pq.ParquetFile(source).iter_batches(batch_size=BLOCK, use_threads=False)
    return sum(len(list(zip(*(column.to_pylist() for column in batch.columns), strict=True))) for batch in batches)


@contextmanager
def _file(source: Path) -> Iterator[Ranges]:
    file = os.open(source, os.O_RDONLY)
    try:
        yield Ranges(source.stat().st_size, lambda offset, length: os.pread(file, length, offset))
    finally:
        os.close(file)


def _outcomes(rows: int) -> Iterator[list[OutcomeLine]]:
    """Yield the outcomes of so many rows, as they come from a part."""
    for first in range(1, rows + 1, BLOCK):
        numbers = range(first, min(first + BLOCK, rows + 1))
        answers = [dict.fromkeys(FIELDS, f"Tower {number}") for number in numbers]
        yield read_lines(
            [
                result_line(number, f"task-{number}", answer, "gpt-4o", (82, 27), 1, 0, 0)
                for number, answer in zip(numbers, answers, strict=True)
            ]
        )


def _write(blocks: Sequence[list[OutcomeLine]] | Iterator[list[OutcomeLine]], target: Path) -> None:
    with target.open("wb") as out:
        table = ParquetTable(out.write, OwnValues(OWN), [SCHEMA], {})
        for block in blocks:
            table.add_results(block, [{"Ticket": "T-1"}] * len(block))
        table.close()


def _write_bare(blocks: Sequence[list[OutcomeLine]], target: Path) -> None:
    schema = pa.schema([("row", pa.int64()), ("custom_id", pa.string()), *((name, pa.string()) for name in FIELDS)])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for start in range(0, len(blocks), 8):
            lines = [line for block in blocks[start : start + 8] for line in block]
            answers = {name: [f"Tower {line.row}" for line in lines] for name in FIELDS}
            columns = {"row": [line.row for line in lines], "custom_id": [line.custom_id for line in lines], **answers}
            writer.write_table(pa.table(columns, schema=schema))
