"""The user's alternative: the sample notebook's own way, on the same data."""

import csv
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.collect import BATCH
from benchmarks.inputs import answer_file, prompt_file
from benchmarks.measure import cost_of, peak_mb


def measured(folder: str, rows: int) -> dict[str, Any]:
    """Build and collect as the notebook does: everything in memory, nothing checked."""
    with prompt_file(Path(folder), "csv", rows).open(encoding="utf-8", newline="") as table:
        prompts = list(csv.reader(table))[1:]
    answers = answer_file(Path(folder), 0, min(rows, BATCH), shuffled=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        build = cost_of(lambda: floors.notebook_build(prompts, Path(place) / "requests.jsonl"))
    collect = cost_of(lambda: floors.notebook_collect(answers))
    return {
        "rows": rows,
        "build_us_per_row": build.cpu / rows * 1e6,
        "collect_us_per_row": collect.cpu / rows * 1e6,
        "collect_rows_per_second": rows / collect.seconds,
        "peak_mb": peak_mb(),
    }
