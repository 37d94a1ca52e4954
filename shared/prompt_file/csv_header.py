"""The header of a text table: lines to skip before it, its separator and its cells."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.prompt_file.columns import meaning_of
from shared.prompt_file.csv_lines import LineSource
from shared.prompt_file.header import cleaned
from shared.prompt_file.lines import BLANK, check_row_size
from shared.prompt_file.look_alikes import check_first_line

MAX_HEADER: Final = 1024 * 1024
"""Characters of a header; what is longer has an open quote."""

_BELOW: Final = 10
"""Blank lines that may stand below the header before the first row, where that is needed to know the separator."""

_SEPARATOR_LINE: Final = re.compile(r'\s*"?sep=(?P<separator>[^\w\s"]|\t)"?[,;\t|]*\s*', re.IGNORECASE)
_TYPE_LINE: Final = re.compile(r'\s*"?#TYPE(?:\s.*)?', re.IGNORECASE | re.DOTALL)


class CsvHeader(NamedTuple):
    """A header's cells as written, the separator, and the lines before it that name that or a type."""

    cells: list[str]
    separator: str
    preamble: frozenset[str]


class _Trial(NamedTuple):
    """The header read with one separator, and how many lines it takes."""

    separator: str
    cells: list[str]
    lines: int


def read_csv_header(source: LineSource, separators: str) -> CsvHeader:
    """Read the header, cut by the separator that gives most columns.

    In a tie that one wins which gives more columns with a meaning, then the one that fits the first row, then the
    first of `separators`. Raises JobFault: `empty_file`, `invalid_file`.
    """
    preamble = set()
    first = _first_line(source)
    while (hint := _SEPARATOR_LINE.fullmatch(first)) or _TYPE_LINE.fullmatch(first):
        preamble.add(first.strip())
        separators = hint["separator"] if hint else separators
        first = _first_line(source)
    check_first_line(first)
    seen = [first]
    trials = [trial for separator in separators if (trial := _header_with(separator, seen, source))]
    if not trials:
        raise unclosed("the header")
    width = max(len(trial.cells) for trial in trials)
    widest = [trial for trial in trials if len(trial.cells) == width]
    best = widest[0]
    if width > 1 and len(widest) > 1:
        seen.extend(_first_row(source))
        best = max(widest, key=lambda trial: _fitness(trial, seen))
    source.put_back(seen[best.lines :])
    return CsvHeader(best.cells, best.separator, frozenset(preamble))


def cells_of(line: str, separators: Sequence[str]) -> tuple[str, ...]:
    """Cut one line by the separator that gives most cells, as if it were the header."""
    cut = [_cells_with(separator, line) for separator in separators]
    return tuple(cleaned(cell) for cell in max(cut, key=len))


def unclosed(where: str) -> JobFault:
    """Describe a quote that is open at the end of the file."""
    return JobFault(
        JobCode.INVALID_FILE,
        f"A quote that opens in {where} is never closed. Close it, or write a quote within a text twice.",
    )


def _first_line(source: LineSource) -> str:
    """Return the first line that is not blank."""
    size = 0
    for line in source:
        # A double byte order mark is what some tools make of a file that has one already.
        line = line.lstrip("\ufeff")
        if line.strip(BLANK + ",;|"):
            return line
        size += len(line)
        check_row_size(size)
    raise JobFault(JobCode.EMPTY_FILE, "The file is empty. The first line must name the columns, the others are rows.")


def _first_row(source: LineSource) -> list[str]:
    """Read on to the first line that is not blank."""
    lines: list[str] = []
    for line in source:
        lines.append(line)
        if line.strip() or len(lines) == _BELOW:
            break
    return lines


def _fitness(trial: _Trial, lines: Sequence[str]) -> tuple[int, bool]:
    """Judge a separator by how many columns get a meaning, and whether the first row has as many cells."""
    row = next((line for line in lines[trial.lines :] if line.strip()), "")
    return len({meaning_of(cell) for cell in trial.cells} - {None}), len(_cells_with(trial.separator, row)) == len(
        trial.cells
    )


def _cells_with(separator: str, line: str) -> list[str]:
    return next(csv.reader([line.strip("\r\n").replace("\r", " ")], delimiter=separator, skipinitialspace=True), [])


def _header_with(separator: str, seen: list[str], source: LineSource) -> _Trial | None:
    """Try one separator; None where a quote stays open. Lines taken from `source` are added to `seen`."""
    taken = 0
    is_open = False

    def lines() -> Iterator[str]:
        nonlocal taken, is_open
        size = 0
        while size <= MAX_HEADER:
            if taken == len(seen):
                following = next(source, None)
                if following is None:
                    break
                seen.append(following)
            taken += 1
            size += len(seen[taken - 1])
            yield seen[taken - 1]
        is_open = True

    try:
        cells = next(csv.reader(lines(), delimiter=separator, skipinitialspace=True))
    except csv.Error:
        raise JobFault(
            JobCode.INVALID_FILE,
            "The header holds a carriage return outside of quotes: the line ends of an old Mac? "
            "Save the file again as CSV UTF-8.",
        ) from None
    return None if is_open else _Trial(separator, cells, taken)
