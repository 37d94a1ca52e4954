"""Collecting: the service's answers on disk → the three result files on disk."""

import filecmp
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.inputs import answer_file, prompt_file
from benchmarks.measure import compare, cost_of, peak_mb
from benchmarks.stand_ins import dropped, ended, local_app, reopened
from shared.domain import blob_names
from shared.domain.model import Job
from shared.domain.ports import App, Container
from shared.pipeline.assemble import assembly
from shared.pipeline.build import building
from shared.pipeline.collect import collection
from shared.results.files import ERRORS_JSONL, RESULTS_CSV, RESULTS_JSONL
from testing.seeding import loaded

BATCH = 100_000


def measured(folder: str, rows: int, runs: int) -> dict[str, Any]:
    """Compare collecting with its floor; both must have written the same bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        app, job = _built(place, prompt_file(Path(folder), "csv", rows))
        answers = _answers(Path(folder), rows, shuffled=True)
        in_order = _answers(Path(folder), rows, shuffled=False)
        prompts = prompt_file(Path(folder), "csv", rows)
        found = compare(
            lambda: _collect(app, job, answers),
            lambda: floors.collect(prompts, in_order, place),
            runs,
            clear=lambda: _clear(place, app, job),
        )
        results = place / "app" / Container.RESULTS.value / blob_names.results_folder(job)
        for name in (RESULTS_JSONL, ERRORS_JSONL, RESULTS_CSV):
            assert filecmp.cmp(results / name, place / name, shallow=False), f"{name} differs from the floor's"
        size = sum((results / name).stat().st_size for name in (RESULTS_JSONL, ERRORS_JSONL, RESULTS_CSV))
        bare = cost_of(lambda: floors.bare_loop(in_order, place / "bare.jsonl"))
    return {
        **found.to_figures(rows),
        "bare_loop_us_per_row": bare.cpu / rows * 1e6,
        "bytes_in": sum(path.stat().st_size for path in answers),
        "bytes_out": size,
    }


def make_inputs(folder: str, rows: int, batch: int = BATCH) -> None:
    """Write the answers beforehand: making them takes memory of its own."""
    _answers(Path(folder), rows, shuffled=True, batch=batch)


def peak(folder: str, rows: int, batch: int = BATCH) -> float:
    """Return the peak memory of a process that collects batches of so many rows once, after building, in MB."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        app, job = _built(place, prompt_file(Path(folder), "csv", rows), batch)
        _collect(app, job, _answers(Path(folder), rows, shuffled=True, batch=batch))
    return peak_mb()


def _built(place: Path, source: Path, batch: int = BATCH) -> tuple[App, Job]:
    app = local_app(place / "app", MAX_REQUESTS_PER_BATCH=str(batch))
    job = dropped(app, source, f"prompts{source.suffix}")
    building.prepare(loaded(app, job.job_id))
    built = app.store.job(job.job_id)
    assert built is not None
    return app, built


def _answers(folder: Path, rows: int, *, shuffled: bool, batch: int = BATCH) -> list[Path]:
    return [answer_file(folder, first, min(batch, rows - first), shuffled=shuffled) for first in range(0, rows, batch)]


def _clear(place: Path, app: App, job: Job) -> None:
    """Make it as if nothing had been collected yet."""
    for path in (place / "app" / Container.WORK.value).glob("*/batch-*/*"):
        if path.name not in ("input.jsonl", "rows.jsonl"):
            path.unlink()
    shutil.rmtree(place / "app" / Container.RESULTS.value, ignore_errors=True)
    for path in place.glob("*.*"):
        path.unlink()
    reopened(app, job)


def _collect(app: App, job: Job, answers: list[Path]) -> None:
    """Collect all batches and assemble."""
    ended(app, job, answers)
    for batch in app.store.batches(job.job_id):
        collection.collect(loaded(app, job.job_id), batch.index, batch.attempt)
    assembly.assemble(loaded(app, job.job_id))
    done = app.store.job(job.job_id)
    assert done is not None
    assert done.rows_succeeded == done.rows_total
