"""`python3 dev.py bench [--only build,collect] [--rows 10000,100000] [--runs 5] [--json FILE]`, or `bench soak`."""

import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.measure import in_child
from local.commands.command_line import parse

type Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    folder: str
    rows: tuple[int, ...]
    runs: int
    files: int


def build(options: Options) -> Iterator[Figures]:
    """Measure building from CSV and from JSONL."""
    for kind in ("csv", "jsonl"):
        for rows in options.rows:
            figures = in_child("build", "measured", options.folder, kind, rows, options.runs)
            yield {"of": f"build {kind}", **figures, "peak_mb": in_child("build", "peak", options.folder, kind, rows)}


def estimate(options: Options) -> Iterator[Figures]:
    """Measure estimating alone, without building."""
    for rows in options.rows:
        yield {"of": "estimate", **in_child("estimate", "measured", rows)}


def collect(options: Options) -> Iterator[Figures]:
    """Measure collecting, result files included."""
    for rows in options.rows:
        figures = in_child("collect", "measured", options.folder, rows, options.runs)
        yield {"of": "collect", **figures, "peak_mb": in_child("collect", "peak", options.folder, rows)}


def parquet(options: Options) -> Iterator[Figures]:
    """Measure Parquet in and out."""
    for rows in options.rows:
        in_child("parquet", "make_input", options.folder, rows)
        for of, step, peak in (("read parquet", "reading", "read_peak"), ("write parquet", "writing", "write_peak")):
            figures = in_child("parquet", step, options.folder, rows, options.runs)
            yield {"of": of, **figures, "peak_mb": in_child("parquet", peak, options.folder, rows)}


def reuse(options: Options) -> Iterator[Figures]:
    """Measure answers used again, with one row in a hundred new, beside a job without reuse."""
    for rows in options.rows:
        in_child("reuse", "make_inputs", options.folder, rows)
        plain, reusing = (in_child("reuse", "month", options.folder, rows, reuse) for reuse in (False, True))
        without = {f"{name}_without": plain[name] for name in ("building", "calls", "sent", "tokens", "peak_mb")}
        yield {"of": "reuse", **reusing, "floor_cpu_seconds": plain["cpu_seconds"], **without}


def notebook(options: Options) -> Iterator[Figures]:
    """Measure the user's alternative; beyond one batch's rows it is not tried."""
    for rows in options.rows:
        if rows <= 100_000:
            yield {"of": "notebook", **in_child("notebook", "measured", options.folder, rows)}


def poll(options: Options) -> Iterator[Figures]:
    """Measure one tick, with a closed history, and closed batches between the open ones."""
    for open_batches in (100, 1_000, 10_000):
        for closed_jobs, closed_between in ((0, 0), (100_000, 0), (0, 100_000)):
            figures = in_child("polling", "measured", open_batches, closed_jobs, closed_between)
            yield {"of": "poll", **figures}
        figures = in_child("polling", "measured", open_batches, 0, 100_000, False)
        yield {"of": "poll without filters", **figures}


def whole_way(options: Options) -> Iterator[Figures]:
    """Measure from drop to results, at 100,000 rows or the largest number below that was asked for."""
    rows = max((rows for rows in options.rows if rows <= 100_000), default=100_000)
    yield {"of": "whole way", **in_child("whole_way", "measured", options.folder, rows, options.runs)}


def small_files(options: Options) -> Iterator[Figures]:
    """Measure many small files at once."""
    for hosts in (1, 3):
        yield {"of": "small files", **in_child("small_files", "measured", options.folder, options.files, hosts)}


def documents(options: Options) -> Iterator[Figures]:
    """Measure images of 1 MB through Azurite, as many as files were asked for."""
    yield {"of": "documents", **in_child("documents", "measured", options.folder, options.files, options.runs)}


def cold_start(options: Options) -> Iterator[Figures]:
    """Start to indexed."""
    yield {"of": "cold start", **in_child("cold_start", "measured", options.runs)}


def service(options: Options) -> Iterator[Figures]:
    """Measure the local service by itself; its figures are its own."""
    from benchmarks.service import main as run_service

    rows = max((rows for rows in options.rows if rows <= 100_000), default=100_000)
    sys.argv = ["benchmarks/service.py", "--rows", str(rows)]
    yield {"of": "local service", "rows": rows, "all_rows_came": run_service() == 0}


BENCHMARKS: dict[str, Callable[[Options], Iterator[Figures]]] = {
    "build": build,
    "estimate": estimate,
    "collect": collect,
    "reuse": reuse,
    "parquet": parquet,
    "notebook": notebook,
    "poll": poll,
    "whole_way": whole_way,
    "small_files": small_files,
    "documents": documents,
    "cold_start": cold_start,
    "service": service,
}


def main() -> int:
    """Run what was asked for, and show it as one table; `soak` is a run of its own."""
    if sys.argv[2:3] == ["soak"]:
        from benchmarks import soak  # The others need none of its servers.

        return soak.main(sys.argv[3:])
    given = parse("bench", sys.argv[2:])
    found: list[Figures] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        options = Options(folder, tuple(given.rows), given.runs, given.files)
        for name in given.only:
            for figures in BENCHMARKS[name](options):
                found.append(figures)
                print(report.line(figures), file=sys.stderr)
    report.show(found)
    if given.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
        Path(given.json).write_text(json.dumps({"machine": machine, "figures": found}, indent=2), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
