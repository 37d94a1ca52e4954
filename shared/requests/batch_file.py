"""A batch's input file and the list of its rows: written side by side, and read back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from shared.domain import blob_names
from shared.domain.model import Batch, RequestBlock, SentRow
from shared.domain.ports import BlobWriter, Container, Files
from shared.requests.request_lines import block_of

PIECE: Final = 256 * 1024
"""Bytes of requests that are handed to a blob at a time."""

READ: Final = 512
"""How many requests a block may have that is read back."""

READ_BYTES: Final = 1024 * 1024
"""How large it may become before it is given."""

_encode_lines: Final = msgspec.json.Encoder().encode_lines
_sent_row: Final = msgspec.json.Decoder(SentRow).decode


class BatchFileWriter:
    """Writes a batch's input file and its list of rows, and counts what they hold."""

    def __init__(self, batch: Batch, lines: BlobWriter, rows: BlobWriter) -> None:
        self.batch = batch
        self._files = (lines, rows)
        self._lines: list[bytes] = []
        self._rows: list[bytes] = []
        self._requests = 0
        self._size = 0
        self._written = 0
        self._tokens = 0

    @classmethod
    def begin(cls, files: Files, batch: Batch) -> "BatchFileWriter":
        """Begin both blobs of a batch in the work container."""
        names = blob_names.batch_input(batch), blob_names.batch_rows(batch)
        lines, rows = (files.writer(Container.WORK, name) for name in names)
        return cls(batch, lines, rows)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added so far."""
        return not self._requests

    def add(self, block: RequestBlock) -> None:
        """Write requests, and their lines in the list of rows."""
        self._lines += block.lines
        self._rows.append(row_list(block))
        self._requests += len(block.ids)
        self._size += block.size
        self._tokens += block.input_tokens
        if self._size - self._written >= PIECE:
            self._write()

    def commit(self) -> Batch:
        """Make both blobs visible; return the batch with its requests, size and estimated tokens."""
        self._write()
        for file in self._files:
            file.commit()
        return replace(self.batch, requests=self._requests, size=self._size, input_tokens=self._tokens)

    def _write(self) -> None:
        lines, rows = self._files
        if self._lines:
            lines.write(b"\n".join(self._lines))  # One line alone, which may have many images, is not copied.
            lines.write(b"\n")
            rows.write(b"".join(self._rows))
        self._lines.clear()
        self._rows.clear()
        self._written = self._size


def row_list(block: RequestBlock) -> bytes:
    """Write what is known of a block's requests, a line each: `[1,"task-0",0]` is row, custom_id and schema.

    Where requests have images, the images' tokens are the fourth: `[1,"task-0",0,765]`.
    """
    known = (block.rows, block.ids, block.schemas)
    return _encode_lines(list(zip(*known, *filter(None, [block.image_tokens]), strict=True)))


def read_rows(lines: Iterable[bytes]) -> Iterator[SentRow]:
    """Read a list of rows; blank lines are passed over."""
    return (_sent_row(line) for line in lines if line and not line.isspace())


def read_requests(batch: Batch, lines: Iterable[bytes], rows: Iterable[bytes]) -> Iterator[RequestBlock]:
    """Read a batch's input file and its list of rows back, both given by lines, in blocks of about 1 MiB at most.

    Raises ValueError where one of the two is longer.
    """
    return (_block_of(batch, some) for some in read_lines(lines, rows))


def read_lines(lines: Iterable[bytes], rows: Iterable[bytes]) -> Iterator[list[tuple[bytes, SentRow]]]:
    """Read the same as lines, each with its row."""
    some: list[tuple[bytes, SentRow]] = []
    size = 0
    for line, row in zip(lines, read_rows(rows), strict=True):
        some.append((line.rstrip(b"\r\n"), row))
        size += len(line)
        if len(some) >= READ or size >= READ_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _block_of(batch: Batch, some: Sequence[tuple[bytes, SentRow]]) -> RequestBlock:
    rows, ids, schemas, image_tokens = zip(*[row for _, row in some], strict=True)
    lines = [line for line, _ in some]
    return block_of(rows, ids, batch.model, batch.url, lines, schemas, image_tokens if any(image_tokens) else ())
