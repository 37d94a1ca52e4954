"""A file that is written from its start to its end, in chunks of about a mebibyte."""

import io
from collections.abc import Buffer, Callable

from shared.results import CHUNK_SIZE


class Chunks(io.RawIOBase):
    """What writers of packed files write to: it cannot be sought, and gathers larger chunks."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        super().__init__()
        self._write = write
        self._pending = bytearray()
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data)
        self._pending += view
        self._written += len(view)
        if len(self._pending) >= CHUNK_SIZE:
            self.flush_all()
        return len(view)

    def flush_all(self) -> None:
        """Pass on what was gathered."""
        if self._pending:
            self._write(bytes(self._pending))
            self._pending.clear()
