"""Many small files dropped at once: how many a second, and the host's CPU for each beside the bare calls to storage."""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from benchmarks.inputs import prompt_file
from benchmarks.measure import ROOT, cpu_seconds
from local.servers.processes import Server
from local.servers.stack import app_settings, running_servers

LIMIT_SECONDS = 1800
FLOOR_FILES = 50

CALLS: Final = {"write blob": 16, "read blob": 9, "ask for blob": 2, "list blobs": 2, "write row": 19, "read row": 8}
"""What a job of three rows asks of storage (tests/scale/test_storage_calls.py counts the calls)."""


def measured(folder: str, files: int, hosts: int) -> dict[str, Any]:
    """Drop the files, then wait until the last job has ended; the hosts' own start is not counted."""
    content = prompt_file(Path(folder), "csv", 3).read_bytes()
    with tempfile.TemporaryDirectory(dir=folder) as place, ExitStack() as running:
        servers = running.enter_context(running_servers(Path(place), functions=False))
        settings = app_settings(servers.connection_string, servers.service_url)
        blobs = running.enter_context(BlobServiceClient.from_connection_string(servers.connection_string))
        floor = _floor(servers.connection_string, content)
        _make_containers(blobs)
        idle = _cpu_of([_start_host(running, Path(place), settings, 0)])
        started = [_start_host(running, Path(place), settings, number) for number in range(hosts)]
        start = time.perf_counter()
        prompts = blobs.get_container_client("prompts")
        for number in range(files):
            prompts.upload_blob(f"small-{number:05d}.csv", content)
        dropped = time.perf_counter() - start
        _wait(blobs, files, start)
        seconds = time.perf_counter() - start
        cpu = (_cpu_of(started) - hosts * idle) / files
    return {
        "files": files,
        "hosts": hosts,
        "seconds": seconds,
        "seconds_of_dropping": dropped,
        "files_per_second": files / seconds,
        "host_ms_per_file": 1000 * cpu,
        "floor_ms_per_file": 1000 * floor,
        "host_to_floor": cpu / floor,
    }


def _floor(connection_string: str, content: bytes) -> float:
    """Return the CPU seconds of a file's calls to storage by themselves, with the same clients."""
    with (
        BlobServiceClient.from_connection_string(connection_string) as blobs,
        TableServiceClient.from_connection_string(connection_string) as tables,
    ):
        container, table = blobs.create_container("floor"), tables.create_table("floor")
        row = {"PartitionKey": "a", "RowKey": "b", "Record": "c" * 1000}
        calls: dict[str, Callable[[], object]] = {
            "write blob": lambda: container.upload_blob("blob", content, overwrite=True),
            "read blob": lambda: container.download_blob("blob").readall(),
            "ask for blob": lambda: container.get_blob_client("blob").get_blob_properties(),
            "list blobs": lambda: list(container.list_blobs()),
            "write row": lambda: table.upsert_entity(row),
            "read row": lambda: table.get_entity("a", "b"),
        }
        for kind in CALLS:
            calls[kind]()
        start = cpu_seconds()
        for kind, times in CALLS.items():
            for _ in range(times * FLOOR_FILES):
                calls[kind]()
        return (cpu_seconds() - start) / FLOOR_FILES


def _start_host(running: ExitStack, place: Path, settings: dict[str, str], number: int) -> Server:
    file = place / f"settings-{number}.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": settings}), "utf-8")
    module = ["-m", "local.servers.lifeline", "local.functions_host"]
    command = [sys.executable, *module, "--port", "0", "--settings", str(file)]
    host = Server("A functions host", command, place / f"host-{number}.log", settings, ROOT)
    running.callback(host.stop)
    host.wait_for_line(r"^functions ready on ", 60)
    return host


def _cpu_of(hosts: Sequence[Server]) -> float:
    """Stop hosts, and return the CPU seconds that they have taken."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for host in hosts:
        host.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _make_containers(blobs: BlobServiceClient) -> None:
    for name in ("prompts", "results"):
        if not blobs.get_container_client(name).exists():
            blobs.create_container(name)


def _wait(blobs: BlobServiceClient, files: int, start: float) -> None:
    while time.perf_counter() - start < LIMIT_SECONDS:
        names = blobs.get_container_client("results").list_blob_names()
        if sum(name.endswith("/latest.json") for name in names) >= files:
            return
        time.sleep(1)
    raise TimeoutError(f"not all of {files} files were done after {LIMIT_SECONDS} s")
