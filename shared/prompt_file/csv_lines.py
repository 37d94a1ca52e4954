"""Lines of a text table, of which those that were read too far can be put back."""

from collections.abc import Iterator, Sequence
from io import StringIO


def open_lines(text: str) -> StringIO:
    """Open a text to be read line by line; lines end at line feeds only."""
    return StringIO(text, newline="\n")


class LineSource:
    """The lines of a text that comes in pieces of whole lines, read one by one (counted in `taken`) or by piece."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._piece = StringIO()
        self._back: list[str] = []
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._back:
            line = self._back.pop()
        else:
            while not (line := self._piece.readline()):
                self._piece = open_lines(next(self._pieces))
        self.taken += 1
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """Put back the last lines, in their order."""
        self._back.extend(reversed(lines))
        self.taken -= len(lines)

    def rest(self) -> str:
        """Return the rest of the current piece, or the next piece if nothing is left of it; empty at the end."""
        text = "".join(reversed(self._back)) + self._piece.read()
        self._back.clear()
        return text or next(self._pieces, "")
