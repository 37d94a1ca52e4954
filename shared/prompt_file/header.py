"""Headers, which all forms of tables have in common."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode

OTHER_QUOTES: Final = ("\u201c", "\u201d", "\u201e", "\u2018", "\u2019", "\u201a", "'")
"""What word processors and other languages write for a straight double quote."""

USE_STRAIGHT_QUOTES: Final = "Use straight double quotes (\"), not “ ” or '"


def is_invisible(character: str) -> bool:
    """Return whether this is a format character: a byte order mark, a zero-width space, a soft hyphen and so on."""
    return unicodedata.category(character) == "Cf"


def cleaned(cell: str) -> str:
    """Return a header without white space and invisible characters around it."""
    start, end = 0, len(cell)
    while start < end and (cell[start].isspace() or is_invisible(cell[start])):
        start += 1
    while start < end and (cell[end - 1].isspace() or is_invisible(cell[end - 1])):
        end -= 1
    return cell[start:end]


def shown(name: str) -> str:
    """Return a name as messages show it: invisible characters as their codes, `\\u200b`."""
    return "".join(f"\\u{ord(char):04x}" if is_invisible(char) else char for char in name)


def read_headers(cells: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Name the columns: white space around a header is dropped, an empty one becomes `column <number>`, with a note.

    Raises JobFault (`invalid_file`) where two columns have the same name.
    """
    headers = tuple(cleaned(cell) or f"column {number}" for number, cell in enumerate(cells, 1))
    if nameless := [header for header, cell in zip(headers, cells, strict=True) if not cleaned(cell)]:
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


def column_letters(number: int) -> str:
    """Name a column as spreadsheets do, counted from 0: A, B, …, Z, AA, …"""
    letters = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters
