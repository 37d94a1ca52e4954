"""The batches' input files and their lists of rows, while they are written, but for those that an earlier run wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.domain import blob_names
from shared.domain.model import Batch, BatchState, Job, Request, RequestBlock
from shared.domain.ports import App, BlobWriter, Container
from shared.requests.batch_file import Placement, Shards, row_line, row_lines

PIECE = 256 * 1024
"""Bytes of requests that are handed to a file at a time."""


class OutdatedError(Exception):
    """An earlier run, by another version of the app, cut the batches otherwise: all files have to be written anew."""


class RequestFiles:
    """Writes a job's requests into the files of its batches."""

    def __init__(self, app: App, job: Job, max_requests: int, max_bytes: int, there: Mapping[str, int]) -> None:
        """The limits are those of a batch; `there` has the size of each file that was written before, by its name.

        What an earlier run has written whole is counted, and not sent again: so a job that is too large for one run of
        the function comes further with each. Raises OutdatedError where it has another size.
        """
        self._app = app
        self._job = job
        self._there = there
        self._shards = Shards(max_requests, max_bytes)
        self._open: dict[int, _File] = {}
        self._batches: list[Batch] = []
        self.has_plain = False
        """Whether any request so far asks for plain text."""

    def put(self, request: Request) -> None:
        """Write one request."""
        self._file(self._shards.place(request), request.model, request.url).add(request)
        self.has_plain = self.has_plain or request.schema < 0

    def put_block(self, block: RequestBlock) -> bool:
        """Write all requests of a block; where they don't fit into one file, write none and say so."""
        placement = self._shards.place_block(block)
        if placement is None:
            return False
        self._file(placement, block.model, block.url).add_block(block)
        self.has_plain = self.has_plain or min(block.schemas) < 0
        return True

    def close(self) -> list[Batch]:
        """Make all files visible; give their batches, by index."""
        for index in list(self._open):
            self._close(index)
        return sorted(self._batches, key=lambda batch: batch.index)

    def _file(self, placement: Placement, model: str, url: str) -> "_File":
        for index in placement.closes:
            self._close(index)
        file = self._open.get(placement.index)
        if file is None:
            file = self._open[placement.index] = self._new(placement.index, model, url)
        return file

    def _new(self, index: int, model: str, url: str) -> "_File":
        batch = Batch(
            job_id=self._job.job_id,
            index=index,
            attempt=1,
            state=BatchState.PREPARED,
            model=model,
            url=url,
            requests=0,
        )
        names_of_both = blob_names.batch_input(batch), blob_names.batch_rows(batch)
        is_there = all(name in self._there for name in names_of_both)
        lines, rows = [self._writer(name, is_there=is_there) for name in names_of_both]
        return _File(batch, lines, rows)

    def _writer(self, name: str, *, is_there: bool) -> BlobWriter:
        return _Written(self._there[name]) if is_there else self._app.files.writer(Container.WORK, name)

    def _close(self, index: int) -> None:
        self._batches.append(self._open.pop(index).commit())


@dataclass(slots=True)
class _Written:
    """A blob that was written before: it only has to have the size that it would get."""

    left: int

    def write(self, data: bytes) -> None:
        self.left -= len(data)

    def commit(self) -> str:
        if self.left:
            raise OutdatedError
        return ""


@dataclass(slots=True)
class _File:
    """A batch's input file and row list while they are being written."""

    batch: Batch
    lines: BlobWriter
    rows: BlobWriter
    requests: int = 0
    size: int = 0
    tokens: int = 0
    _written: int = 0
    _lines: list[bytes] = field(default_factory=list)
    _rows: list[bytes] = field(default_factory=list)

    def add(self, request: Request) -> None:
        """Write a request, and its line in the list of rows."""
        self._lines += request.line, b"\n"
        self._rows += row_line(request), b"\n"
        self._count(1, len(request.line) + 1, request.input_tokens)

    def add_block(self, block: RequestBlock) -> None:
        """Write the requests of a block, and their lines in the list of rows."""
        self._lines.append(block.text)
        self._rows.append(row_lines(block))
        self._count(len(block.ids), len(block.text), block.input_tokens)

    def commit(self) -> Batch:
        """Make both files visible; give the batch with its size."""
        self._write()
        self.lines.commit()
        self.rows.commit()
        return replace(self.batch, requests=self.requests, size=self.size, input_tokens=self.tokens)

    def _count(self, requests: int, size: int, tokens: int) -> None:
        self.requests += requests
        self.size += size
        self.tokens += tokens
        if self.size - self._written >= PIECE:
            self._write()

    def _write(self) -> None:
        self.lines.write(b"".join(self._lines))
        self.rows.write(b"".join(self._rows))
        self._lines.clear()
        self._rows.clear()
        self._written = self.size
