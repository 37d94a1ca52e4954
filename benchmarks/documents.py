"""Building a job of images through Azurite: the app's CPU, beside reading and encoding the same bytes barely.

The floor encodes with the standard library, as a script would. The floor that also writes what it encoded has the app's
own encoder, so that it is the least with which the app's work can be done.
"""

import statistics
import uuid
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pybase64
from azure.storage.blob import BlobServiceClient

from benchmarks.measure import Cost, cost_of, in_child, peak_mb
from local.servers.azurite import running_azurite
from shared import wiring
from shared.domain.model import OpenJob, job_id_of
from shared.domain.ports import App, Container
from shared.pipeline.build import building
from shared.pipeline.receiving import new_job
from testing.documents import noise
from testing.fakes import FakeClock, MemoryQueues, MemoryStore
from testing.memory_ledger import MemoryLedger
from testing.seeding import loaded
from testing.world import settings_for

SIZE = (800, 416)
"""Pixels of each image, which take 1 MB."""

MOST_IMAGES = 3_000
"""Images of all runs together, but for one run that may have more: each run writes 1.3 MB of each image."""


def measured(folder: str, images: int, runs: int) -> dict[str, Any]:
    """Run Azurite on disk below `folder`, and building and its floors by turns in a process of their own."""
    runs = min(runs, max(1, MOST_IMAGES // images))
    with running_azurite(Path(folder) / "azurite") as azurite:
        settings = settings_for(
            azurite.connection_string, "https://example.openai.azure.com", AZURE_OPENAI_DEPLOYMENT="gpt-4o"
        )
        found: dict[str, Any] = in_child("documents", "app_side", images, runs, settings)
        found["peak_mb_of_a_tenth"] = in_child("documents", "peak", images // 10, settings)
        return {**found, "peak_mb": in_child("documents", "peak", images, settings)}


def app_side(images: int, runs: int, settings: Mapping[str, str]) -> dict[str, Any]:
    """Build and read barely by turns, after a short run for warming up."""
    app = _app(settings)
    _upload(app, images)
    _costs(app, settings, min(images, 100))
    costs = [_costs(app, settings, images) for _ in range(runs)]
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


def _costs(app: App, settings: Mapping[str, str], images: int) -> tuple[Cost, Cost, Cost]:
    """Run each of the three once, and take away what they wrote."""
    read = cost_of(lambda: _read_and_encode(settings, images))
    written = cost_of(lambda: _read_encode_and_write(app, settings, images))
    _clear(app)
    built = cost_of(lambda: _build(app, images))
    _clear(app)
    return read, written, built


def peak(images: int, settings: Mapping[str, str]) -> float:
    """Return the peak memory of a process that builds once, in MB; the images are there."""
    app = _app(settings)
    _build(app, images)
    most = peak_mb()
    _clear(app)
    return most


def _median(costs: list[Cost]) -> float:
    return statistics.median(cost.cpu for cost in costs)


def _app(settings: Mapping[str, str]) -> App:
    app = wiring.build(settings)
    return replace(app, store=MemoryStore(), ledger=MemoryLedger(), queues=MemoryQueues(FakeClock()))


def _name(number: int) -> str:
    return f"scans/{number:05}.png"


def _upload(app: App, images: int) -> None:
    for number in range(images):
        app.files.write(Container.PROMPTS, _name(number), noise(SIZE))


def _build(app: App, images: int) -> None:
    name = f"{uuid.uuid4()}.csv"
    rows = "".join(f"Read it,a,/{_name(image)}\n" for image in range(images))
    app.files.write(Container.PROMPTS, name, f"Prompt,Required,Image\n{rows}".encode())
    info = app.files.info(Container.PROMPTS, name)
    assert info is not None
    job_id = job_id_of("prompts", name, info.etag, info.last_modified)
    entry = OpenJob(job_id, name, info.etag, app.now())
    app.store.open_entry(entry)
    app.store.insert_job(new_job(entry))
    while (job := app.store.job(job_id)) is not None and not job.built:
        building.prepare(loaded(app, job_id))
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
        writer.write(pybase64.b64encode(blob.download_blob().readall()))
    writer.commit()
