"""What all tables have in common: their header."""

from collections.abc import Sequence

from shared.domain.errors import JobFault
from shared.domain.model import JobCode


def read_headers(cells: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Name the columns: white space around a header is dropped, an empty one becomes `column <number>`, with a note.

    Raises JobFault (`invalid_file`) where two columns have the same name.
    """
    headers = tuple(cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1))
    if nameless := [header for header, cell in zip(headers, cells, strict=True) if not cell.strip()]:
        notes.append(f"Columns without a header were named by their number: {', '.join(nameless)}.")
    first: dict[str, int] = {}
    for number, header in enumerate(headers, 1):
        if header in first:
            raise JobFault(
                JobCode.INVALID_FILE,
                f'Columns {first[header]} and {number} have the same header, "{header}". Rename one of them.',
            )
        first[header] = number
    return headers
