"""An ended batch's files at the service → the work container, copied once for each reading; and the input's end."""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from shared import names
from shared.errors import AppError, Conflict, NotFound, Unavailable
from shared.model import Batch, BatchState
from shared.pipeline.claims import Claim
from shared.ports import App, Container

log = logging.getLogger("structuredbatch.downloads")


def download(app: App, claim: Claim[Batch]) -> list[Callable[[], Iterator[bytes]]]:
    """Copy the output and the error file into the work container, once for each reading; where they can be read."""
    sources: list[Callable[[], Iterator[bytes]]] = []
    for kind, file_id in (("output", claim.record.output_file_id), ("error", claim.record.error_file_id)):
        if not file_id:
            continue
        name = names.batch_answers(claim.record, kind)
        if app.files.info(Container.WORK, name) is None and not _fetch(app, claim, file_id, name):
            continue
        sources.append(partial(_kept_chunks, app, claim, name))
    return sources


def _kept_chunks(app: App, claim: Claim[Batch], name: str) -> Iterator[bytes]:
    """Read a work blob and keep the claim meanwhile: all files are read before the first row has its outcome."""
    return claim.keeping(app.files.read(Container.WORK, name))


def _fetch(app: App, claim: Claim[Batch], file_id: str, name: str) -> bool:
    """Download one file whole; False where the service has none by that id."""
    copy = app.files.writer(Container.WORK, name, create_only=True)
    size = 0
    try:
        for chunk in claim.keeping(_remote_chunks(app, file_id)):
            copy.write(chunk)
            size += len(chunk)
    except NotFound:
        return False
    file = app.service.file(file_id) if app.settings.transfer == "upload" else None
    if file is not None and file.size > size:
        raise Unavailable(f"File {file_id} broke off after {size} of {file.size} bytes")
    try:
        copy.commit()
    except Conflict:
        pass  # Another worker's copy of the same file is there.
    return True


def _remote_chunks(app: App, file_id: str) -> Iterable[bytes]:
    if app.settings.transfer == "storage":
        return app.files.read(Container.WORK, app.files.name_of(Container.WORK, file_id))
    return app.service.read_file(file_id)


def delete_input(app: App, batch: Batch) -> None:
    """Delete a collected batch's input file at the service, where files without number are not allowed."""
    stored = app.store.batch(batch.job_id, batch.index, batch.attempt)
    if stored is None or stored.state is not BatchState.COLLECTED:
        return
    if not stored.file_id or app.settings.transfer != "upload":
        return
    try:
        app.service.delete_file(stored.file_id)
    except AppError as error:
        log.info("input file left to expire: %s", error, extra={"job_id": batch.job_id})
