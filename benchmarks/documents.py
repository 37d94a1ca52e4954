"""Building a job of images through Azurite: the app's CPU, beside reading and encoding the same bytes barely."""

import os
import statistics
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from azure.storage.blob import BlobServiceClient

from benchmarks.measure import Cost, cost_of, in_child, peak_mb
from local.servers.azurite import running_azurite
from shared import wiring
from shared.domain.model import OpenJob, job_id_of
from shared.domain.ports import App, Container
from shared.pipeline.build import building
from shared.pipeline.receiving import new_job
from testing.documents import image
from testing.fakes import FakeClock, MemoryQueues, MemoryStore
from testing.memory_ledger import MemoryLedger
from testing.seeding import loaded
from testing.world import settings_for

SIZE = 1_000_000
"""Bytes of each image."""


def measured(images: int, runs: int) -> dict[str, Any]:
    """Run Azurite, and building and its floors by turns in a process of their own."""
    with running_azurite() as azurite:
        settings = settings_for(
            azurite.connection_string, "https://example.openai.azure.com", AZURE_OPENAI_DEPLOYMENT="gpt-4o"
        )
        found: dict[str, Any] = in_child("documents", "app_side", images, runs, settings)
        found["peak_mb_of_a_tenth"] = in_child("documents", "peak", images // 10, settings)
        return {**found, "peak_mb": in_child("documents", "peak", images, settings)}


def app_side(images: int, runs: int, settings: Mapping[str, str]) -> dict[str, Any]:
    """Build and read barely by turns, after one run for warming up."""
    app = _app(settings)
    _upload(app, images)
    costs = []
    for number in range(runs + 1):
        read = cost_of(lambda: _read_and_encode(settings, images))
        written = cost_of(lambda: _read_encode_and_write(app, settings, images))
        built = cost_of(lambda number=number: _build(app, images, number))  # type: ignore[misc]
        costs.append((read, written, built))
        _clear(app)
    costs = costs[1:]
    ratios = sorted(built.cpu / read.cpu for read, _, built in costs)
    return {
        "rows": images,
        "cpu_seconds": _median([built for _, _, built in costs]),
        "seconds": statistics.median(built.seconds for _, _, built in costs),
        "rows_per_second": images / statistics.median(built.seconds for _, _, built in costs),
        "floor_cpu_seconds": _median([read for read, _, _ in costs]),
        "floor_with_writing_cpu_seconds": _median([written for _, written, _ in costs]),
        "ratio": statistics.median(ratios),
        "ratio_lowest": ratios[0],
        "ratio_highest": ratios[-1],
        "ratio_with_writing": statistics.median(built.cpu / written.cpu for _, written, built in costs),
        "runs": runs,
    }


def peak(images: int, settings: Mapping[str, str]) -> float:
    """Return the peak memory of a process that builds once, in MB; the images are there."""
    _build(_app(settings), images, os.getpid())
    return peak_mb()


def _median(costs: list[Cost]) -> float:
    return statistics.median(cost.cpu for cost in costs)


def _app(settings: Mapping[str, str]) -> App:
    app = wiring.build(settings)
    return replace(app, store=MemoryStore(), ledger=MemoryLedger(), queues=MemoryQueues(FakeClock()))


def _name(number: int) -> str:
    return f"scans/{number:05}.png"


def _upload(app: App, images: int) -> None:
    picture = image(size=(800, 600))
    for number in range(images):
        rest = os.urandom(SIZE - len(picture) - 12)
        chunk = len(rest).to_bytes(4) + b"teSt" + rest + bytes(4)
        app.files.write(Container.PROMPTS, _name(number), picture[:33] + chunk + picture[33:])


def _build(app: App, images: int, number: int) -> None:
    name = f"{images}-{number}.csv"
    rows = "".join(f"Read it,a,/{_name(image)}\n" for image in range(images))
    app.files.write(Container.PROMPTS, name, f"Prompt,Required,Image\n{rows}".encode())
    info = app.files.info(Container.PROMPTS, name)
    assert info is not None
    job_id = job_id_of("prompts", name, info.etag, info.last_modified)
    entry = OpenJob(job_id, name, info.etag, app.now())
    app.store.open_entry(entry)
    app.store.insert_job(replace(new_job(entry)))
    building.prepare(loaded(app, job_id))
    job = app.store.job(job_id)
    assert job is not None
    assert job.rows_total == images, job.message
    assert not job.unsent, job.unsent


def _clear(app: App) -> None:
    for blob in list(app.files.blobs(Container.WORK)):
        _delete(app, blob.name)


def _delete(app: App, name: str) -> None:
    """Take away what a run wrote, as Azurite keeps it on disk."""
    files: Any = app.files
    files._blob(Container.WORK, name).delete_blob()


def _read_and_encode(settings: Mapping[str, str], images: int) -> None:
    client = BlobServiceClient.from_connection_string(settings["BatchStorage"], **wiring.BLOB_OPTIONS)
    for number in range(images):
        blob = client.get_blob_client(settings["PROMPTS_CONTAINER"], _name(number))
        b2a_base64(blob.download_blob().readall(), newline=False)


def _read_encode_and_write(app: App, settings: Mapping[str, str], images: int) -> None:
    client = BlobServiceClient.from_connection_string(settings["BatchStorage"], **wiring.BLOB_OPTIONS)
    writer = app.files.writer(Container.WORK, "floor")
    for number in range(images):
        blob = client.get_blob_client(settings["PROMPTS_CONTAINER"], _name(number))
        writer.write(b2a_base64(blob.download_blob().readall(), newline=False))
    writer.commit()
