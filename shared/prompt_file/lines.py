"""Chunks → lines, which end at line feeds only: U+2028, U+0085 and the like are data."""

from collections.abc import Iterable, Iterator
from io import BytesIO, StringIO
from typing import Final

from shared.errors import JobFault
from shared.model import JobCode

MAX_ROW: Final = 64 * 1024 * 1024
"""A row may be so long, in bytes or characters: what is longer is a damaged or a hostile file."""


def byte_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes into lines, line ends kept; memory is that of a chunk and a line."""
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            pending.append(chunk[:cut])
            yield from BytesIO(b"".join(pending))
            pending, size = [], 0
        pending.append(chunk[cut:])
        size += len(chunk) - cut
        check_row_size(size)
    if last := b"".join(pending):
        yield last


def text_lines(chunks: Iterable[str]) -> Iterator[str]:
    """Cut text into lines, line ends kept; memory is that of a chunk and a line."""
    pending: list[str] = []
    size = 0
    for chunk in chunks:
        cut = chunk.rfind("\n") + 1
        if cut:
            pending.append(chunk[:cut])
            yield from StringIO("".join(pending), newline="\n")
            pending, size = [], 0
        pending.append(chunk[cut:])
        size += len(chunk) - cut
        check_row_size(size)
    if last := "".join(pending):
        yield last


def check_row_size(size: int) -> None:
    """Refuse a file that goes on for so long without a row's end."""
    if size > MAX_ROW:
        raise JobFault(
            JobCode.INVALID_FILE,
            f"The file goes on for more than {MAX_ROW // 2**20} MB without the end of a row. "
            "Is it complete, and of the kind that its extension says? In a table, look for a quote that is not closed.",
        )
