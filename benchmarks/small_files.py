"""Many small files dropped at once: how many a second, with one host and with several."""

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from benchmarks.inputs import prompt_file
from benchmarks.measure import ROOT
from local.servers.processes import Server
from local.servers.stack import app_settings, running_servers

LIMIT_SECONDS = 1800


def measured(folder: str, files: int, hosts: int) -> dict[str, Any]:
    """Drop the files, then wait until the last job has ended."""
    content = prompt_file(Path(folder), "csv", 3).read_bytes()
    with tempfile.TemporaryDirectory(dir=folder) as place, ExitStack() as running:
        servers = running.enter_context(running_servers(Path(place), functions=False))
        settings = app_settings(servers.connection_string, servers.service_url)
        blobs = running.enter_context(BlobServiceClient.from_connection_string(servers.connection_string))
        for number in range(hosts):
            _start_host(running, Path(place), settings, number)
        _make_containers(blobs)
        start = time.perf_counter()
        prompts = blobs.get_container_client("prompts")
        for number in range(files):
            prompts.upload_blob(f"small-{number:05d}.csv", content)
        dropped = time.perf_counter() - start
        _wait(blobs, files, start)
        seconds = time.perf_counter() - start
    return {
        "files": files,
        "hosts": hosts,
        "seconds": seconds,
        "seconds_of_dropping": dropped,
        "files_per_second": files / seconds,
    }


def _start_host(running: ExitStack, place: Path, settings: dict[str, str], number: int) -> None:
    file = place / f"settings-{number}.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": settings}), "utf-8")
    command = [
        sys.executable,
        "-m",
        "local.servers.lifeline",
        "local.functions_host",
        "--port",
        "0",
        "--settings",
        str(file),
    ]
    host = Server("A functions host", command, place / f"host-{number}.log", settings, ROOT)
    running.callback(host.stop)
    host.wait_for_line(r"^functions ready on ", 60)


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
