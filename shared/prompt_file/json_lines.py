"""`.jsonl` and `.ndjson`: one JSON object a line."""

from collections.abc import Iterable, Iterator

from shared.model import Record
from shared.prompt_file.encoding import sniff_utf8
from shared.prompt_file.json_record import parse_record
from shared.prompt_file.lines import byte_lines, check_row_size


def read_json_lines(chunks: Iterable[bytes]) -> Iterator[Record]:
    """Read one record a line; blank lines are skipped and not counted.

    Raises JobFault: `not_utf8`, `invalid_file` for an endless line or endless blank lines.
    """
    row = blank = 0
    for line in byte_lines(sniff_utf8(chunks)):
        if line.isspace():
            blank += len(line)
            check_row_size(blank)
            continue
        row += 1
        blank = 0
        yield parse_record(row, line)
