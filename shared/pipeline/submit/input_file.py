"""A batch's input file as it is sent to its target: a stream, with the target's deployment as the model."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain import blob_names
from shared.domain.errors import InputUnreadable, Transient
from shared.domain.model import Batch
from shared.domain.ports import App, Container
from shared.pipeline.claims import Claim
from shared.requests.readdressed import Readdressing
from shared.settings import Target


class InputFile(io.RawIOBase):
    """The work blob `name` of the claimed batch as a file; the claim is kept while it is read.

    One piece of it is in memory, and the next is being fetched. It can be read from any position, as clients determine
    its size by seeking, and start over when they retry.
    """

    def __init__(self, app: App, claim: Claim[Batch], name: str, target: Target) -> None:
        self._app = app
        self._claim = claim
        self._name = name
        self._lines = Readdressing(claim.record.model, claim.record.url, target)
        self._size = claim.record.size + claim.record.requests * self._lines.growth
        self._at = 0
        self._start = 0
        self._piece = b""
        self._pieces: Iterator[bytes] = iter(())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # any writable buffer, as io says
        if not len(view) or self._at >= self._size:
            return 0
        if not self._start <= self._at < self._start + len(self._piece):
            self._claim.keep()
            self._fetch_piece()
        begin_at = self._at - self._start
        data = memoryview(self._piece)[begin_at : begin_at + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _fetch_piece(self) -> None:
        """Fetch the piece at the current position; start over if that is behind the stream."""
        if self._at < self._start + len(self._piece) or not self._piece:
            self._start, self._piece = 0, b""
            pieces = self._app.files.read(Container.WORK, self._name)
            self._pieces = self._lines.applied(pieces) if self._lines.is_needed else pieces
        while self._start + len(self._piece) <= self._at:
            self._start += len(self._piece)
            self._piece = next(self._pieces, b"")
            if not self._piece:
                return


def own_copy(app: App, claim: Claim[Batch], target: Target) -> str:
    """Return the work blob that the service reads from storage itself: a copy if the target needs other requests."""
    batch = claim.record
    lines = Readdressing(batch.model, batch.url, target)
    name = blob_names.batch_input(batch)
    if not lines.is_needed:
        return name
    copy = blob_names.batch_input_at(batch, hashlib.sha256(target.deployment.encode()).hexdigest()[:8])
    with _own_storage():
        writer = app.files.writer(Container.WORK, copy)
        for piece in claim.keeping(lines.applied(app.files.read(Container.WORK, name))):
            writer.write(piece)
        writer.commit()
    return copy


@contextmanager
def _own_storage() -> Iterator[None]:
    """Tell trouble with our own storage apart from what a target refuses."""
    try:
        yield
    except InputUnreadable:
        raise
    except Transient as error:
        raise InputUnreadable(str(error), error.retry_after) from error
