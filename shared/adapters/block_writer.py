"""A blob of any size, written block by block: one block is sent while the next is filled."""

import base64
import uuid
from concurrent.futures import Future
from typing import Final, Protocol

from shared.adapters.transfers import begin
from shared.domain.ports import Container

BLOCK_SIZE: Final = 8 * 1024 * 1024
"""The least bytes of a block, which has less than twice as many; 50,000 blocks, the most of a blob, make 390 GiB.

Measured: a block of 8 MiB takes two thirds of the processor time that two of 4 MiB take.
"""


class Blocks(Protocol):
    """Where blocks go."""

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False) -> str:
        """Write a small blob whole and return its etag."""

    def stage(self, container: Container, name: str, block_id: str, data: bytes) -> None:
        """Send one block."""

    def commit(self, container: Container, name: str, block_ids: list[str], *, create_only: bool) -> str:
        """Make the blocks sent the blob's content and return its etag."""


class BlockWriter:
    """A blob that is being written with block ids of its own, so that two writers never mix their blocks.

    It holds the block that is being filled and the one that is being sent. If sending a block fails, the error is
    raised when the next block is full or at the commit, and again after that. A writer that is abandoned leaves no
    visible trace.
    """

    def __init__(self, blocks: Blocks, container: Container, name: str, create_only: bool) -> None:
        self._blocks = blocks
        self._container = container
        self._name = name
        self._create_only = create_only
        self._own = uuid.uuid4().hex
        self._ids: list[str] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._on_its_way: Future[None] | None = None

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), BLOCK_SIZE):
            part = bytes(data[start : start + BLOCK_SIZE])
            self._parts.append(part)
            self._size += len(part)
            if self._size >= BLOCK_SIZE:
                self._send()

    def commit(self) -> str:
        if not self._ids:
            data = self._filled()
            return self._blocks.write(self._container, self._name, data, create_only=self._create_only)
        if self._parts:
            self._send()
        self._wait_for_block()
        return self._blocks.commit(self._container, self._name, self._ids, create_only=self._create_only)

    def _send(self) -> None:
        self._wait_for_block()
        block_id = base64.b64encode(f"{self._own}{len(self._ids):08d}".encode()).decode()
        block = self._filled()
        self._ids.append(block_id)
        self._on_its_way = begin(lambda: self._blocks.stage(self._container, self._name, block_id, block))

    def _wait_for_block(self) -> None:
        """Wait until the block that is being sent has arrived; raise the error with which it failed."""
        if self._on_its_way is not None:
            self._on_its_way.result()

    def _filled(self) -> bytes:
        block = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return block
