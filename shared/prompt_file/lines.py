"""Chunks → lines, which end at line feeds only: U+2028, U+0085 and the like are data."""

from collections.abc import Iterable, Iterator
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode

MAX_ROW: Final = 64 * 1024 * 1024
"""The longest row, in bytes or characters: a file with a longer one is damaged or hostile."""

BLANK: Final = "".join(map(chr, range(0x21))) + "\x7f"
"""White space and control characters: a line of nothing else is blank."""

BLOCK: Final = 512
"""Rows that are read in one step, at most."""

_PIECE: Final = 256 * 1024
"""Bytes that are read in one step."""


def in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks into pieces that are small enough to be held as rows, which take several times the memory."""
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]


def without_tail[T: (bytes, str)](chunks: Iterable[T], line_ends: T, fillers: T) -> Iterator[T]:
    """Drop what some programs leave at the end of a file: Ctrl-Z and NULs (`fillers`), with line ends between them.

    Raises JobFault: `empty_file` where the file holds nothing else, `invalid_file` where they don't end.
    """
    nothing = line_ends[:0]
    held: list[T] = []
    size = 0
    is_empty = True
    for chunk in chunks:
        text = chunk.rstrip(line_ends + fillers)
        if text or not held:
            is_empty = is_empty and not text
            tail = chunk[len(text) :]
            rest = tail.lstrip(line_ends)
            held.append(chunk[: len(chunk) - len(rest)])
            yield nothing.join(held)
            held, size = [rest] if rest else [], 0
        else:
            held.append(chunk)
        size += len(held[-1]) if held else 0
        check_row_size(size)
    if is_empty and held:
        raise JobFault(JobCode.EMPTY_FILE, "The file holds only NUL or control bytes. Upload it again, whole.")


def whole_lines[T: (bytes, str)](chunks: Iterable[T], line_end: T) -> Iterator[T]:
    """Cut bytes or text into pieces of whole lines; only the last piece may end without a line end.

    Memory is that of a chunk and a line. Raises JobFault (`invalid_file`) for an endless line.
    """
    nothing = line_end[:0]
    pending: list[T] = []
    size = 0
    for chunk in chunks:
        cut = chunk.rfind(line_end) + 1
        if cut:
            pending.append(chunk[:cut])
            yield nothing.join(pending)
            pending, size = [], 0
        pending.append(chunk[cut:])
        size += len(chunk) - cut
        check_row_size(size)
    if last := nothing.join(pending):
        yield last


def check_row_size(size: int) -> None:
    """Raise JobFault if so much of a file has no end of a row."""
    if size > MAX_ROW:
        raise JobFault(
            JobCode.INVALID_FILE,
            f"The file goes on for more than {MAX_ROW // 2**20} MB without the end of a row. "
            "Is it complete, and of the kind that its extension says? In a table, look for a quote that is not closed.",
        )
