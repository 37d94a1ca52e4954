"""Drops prompt files into storage and follows their jobs to the end: python -m local.commands.drop FILE ..."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from rich.console import Console

from local.commands.follow import follow
from local.commands.results import show_results
from local.servers.processes import Interrupted, ServerError, interrupt_on_signals
from local.servers.running import read_running
from local.servers.stack import PROMPTS, make_prompts_container
from shared.domain.model import job_id_of


class DropError(Exception):
    """A file cannot be dropped; the message says which and why."""


@dataclass(frozen=True)
class Drop:
    """A prompt file to drop: where it lies, its blob's name, and the settings files that go with it."""

    path: Path
    blob: str
    settings: tuple[Path, ...]


@dataclass(frozen=True)
class Dropped:
    """A dropped prompt file and the job that it has become."""

    blob: str
    job_id: str


def plan_drops(paths: Sequence[Path]) -> list[Drop]:
    """Decides under which names files are dropped; raises DropError.

    A file with a _job.json beside it goes with all _*.json files of its folder, into a folder of the same name: in the
    container's root they would apply to every later file.
    """
    drops = [_plan(path) for path in paths]
    blobs = [drop.blob for drop in drops]
    for drop in drops:
        if blobs.count(drop.blob) > 1:
            raise DropError(
                f"Two files would be dropped as {PROMPTS}/{drop.blob}. Rename one, or drop them one by one."
            )
    return drops


def upload(storage: BlobServiceClient, drops: Sequence[Drop]) -> list[Dropped]:
    """Uploads prompt files, each after the settings that it needs."""
    make_prompts_container(storage)
    container = storage.get_container_client(PROMPTS)
    for drop in drops:
        for settings in drop.settings:
            container.upload_blob(
                f"{Path(drop.blob).parent.as_posix()}/{settings.name}", settings.read_bytes(), overwrite=True
            )
    return [_upload(storage, drop) for drop in drops]


def main(arguments: Sequence[str]) -> int:
    """Drops the named files into the running local storage; returns 0 where all their jobs have completed."""
    interrupt_on_signals()
    console = Console(highlight=False)
    if not arguments or arguments[0].startswith("-"):
        print("usage: python3 dev.py drop FILE ...", file=sys.stderr)
        return 2
    running = read_running()
    if running is None:
        print("No local storage is running. Start it in another terminal: python3 dev.py up", file=sys.stderr)
        return 1
    dropped: list[Dropped] = []
    try:
        storage = BlobServiceClient.from_connection_string(running.connection_string)
        dropped = upload(storage, plan_drops([Path(argument) for argument in arguments]))
        for drop in dropped:
            console.print(f"Dropped {PROMPTS}/{drop.blob} (job {drop.job_id})", markup=False)
        statuses = follow(storage, dropped, console, running.check)
        return show_results(storage, dropped, statuses, console, "drop")
    except (DropError, ServerError, AzureError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interruption:
        goes_on = "The jobs go on; their results will be in the container 'results'."
        print(f"\n{goes_on if dropped else 'Stopped.'}", file=sys.stderr)
        return 128 + interruption.signum if isinstance(interruption, Interrupted) else 130


def _plan(path: Path) -> Drop:
    path = path.resolve()
    if path.is_dir():
        raise DropError(f"{path} is a folder: name the files in it.")
    if not path.is_file():
        raise DropError(f"There is no file {path}.")
    if path.name.startswith(("_", ".")):
        raise DropError(f"{path.name} is no prompt file: names that begin with _ or . are settings and the like.")
    if not (path.parent / "_job.json").is_file():
        return Drop(path, path.name, ())
    folder = path.parent.name.lstrip("_.") or "files"
    return Drop(path, f"{folder}/{path.name}", tuple(sorted(path.parent.glob("_*.json"))))


def _upload(storage: BlobServiceClient, drop: Drop) -> Dropped:
    with drop.path.open("rb") as content:
        written = storage.get_blob_client(PROMPTS, drop.blob).upload_blob(content, overwrite=True)
    etag = str(written["etag"]).strip('"')
    return Dropped(drop.blob, job_id_of(PROMPTS, drop.blob, etag, written["last_modified"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
