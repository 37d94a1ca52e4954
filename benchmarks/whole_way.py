"""The whole way through Azurite and the local service: the app's CPU, beside moving the bytes with the same SDKs."""

import io
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.inputs import prompt_file
from benchmarks.measure import Cost, cost_of, cpu_seconds, in_child, peak_mb
from local.servers import app_settings, running_servers
from shared import names, wiring
from shared.model import Batch, Job
from shared.pipeline import polling, receiving, steps
from shared.ports import App, Container
from shared.result_files import ERRORS_JSONL, RESULTS_CSV, RESULTS_JSONL
from tests.fakes import FakeClock, MemoryQueues

LIMIT_SECONDS = 900


def measured(folder: str, rows: int, runs: int) -> dict[str, Any]:
    """Run servers, and the app in a process of its own."""
    prompt_file(Path(folder), "csv", rows)
    with tempfile.TemporaryDirectory(dir=folder) as place, running_servers(Path(place), functions=False) as servers:
        settings = app_settings(servers.connection_string, servers.service_url)
        found: dict[str, Any] = in_child("whole_way", "app_side", folder, rows, runs, settings)
        return found


def app_side(folder: str, rows: int, runs: int, settings: dict[str, str]) -> dict[str, Any]:
    """The app's process: the whole way and the floor by turns, after one run for warming up."""
    app = replace(wiring.build(settings), queues=MemoryQueues(_RealClock()))
    source = prompt_file(Path(folder), "csv", rows)
    pairs = [_once(app, source, number) for number in range(runs + 1)][1:]
    ratios = sorted(way.cpu / floor.cpu for way, floor in pairs)
    middle = len(ratios) // 2
    return {
        "rows": rows,
        "cpu_seconds": sorted(way.cpu for way, _ in pairs)[middle],
        "seconds_with_waits": sorted(way.seconds for way, _ in pairs)[middle],
        "floor_cpu_seconds": sorted(floor.cpu for _, floor in pairs)[middle],
        "ratio": ratios[middle],
        "ratio_lowest": ratios[0],
        "ratio_highest": ratios[-1],
        "runs": runs,
        "peak_mb": peak_mb(),
    }


class _RealClock(FakeClock):
    """The present time."""

    def now(self) -> Any:
        return wiring.utc_now()


def _once(app: App, source: Path, number: int) -> tuple[Cost, Cost]:
    name = f"run-{number}.csv"
    copy = app.files.writer(Container.PROMPTS, name)
    copy.write(source.read_bytes())
    copy.commit()
    job, way = _whole_way(app, name)
    results = [
        (file, b"".join(app.files.read(Container.RESULTS, names.results_folder(job) + file)))
        for file in (RESULTS_JSONL, ERRORS_JSONL, RESULTS_CSV)
    ]
    batches = app.store.batches(job.job_id)
    inputs = [b"".join(app.files.read(Container.WORK, names.batch_input(batch))) for batch in batches]
    return way, cost_of(lambda: _move(app, name, list(zip(batches, inputs, strict=True)), results))


def _whole_way(app: App, name: str) -> tuple[Job, Cost]:
    """Drop to end; the waits between the polls cost no CPU."""
    cpu, start = cpu_seconds(), time.perf_counter()
    job = receiving.receive(app, name)
    assert job is not None
    steps.advance(app, job.job_id)
    while time.perf_counter() - start < LIMIT_SECONDS:
        polling.poll(app)
        while (message := app.queues.take()) is not None:  # type: ignore[attr-defined]  # MemoryQueues, see app_side
            steps.handle(app, message)
        found = app.store.job(job.job_id)
        if found is not None and found.state.ended:
            assert found.rows_succeeded == found.rows_total
            return found, Cost(cpu_seconds() - cpu, time.perf_counter() - start)
        time.sleep(1)
    raise TimeoutError(name)


def _move(app: App, name: str, inputs: list[tuple[Batch, bytes]], results: list[tuple[str, bytes]]) -> None:
    """Prompts down, input files up, outputs down, results up: once each."""
    for _ in app.files.read(Container.PROMPTS, name):
        pass
    for batch, content in inputs:
        app.service.upload("input.jsonl", io.BytesIO(content))
        for _ in app.service.read_file(batch.output_file_id):
            pass
    for file, content in results:
        writer = app.files.writer(Container.RESULTS, f"moved/{name}/{file}")
        writer.write(content)
        writer.commit()
