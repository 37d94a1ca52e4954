"""Answers used again: last month's file and one row in a hundred more, with `reuse` and without."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from benchmarks.inputs import answer_file, prompt_file
from benchmarks.measure import Cost, cost_of, peak_mb
from benchmarks.stand_ins import dropped, ended, local_app
from shared.domain.model import Job
from shared.domain.ports import App, Container, Files, JobStore
from shared.domain.status_report import report
from shared.pipeline.assemble import assembly
from shared.pipeline.build import building
from shared.pipeline.collect import collection
from testing.seeding import loaded

BATCH = 100_000
NEW = 100
"""One row in so many is new."""

NAME = "prompts.csv"


def measured(folder: str, rows: int) -> dict[str, Any]:
    """Run last month's job, then this month's, once without reuse and once with it."""
    make_inputs(folder, rows)
    plain, reusing = (_month(folder, rows, reuse=reuse) for reuse in (False, True))
    return {
        "rows": rows,
        "cpu_seconds": reusing["cpu"],
        "floor_cpu_seconds": plain["cpu"],
        "seconds": reusing["seconds"],
        "sent": reusing["sent"],
        "calls": reusing["calls"],
        "calls_without": plain["calls"],
        "tokens": reusing["tokens"],
        "tokens_without": plain["tokens"],
        "building": reusing["building"],
        "building_without": plain["building"],
    }


def peak(folder: str, rows: int) -> float:
    """Return the peak memory of a process that runs both jobs, in MB."""
    _month(folder, rows, reuse=True)
    return peak_mb()


def make_inputs(folder: str, rows: int) -> None:
    """Write prompts and answers beforehand: making them takes memory of its own."""
    before = rows - rows // NEW
    for count in (before, rows):
        prompt_file(Path(folder), "csv", count)
        _answers(Path(folder), 0, count)
    _answers(Path(folder), before, rows)


def _month(folder: str, rows: int, *, reuse: bool) -> dict[str, Any]:
    before = rows - rows // NEW
    with tempfile.TemporaryDirectory(dir=folder) as place:
        calls: Counter[str] = Counter()
        app = _counting(local_app(Path(place) / "app", MAX_REQUESTS_PER_BATCH=str(BATCH)), calls)
        _run(app, Path(folder), before, _answers(Path(folder), 0, before))
        app.files.write(Container.PROMPTS, "_job.json", json.dumps({"reuse": reuse}).encode())
        calls.clear()
        first = before if reuse else 0
        job, cost, building_cost = _run(app, Path(folder), rows, _answers(Path(folder), first, rows))
        assert job.rows_reused == (before if reuse else 0), job.rows_reused
        batches = app.store.batches(job.job_id)
        return {
            "cpu": cost.cpu + building_cost.cpu,
            "seconds": cost.seconds + building_cost.seconds,
            "building": building_cost.cpu,
            "calls": calls.total(),
            "sent": sum(batch.requests for batch in batches),
            "tokens": sum(batch.usage.input_tokens + batch.usage.output_tokens for batch in batches),
        }


def _run(app: App, folder: Path, rows: int, answers: list[Path]) -> tuple[Job, Cost, Cost]:
    """Run a job from its file to its end; return what collecting and building cost."""
    Path(app.files.url(Container.PROMPTS, NAME).removeprefix("file://")).unlink(missing_ok=True)
    job = dropped(app, prompt_file(folder, "csv", rows), NAME)
    building_cost = cost_of(lambda: building.prepare(loaded(app, job.job_id)))
    ended(app, job, answers)
    cost = cost_of(lambda: _collect(app, job))
    done = app.store.job(job.job_id)
    assert done is not None
    assert done.rows_succeeded == rows
    app.store.close(done, report(done, (), app.now()))
    return done, cost, building_cost


def _collect(app: App, job: Job) -> None:
    for batch in app.store.batches(job.job_id):
        collection.collect(loaded(app, job.job_id), batch.index, batch.attempt)
    assembly.assemble(loaded(app, job.job_id))


def _answers(folder: Path, first: int, rows: int) -> list[Path]:
    return [answer_file(folder, at, min(BATCH, rows - at), shuffled=True) for at in range(first, rows, BATCH)]


class _Counting:
    """A port whose calls are counted."""

    def __init__(self, port: object, calls: Counter[str]) -> None:
        self._port = port
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._port, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self._calls[name] += 1
            return method(*arguments, **options)

        return counted


def _counting(app: App, calls: Counter[str]) -> App:
    return replace(
        app,
        files=cast(Files, _Counting(app.files, calls)),
        store=cast(JobStore, _Counting(app.store, calls)),
    )
