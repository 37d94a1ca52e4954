"""`.jsonl` and `.ndjson`: one JSON object a line."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import batched
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode, RowBlock, block_of_one
from shared.prompt_file.encoding import as_utf8
from shared.prompt_file.json_record import blocks_of, parse_all, parse_record
from shared.prompt_file.lines import BLANK, BLOCK, check_row_size, in_pieces, whole_lines, without_tail

_BLANK: Final = BLANK.encode()
_HEAD: Final = 100
"""Lines that are read to find out whether each object is spread over several lines."""

# What joined files, arrays and other formats (RFC 7464) leave around a line's object: commas, marks, separators.
_AROUND: Final = b" \t\r\n,\x1e\xef\xbb\xbf"


def read_json_lines(chunks: Iterable[bytes]) -> Iterator[RowBlock]:
    """Read one row a line; blank lines are skipped and not counted.

    Raises JobFault: `not_utf8`, `invalid_file` for an endless line or endless blank lines, and where the objects are
    spread over several lines.
    """
    lines = _Lines()
    body = without_tail(in_pieces(as_utf8(chunks)), b"\r\n", b"\x1a\0")
    for piece in _checked(whole_lines(body, b"\n")):
        for block in batched(BytesIO(piece), BLOCK, strict=False):
            yield from lines.read(block)


class _Lines:
    """How many rows were read, and the bytes of blank lines since the last."""

    def __init__(self) -> None:
        self._rows = 0
        self._blank = 0

    def read(self, block: Sequence[bytes]) -> Iterator[RowBlock]:
        """Read a block of lines: at once where all are alike, else line by line."""
        values = parse_all(block)
        if values is None:
            yield from self._line_by_line(block)
            return
        row = self._rows + 1
        self._rows += len(block)
        self._blank = 0
        yield from blocks_of(row, block, values)

    def _line_by_line(self, block: Sequence[bytes]) -> Iterator[RowBlock]:
        for line in block:
            if not line.lstrip(_BLANK):
                self._blank += len(line)
                check_row_size(self._blank)
                continue
            self._rows += 1
            self._blank = 0
            yield block_of_one(parse_record(self._rows, _object_in(line)))


def _object_in(line: bytes) -> bytes:
    """Return a line without a comma, byte order mark or record separator before or after its object."""
    if line[:1] == b"{" and line[-2:-1] == b"}":
        return line
    inner = line.strip(_AROUND)
    return inner if inner[:1] == b"{" and inner[-1:] == b"}" else line


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Look at the first lines of a file, however it is cut; raise JobFault (`invalid_file`) if they are not rows."""
    head = b""
    for piece in pieces:
        if not head and not piece.strip(_BLANK):
            yield piece
            continue
        head += piece
        lines = [line for line in head.split(b"\n") if line.strip(_BLANK)]
        if lines[0].strip() not in (b"{", b"[", b"[{"):
            break
        if len(lines) >= _HEAD:
            _check_first_lines(lines)
            break
    else:
        _check_first_lines([line for line in head.split(b"\n") if line.strip(_BLANK)])
    if head:
        yield head
    yield from pieces


def _check_first_lines(lines: Sequence[bytes]) -> None:
    if not lines or lines[0].strip() not in (b"{", b"[", b"[{"):
        return
    if lines[0].strip() != b"{":
        raise JobFault(JobCode.INVALID_FILE, "The file is a JSON array, not one object a line. Name it .json.")
    if not any(line[:1] == b"{" and line.rstrip()[1:][-1:] == b"}" for line in lines[:_HEAD]):
        raise JobFault(
            JobCode.INVALID_FILE,
            "The objects are spread over several lines. Write each on one line (jq -c; in PowerShell: "
            "ConvertTo-Json -Compress), or put them into one array and name the file .json.",
        )
