"""How wide the columns of results.xlsx are: as their content, within limits."""

import re
from collections.abc import Sequence
from typing import Final

from shared.results.xlsx_cells import Shown
from shared.results.xlsx_parts import Style

WIDEST: Final = 60
"""Characters; longer texts are wrapped."""
_NARROWEST: Final = 6
_ROOM: Final = 1.7
"""Characters of white space at both sides."""
_BUTTON: Final = 3
"""Characters of the filter's button beside a header."""
_NUMBER: Final = 19
"""Numbers are seldom wider."""
_FORMATTED: Final = {
    Style.DATE: len("2026-03-01"),
    Style.MOMENT: len("2026-03-01 10:20:30"),
    Style.FINE_MOMENT: len("2026-03-01 10:20:30.456"),
    Style.TIME: len("10:20:30"),
    Style.FINE_TIME: len("10:20:30.456"),
    Style.DURATION: len("12345:20:30"),
}
"""Times are shown wider than the number of days that the cell holds; too narrow a column shows ### instead."""
_INDENT: Final = 2
"""Characters of the indent beside whatever stands at the right of its cell."""
_NARROW: Final = re.compile(
    "[^\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\uff60\U0001f300-\U0003ffff]+"
)
"""Runs of characters that are not wide, about: by the blocks of Unicode's report 11 on East Asian Width."""


class ColumnWidths:
    """Finds how wide columns must be."""

    def __init__(self, names: Sequence[str]) -> None:
        self.widths = [_within(_width(name) + _BUTTON) for name in names]

    def fit(self, column: int, cell: Shown) -> None:
        """Widen the column if a cell needs it: by its text, its format, or else the XML of its value."""
        if cell.text:
            width = _width(cell.text)
        else:
            width = _INDENT + (_FORMATTED.get(cell.style) or min(len(cell.content) - len("><v></v>"), _NUMBER))
        if width > self.widths[column]:
            self.widths[column] = _within(width)

    def xml(self) -> str:
        """Write the widths for the sheet's head."""
        columns = "".join(
            f'<col min="{number}" max="{number}" width="{width + _ROOM:g}" customWidth="1"/>'
            for number, width in enumerate(self.widths, 1)
        )
        return f"<cols>{columns}</cols>"


def _within(width: int) -> int:
    return max(_NARROWEST, min(width, WIDEST))


def _width(text: str) -> int:
    """Measure a text's longest line, as far as it counts."""
    return shown_width((max(text.split("\n"), key=len) if "\n" in text else text)[:WIDEST])


def shown_width(line: str) -> int:
    """Count the characters of a line, those of East Asia twice."""
    return len(line) if line.isascii() else len(line) + len(_NARROW.sub("", line))


def line_count(text: str, width: int) -> int:
    """Count the lines that a text takes in a column of so many characters, where only words that are longer break."""
    lines = 0
    measure = len if shown_width(text) == len(text) else shown_width
    for line in text.split("\n"):
        lines, left = lines + 1, width
        for word in line.split(" "):
            taken = measure(word)
            if taken > left:
                lines, left = lines + (left < width), width
                further = (taken - 1) // width
                lines, taken = lines + further, taken - further * width
            left -= taken + 1
    return lines
