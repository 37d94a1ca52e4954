"""The whole way through Azurite and the local service: the app's CPU, beside moving the bytes with the same SDKs.

The clock jumps over the service's work, and no CPU counts while it is waited for.
"""

import io
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.inputs import prompt_file
from benchmarks.measure import Cost, cost_of, in_child, peak_mb
from local.servers.stack import app_settings, running_servers
from shared import wiring
from shared.domain import blob_names
from shared.domain.batch_service import BatchService
from shared.domain.model import TERMINAL_STATUSES, Batch, BatchState, Job
from shared.domain.ports import App, Container
from shared.pipeline import receiving, steps
from shared.pipeline.poll import polling
from shared.results.files import ERRORS_JSONL, RESULTS_CSV, RESULTS_JSONL
from testing.fakes import FakeClock, MemoryQueues

LIMIT_SECONDS = 900


def measured(folder: str, rows: int, runs: int) -> dict[str, Any]:
    """Run servers, and the app in a process of its own; then building and collecting alone, from and to local files."""
    prompt_file(Path(folder), "csv", rows)
    with tempfile.TemporaryDirectory(dir=folder) as place, running_servers(Path(place), functions=False) as servers:
        settings = app_settings(servers.connection_string, servers.service_url)
        found: dict[str, Any] = in_child("whole_way", "app_side", folder, rows, runs, settings, servers.service_url)
    building = in_child("build", "measured", folder, "csv", rows, runs)
    alone = (building, in_child("collect", "measured", folder, rows, runs))
    rest = found["cpu_seconds"] - sum(figures["cpu_seconds"] for figures in alone)
    least = found["floor_cpu_seconds"] + sum(figures["floor_cpu_seconds"] for figures in alone)
    return {
        **found,
        "rest_cpu_seconds": rest,
        "ratio_of_rest": rest / found["floor_cpu_seconds"],
        "floors_of_all_seconds": least,
        "ratio_to_floors_of_all": found["cpu_seconds"] / least,
    }


def app_side(folder: str, rows: int, runs: int, settings: dict[str, str], service_url: str) -> dict[str, Any]:
    """Run the whole way and the floor by turns in the app's process, after one run for warming up."""
    clock = _JumpingClock(service_url)
    app = replace(wiring.build(settings), queues=MemoryQueues(clock), now=clock.now)
    source = prompt_file(Path(folder), "csv", rows)
    pairs, peak = [], 0.0
    for number in range(runs + 1):
        way, floor, so_far = _once(app, clock, source, number)
        if number:
            pairs.append((way, floor))
        else:
            peak = so_far  # The floor's run holds whole files.
    ratios = sorted(way.cpu / floor.cpu for way, floor in pairs)
    return {
        "rows": rows,
        "cpu_seconds": statistics.median(way.cpu for way, _ in pairs),
        "seconds": statistics.median(way.seconds for way, _ in pairs),
        "floor_cpu_seconds": statistics.median(floor.cpu for _, floor in pairs),
        "floor_seconds": statistics.median(floor.seconds for _, floor in pairs),
        "ratio": statistics.median(ratios),
        "ratio_lowest": ratios[0],
        "ratio_highest": ratios[-1],
        "runs": runs,
        "peak_mb": peak,
    }


class _JumpingClock(FakeClock):
    """The present time and what was jumped over, for the app and for the service."""

    def __init__(self, service_url: str) -> None:
        super().__init__()
        self._service_url = service_url
        self._ahead = timedelta()

    def now(self) -> datetime:
        return wiring.utc_now() + self._ahead

    def advance(self, seconds: float) -> None:
        """Jump."""
        body = json.dumps({"advance": seconds}).encode()
        urllib.request.urlopen(f"{self._service_url}/_local/clock", data=body, timeout=60).close()
        self._ahead += timedelta(seconds=seconds)


def _once(app: App, clock: _JumpingClock, source: Path, number: int) -> tuple[Cost, Cost, float]:
    """Measure the whole way, the floor, and the peak of memory until the floor."""
    name = f"run-{number}.csv"
    copy = app.files.writer(Container.PROMPTS, name)
    copy.write(source.read_bytes())
    copy.commit()
    job, way = _whole_way(app, clock, name)
    peak = peak_mb()
    results = [
        (file, b"".join(app.files.read(Container.RESULTS, blob_names.results_folder(job) + file)))
        for file in (RESULTS_JSONL, ERRORS_JSONL, RESULTS_CSV)
    ]
    batches = app.store.batches(job.job_id)
    inputs = [b"".join(app.files.read(Container.WORK, blob_names.batch_input(batch))) for batch in batches]
    return way, cost_of(lambda: _move(app, name, list(zip(batches, inputs, strict=True)), results)), peak


def _whole_way(app: App, clock: _JumpingClock, name: str) -> tuple[Job, Cost]:
    """Drop to end; what is between the app's own steps counts nothing."""
    costs: list[Cost] = []

    def counted(step: Callable[[], object]) -> None:
        costs.append(cost_of(step))

    found: list[Job] = []
    counted(lambda: found.append(_receive(app, name)))
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        job = app.store.job(found[0].job_id)
        assert job is not None
        if job.state.ended:
            assert job.rows_succeeded == job.rows_total
            return job, Cost(sum(cost.cpu for cost in costs), sum(cost.seconds for cost in costs))
        _wait(app, clock, job)
        counted(lambda: _tick(app))
    raise TimeoutError(name)


def _receive(app: App, name: str) -> Job:
    records = receiving.receive(app, name)
    assert records is not None
    steps.advance(records)
    return records.job


def _tick(app: App) -> None:
    polling.poll(app)
    while (message := app.queues.take()) is not None:  # type: ignore[attr-defined]  # MemoryQueues, see app_side
        steps.handle(app, message)


def _service(app: App) -> BatchService:
    return app.services.at(app.settings.own_target(""))


def _wait(app: App, clock: _JumpingClock, job: Job) -> None:
    """Let the job's batches end at the service, or time for something else pass."""
    at_work = [batch for batch in app.store.batches(job.job_id) if batch.state is BatchState.SUBMITTED]
    clock.advance(3600 if at_work else 60)
    for batch in at_work:
        while (remote := _service(app).batch(batch.batch_id)) and remote.status not in TERMINAL_STATUSES:
            time.sleep(0.5)


def _move(app: App, name: str, inputs: list[tuple[Batch, bytes]], results: list[tuple[str, bytes]]) -> None:
    """Move prompts down, input files up, outputs down, results up: once each."""
    for _ in app.files.read(Container.PROMPTS, name):
        pass
    for batch, content in inputs:
        _service(app).upload("input.jsonl", io.BytesIO(content))
        for _ in _service(app).read_file(batch.output_file_id):
            pass
    for file, content in results:
        writer = app.files.writer(Container.RESULTS, f"moved/{name}/{file}")
        writer.write(content)
        writer.commit()
