"""Cells of a workbook without the value that a person expects: why, and what to do about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from shared.prompt_file.xlsx_cells import Cell, Gap, Rounded

_REASONS: Final = {
    Gap.UNCALCULATED: "a formula that was never calculated",
    Gap.ERROR: "an error such as #N/A",
}
_REMEDIES: Final = {
    Gap.UNCALCULATED: "open the workbook in Excel and save it, or let the program that writes it calculate formulas",
    Gap.ERROR: "correct the formula or the value in the workbook and save it",
}
_ROUNDED: Final = (
    "a whole number of more than 15 digits, which the workbook holds rounded: two different ones may have become the "
    "same. Store such numbers as texts"
)


class Gaps:
    """Counts such cells of each column."""

    def __init__(self, headers: Sequence[str]) -> None:
        self._headers = headers
        self._counts: Counter[tuple[int, Gap | None]] = Counter()

    def of_row(self, cells: Sequence[Cell]) -> Mapping[str, str]:
        """Say for each column that has no value in this row why, and what to do; the row is counted."""
        found = {}
        for column, (header, cell) in enumerate(zip(self._headers, cells, strict=False)):
            if isinstance(cell, Gap):
                self._counts[column, cell] += 1
                found[header] = f'Its cell under "{header[:60]}" holds {_REASONS[cell]}: {_REMEDIES[cell]}.'
            elif isinstance(cell, Rounded):
                self._counts[column, None] += 1
        return found

    def notes(self) -> list[str]:
        """Write a warning for each column and kind of such cells."""
        return [
            f'Column "{self._headers[column][:60]}": {_amount(count)} {_what(gap)}.'
            for (column, gap), count in sorted(self._counts.items(), key=lambda item: item[0][0])
        ]


def _what(gap: Gap | None) -> str:
    return _ROUNDED if gap is None else f"{_REASONS[gap]} and was read as empty: {_REMEDIES[gap]}"


def _amount(count: int) -> str:
    return "1 cell holds" if count == 1 else f"each of {count:,} cells holds"
