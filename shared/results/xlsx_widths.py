"""How wide the columns of results.xlsx are: as their content, within limits."""

import unicodedata
from collections.abc import Sequence
from typing import Final

WIDEST: Final = 60
"""Characters; longer texts are wrapped."""
_NARROWEST: Final = 6
_ROOM: Final = 1.7
"""Characters of white space at both sides."""
_BUTTON: Final = 3
"""Characters of the filter's button beside a header."""
_NUMBER: Final = 19
"""A date with its time; numbers are seldom wider."""
_WIDE: Final = ("W", "F")


class ColumnWidths:
    """Finds how wide columns must be."""

    def __init__(self, names: Sequence[str]) -> None:
        self.widths = [_within(_width(name) + _BUTTON) for name in names]

    def fit(self, column: int, text: str, content: str) -> None:
        """Widen the column if a cell needs it: by its text, or by the XML of its value if it has none."""
        width = _width(text) if text else min(len(content) - len("><v></v>"), _NUMBER)
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
    """Count the characters of a text's longest line, those of East Asia twice."""
    line = max(text.split("\n"), key=len)[:WIDEST] if "\n" in text else text[:WIDEST]
    if line.isascii():
        return len(line)
    return len(line) + sum(unicodedata.east_asian_width(character) in _WIDE for character in line)
