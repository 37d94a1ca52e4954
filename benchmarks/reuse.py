"""Answers used again: last month's file and one row in a hundred more, with `reuse` and without."""

import json
import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from benchmarks.inputs import FIELDS, answer_file, prompt_file
from benchmarks.measure import cost_of, peak_mb
from benchmarks.stand_ins import dropped, ended, local_app
from shared.answers.outcomes import result_line
from shared.domain import blob_names
from shared.domain.model import Batch, BatchState, Job, JobState
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


def make_inputs(folder: str, rows: int) -> None:
    """Write the prompts and answers, and last month's job as it has ended: making them takes memory of its own."""
    before = rows - rows // NEW
    for first in (0, before):
        _answers(Path(folder), first, rows)
    prompt_file(Path(folder), "csv", rows)
    app = _app(folder, rows)
    job = dropped(app, prompt_file(Path(folder), "csv", before), NAME)
    building.prepare(loaded(app, job.job_id))
    batches = app.store.batches(job.job_id)
    first = 1
    for batch in batches:
        _write_outcomes(app, batch, first)
        first += batch.requests
    built = app.store.job(job.job_id)
    assert built is not None
    done = replace(built, state=JobState.COMPLETED, rows_succeeded=before, completed_at=app.now())
    collected = [replace(batch, state=BatchState.COLLECTED) for batch in batches]
    _earlier(folder, rows).write_bytes(pickle.dumps((done, collected)))


def month(folder: str, rows: int, reuse: bool) -> dict[str, Any]:
    """Run this month's job from its file to its end, in a process that does nothing else."""
    calls: Counter[str] = Counter()
    app = _counting(_app(folder, rows), calls)
    _add_earlier(app, folder, rows)
    app.files.write(Container.PROMPTS, "_job.json", json.dumps({"reuse": reuse}).encode())
    before = rows - rows // NEW
    calls.clear()
    _path(app, Container.PROMPTS, NAME).unlink(missing_ok=True)
    job = dropped(app, prompt_file(Path(folder), "csv", rows), NAME)
    # The same file has the same job id: nothing may be left of the other month's job.
    shutil.rmtree(_path(app, Container.WORK, job.job_id), ignore_errors=True)
    build = cost_of(lambda: building.prepare(loaded(app, job.job_id)))
    ended(app, job, _answers(Path(folder), before if reuse else 0, rows))
    rest = cost_of(lambda: _collect(app, job))
    done, batches = app.store.job_with_batches(job.job_id)
    assert done is not None
    assert (done.rows_succeeded, done.rows_reused) == (rows, before if reuse else 0), done
    return {
        "rows": rows,
        "cpu_seconds": build.cpu + rest.cpu,
        "seconds": build.seconds + rest.seconds,
        "building": build.cpu,
        "calls": calls.total(),
        "sent": sum(batch.requests for batch in batches),
        "tokens": sum(batch.usage.input_tokens + batch.usage.output_tokens for batch in batches),
        "peak_mb": peak_mb(),
    }


def _app(folder: str, rows: int) -> App:
    return local_app(Path(folder) / f"reuse-{rows}", MAX_REQUESTS_PER_BATCH=str(BATCH))


def _earlier(folder: str, rows: int) -> Path:
    return Path(folder) / f"reuse-{rows}.pickle"


def _add_earlier(app: App, folder: str, rows: int) -> None:
    job, batches = pickle.loads(_earlier(folder, rows).read_bytes())
    app.store.insert_job(job)
    app.store.add_batches(batches)
    app.store.close(job, report(job, (), app.now()))


def _write_outcomes(app: App, batch: Batch, first: int) -> None:
    """Write what became of a batch's rows, as collecting them would."""
    part = app.files.writer(Container.WORK, blob_names.batch_outcomes(batch))
    for number in range(first, first + batch.requests):
        answer = dict.fromkeys(FIELDS, f"Tower {number}")
        line = result_line(number, f"task-{number - 1}", answer, "gpt-4o-2024-08-06", (82, 27), 1, 0, 0)
        part.write(line + b"\n")
    part.commit()


def _collect(app: App, job: Job) -> None:
    for batch in app.store.batches(job.job_id):
        collection.collect(loaded(app, job.job_id), batch.index, batch.attempt)
    assembly.assemble(loaded(app, job.job_id))


def _answers(folder: Path, first: int, rows: int) -> list[Path]:
    return [answer_file(folder, at, min(BATCH, rows - at), shuffled=True) for at in range(first, rows, BATCH)]


def _path(app: App, container: Container, name: str) -> Path:
    return Path(app.files.url(container, name).removeprefix("file://"))


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
