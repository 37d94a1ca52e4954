"""An ended batch's files at the service → the work container, copied while they are read; its input is deleted."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from shared.domain import blob_names
from shared.domain.errors import AppError, Conflict, Misconfigured, NotFound, Transient, Unavailable
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App, Container
from shared.pipeline.claims import Claim
from shared.pipeline.target_choice import is_by_storage, service_of

log = logging.getLogger("structuredbatch.downloads")


FILES: Final = ("output", "error")
"""A batch's files with answers."""

READS: Final = 3
"""How often files that seem to be incomplete are fetched again before they are accepted as incomplete."""


def refresh_file_ids(app: App, claim: Claim[Batch]) -> None:
    """Get the files' ids from the batch itself: a list may lack them, or show the batch's end before its files."""
    batch = claim.record
    remote = service_of(app, batch).batch(batch.batch_id)
    if remote is None:
        return
    output, error = remote.output_file_id or remote.output_blob, remote.error_file_id or remote.error_blob
    if (output or error) and (output, error) != (batch.output_file_id, batch.error_file_id):
        claim.change(output_file_id=output, error_file_id=error)


class OvertakenError(Exception):
    """Another worker has copied the file meanwhile: that copy counts and must be read instead."""


def blobs_of(app: App, batch: Batch) -> set[str]:
    """Return the names of all work files that a batch has."""
    return {blob.name for blob in app.files.blobs(Container.WORK, prefix=blob_names.batch_folder(batch))}


def download(
    app: App, claim: Claim[Batch], there: set[str], *, only_readable: bool = False
) -> list[Callable[[], Iterator[bytes]]]:
    """Return the output and the error file, each as a function that opens it, as often as needed.

    A file that is not in the work container yet is read from the service and copied there at the same time. Reading it
    to its end raises Transient if it breaks off, and OvertakenError if another worker's copy counts: what was read
    until then must be discarded. `there` are the work files of the batch; copies made here are added to it. With
    `only_readable`, files are copied at once, and those that cannot be read now are left out.
    """
    sources: list[Callable[[], Iterator[bytes]]] = []
    for kind, file_id in zip(FILES, (claim.record.output_file_id, claim.record.error_file_id), strict=True):
        if not file_id:
            continue
        name = blob_names.batch_answers(claim.record, kind)
        source = partial(_chunks, app, claim, there, file_id, name)
        if only_readable:
            with suppress(Transient, OvertakenError):
                _read_through(source())
            if name not in there:
                continue
        sources.append(source)
    return sources


def _read_through(chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        pass


def _chunks(app: App, claim: Claim[Batch], there: set[str], file_id: str, name: str) -> Iterator[bytes]:
    """Read a file and keep the claim meanwhile: all files are read before the first outcome is written."""
    copied = name in there
    chunks = app.files.read(Container.WORK, name) if copied else _copied(app, claim, there, file_id, name)
    return claim.keeping(chunks)


def _copied(app: App, claim: Claim[Batch], there: set[str], file_id: str, name: str) -> Iterator[bytes]:
    """Yield a file from the service and copy it at the same time; nothing if the service has no such file."""
    copy = app.files.writer(Container.WORK, name, create_only=True)
    size = 0
    try:
        for chunk in _remote_chunks(app, claim.record, file_id):
            copy.write(chunk)
            size += len(chunk)
            yield chunk
    except NotFound as error:
        if not size:
            return
        raise Unavailable(f"File {file_id} broke off after {size} bytes") from error
    promised = _size_at_service(app, claim.record, file_id) if claim.record.reads < READS else None
    if promised is not None and size < promised:
        claim.change(reads=claim.record.reads + 1)
        raise Unavailable(f"File {file_id} broke off after {size} bytes")
    if promised == 0:
        return  # Most batches have an empty error file.
    try:
        copy.commit()
    except Conflict as error:
        there.add(name)
        raise OvertakenError from error
    there.add(name)


def are_cut_off(app: App, batch: Batch) -> bool:
    """Return whether the copies of a batch's files are shorter than the service says the files are."""
    return any(
        info.size < (_size_at_service(app, batch, file_id) or 0)
        for kind, file_id in zip(FILES, (batch.output_file_id, batch.error_file_id), strict=True)
        if file_id and (info := app.files.info(Container.WORK, blob_names.batch_answers(batch, kind))) is not None
    )


def _size_at_service(app: App, batch: Batch, file_id: str) -> int | None:
    """Return a file's size as the service reports it, None if it does not: even a readable file may report none."""
    if is_by_storage(app.settings, batch):
        return None
    try:
        file = service_of(app, batch).file(file_id)
    except Transient as error:
        log.info("could not get a file's size: %s", error)
        return None
    return None if file is None else file.size


def _remote_chunks(app: App, batch: Batch, file_id: str) -> Iterable[bytes]:
    if is_by_storage(app.settings, batch):
        return app.files.read(Container.WORK, _name_of(app, file_id))
    return service_of(app, batch).read_file(file_id)


def _name_of(app: App, url: str) -> str:
    try:
        return app.files.name_of(Container.WORK, url)
    except NotFound as error:
        # The answers exist somewhere: the rows must not be sent, and paid for, again.
        raise Misconfigured(f"The service wrote its answers elsewhere than into WORK_CONTAINER: {error}") from error


def delete_input(app: App, batch: Batch) -> None:
    """Delete a collected batch's input file at the service."""
    if batch.state is BatchState.COLLECTED:
        delete_upload(app, batch)


def delete_upload(app: App, batch: Batch) -> None:
    """Delete a batch's uploaded file, as a resource has a limited number of files; if that fails, the file expires."""
    if not batch.file_id or is_by_storage(app.settings, batch):
        return
    try:
        service_of(app, batch).delete_file(batch.file_id)
    except AppError as error:
        log.info("input file left to expire: %s", error, extra={"job_id": batch.job_id})
