"""Write prompt files into storage, each after what it needs, and tell which jobs they become."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.commands.prompt_paths import DropError, DropPlan, Upload
from shared.domain.model import job_id_of
from shared.domain.ports import App, Container

_AT_A_TIME = 8
_PIECE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Dropped:
    """A dropped prompt file and the job that it has become."""

    blob: str
    job_id: str


def upload(app: App, plan: DropPlan) -> list[Dropped]:
    """Upload prompt files after the settings, images and documents that they need; raises AppError."""
    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        list(threads.map(lambda one: _write(app, one), plan.before))
        return list(threads.map(lambda one: _drop(app, one), plan.prompts))


def replaced(app: App, plan: DropPlan) -> Sequence[str]:
    """List the settings of the container that a drop would change; those of a trial run are its own."""
    names = []
    for one in plan.before:
        is_settings = "/_" in f"/{one.blob}" and isinstance(one.source, Path)
        there = app.files.load(Container.PROMPTS, one.blob) if is_settings else None
        if there is not None and there[0] != one.read():
            names.append(one.blob)
    return names


def _drop(app: App, one: Upload) -> Dropped:
    etag = _write(app, one)
    info = app.files.info(Container.PROMPTS, one.blob)
    if info is None or info.etag != etag:
        raise DropError(f"{one.blob} was overwritten or deleted by someone else at the same moment. Drop it again.")
    return Dropped(one.blob, job_id_of(app.settings.prompts_container, one.blob, etag, info.last_modified))


def _write(app: App, one: Upload) -> str:
    """Write a blob, a large file in pieces, and return its etag."""
    if isinstance(one.source, bytes) or one.source.stat().st_size <= _PIECE:
        return app.files.write(Container.PROMPTS, one.blob, one.read())
    writer = app.files.writer(Container.PROMPTS, one.blob)
    with one.source.open("rb") as file:
        while piece := file.read(_PIECE):
            writer.write(piece)
    return writer.commit()
