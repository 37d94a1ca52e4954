"""`.jsonl` and `.ndjson`: one JSON object a line."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import batched

from shared.domain.model import Record, RowBlock
from shared.prompt_file.encoding import sniff_utf8
from shared.prompt_file.json_record import parse_alike, parse_record
from shared.prompt_file.lines import BLOCK, check_row_size, in_pieces, whole_lines


def read_json_lines(chunks: Iterable[bytes]) -> Iterator[RowBlock | Record]:
    """Read one record a line; blank lines are skipped and not counted.

    Raises JobFault: `not_utf8`, `invalid_file` for an endless line or endless blank lines.
    """
    lines = _Lines()
    for piece in whole_lines(in_pieces(sniff_utf8(chunks)), b"\n"):
        for block in batched(BytesIO(piece), BLOCK, strict=False):
            yield from lines.read(block)


class _Lines:
    """How many rows were read, and the bytes of blank lines since the last."""

    def __init__(self) -> None:
        self._rows = 0
        self._blank = 0

    def read(self, block: Sequence[bytes]) -> Iterator[RowBlock | Record]:
        """Read a block of lines: at once where all are alike, else line by line."""
        alike = parse_alike(self._rows + 1, block)
        if alike is None:
            yield from self._carefully(block)
        else:
            self._rows += len(block)
            self._blank = 0
            yield alike

    def _carefully(self, block: Sequence[bytes]) -> Iterator[Record]:
        for line in block:
            if line.isspace():
                self._blank += len(line)
                check_row_size(self._blank)
                continue
            self._rows += 1
            self._blank = 0
            yield parse_record(self._rows, line)
