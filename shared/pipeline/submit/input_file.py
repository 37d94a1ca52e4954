"""A batch's input file as a file object for the upload: read by ranges, and the claim kept while it is read."""

import io
from concurrent.futures import Future
from typing import Final

from shared.adapters.transfers import begin
from shared.domain.model import Batch
from shared.domain.ports import App, Container
from shared.pipeline.claims import Claim

RANGE: Final = 8 * 1024 * 1024
"""Bytes read by one call; while they are sent, the next as many are read."""


class InputFile(io.RawIOBase):
    """The work blob `name`, of the claimed batch's size; two ranges of it are in memory."""

    def __init__(self, app: App, claim: Claim[Batch], name: str) -> None:
        self._app = app
        self._claim = claim
        self._name = name
        self._at = 0
        self._size = claim.record.size
        self._start = 0
        self._range = b""
        self._coming: Future[bytes] | None = None

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
        if not self._start <= self._at < self._start + len(self._range):
            self._claim.keep()
            self._go_on()
        begin_at = self._at - self._start
        data = memoryview(self._range)[begin_at : begin_at + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _go_on(self) -> None:
        """Take the range at the present place, and let the one after it come."""
        follows = self._at == self._start + len(self._range)
        coming, self._coming = self._coming, None
        self._range = coming.result() if coming is not None and follows else self._read(self._at)
        self._start = self._at
        end = self._start + len(self._range)
        if end < self._size and self._range:
            self._coming = begin(lambda: self._read(end))

    def _read(self, start: int) -> bytes:
        length = min(RANGE, self._size - start)
        return self._app.files.read_range(Container.WORK, self._name, start, length)
