"""What building notes of rows with images: for a run that goes on where another stopped, and for errors.jsonl.

Beside each batch's input file: row, bytes and image tokens of each request with images, so that those of batches that
were written whole need not be fetched again. For the whole job: how many images each PDF became.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from shared.domain import blob_names
from shared.domain.model import Job
from shared.domain.ports import App, BlobWriter
from shared.pipeline.outcome_files import work_lines


class BuiltRow(NamedTuple):
    """One row whose request is written: its bytes with the line end, its images' tokens, and each document's images."""

    row: int
    size: int
    image_tokens: int
    pages: Sequence[int]


_built_row: Final = msgspec.json.Decoder(BuiltRow).decode
_encode: Final = msgspec.json.Encoder().encode


def to_line(row: BuiltRow) -> bytes:
    """Write a row as a line, with its end."""
    return _encode(row) + b"\n"


class BuiltRows:
    """The rows with images in batches that an earlier run has written whole, taken in the order of the file."""

    def __init__(self, app: App, there: Mapping[str, int]) -> None:
        """`there` has the names of all files of the job's batches."""
        names = [name for name in there if name.endswith(f"/{blob_names.DOCUMENTS}") and _is_whole(name, there)]
        self._rows = heapq.merge(*(map(_built_row, work_lines(app, name)) for name in names))
        self._next = next(self._rows, None)

    def take(self, row: int) -> BuiltRow | None:
        """Return what is known of a row's request, None where it has to be built."""
        while self._next is not None and self._next.row < row:
            self._next = next(self._rows, None)
        return self._next if self._next is not None and self._next.row == row else None


def _is_whole(name: str, there: Mapping[str, int]) -> bool:
    folder = name.removesuffix(blob_names.DOCUMENTS)
    return f"{folder}{blob_names.INPUT}" in there and f"{folder}{blob_names.ROWS}" in there


class PdfPages:
    """How many images the documents of each row became, where there is a PDF among them, read in the file's order."""

    def __init__(self, app: App, job: Job) -> None:
        """Nothing is read before it is first asked for: most jobs have no documents."""
        self._rows = _pages(app, blob_names.pdf_pages(job))
        self._next: tuple[int, list[int]] | None = (0, [])

    def of(self, row: int) -> Sequence[int]:
        """Return the number of images of each document of a row, nothing where none is a PDF."""
        while self._next is not None and self._next[0] < row:
            self._next = next(self._rows, None)
        return self._next[1] if self._next is not None and self._next[0] == row else ()


def _pages(app: App, name: str) -> Iterator[tuple[int, list[int]]]:
    decode = msgspec.json.Decoder(tuple[int, list[int]]).decode
    yield from map(decode, work_lines(app, name))


class PagesFile:
    """How many images each of a row's documents became, written for rows with a PDF."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer
        self._is_empty = True

    def add(self, row: BuiltRow) -> None:
        """Write what is known of a row."""
        if any(row.pages):
            self._writer.write(_encode([row.row, row.pages]) + b"\n")
            self._is_empty = False

    def commit(self) -> None:
        """Make the file visible, where there is anything in it."""
        if not self._is_empty:
            self._writer.commit()
