"""How much memory a sheet will take, measured by a pass over its XML before its cells are read.

Cells are held as a rectangle, and a text that many cells share is held for each of them: a small file can fill any
memory, by one stray cell or by one long text.
"""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

CELL: Final = 64
"""Bytes of a cell, measured; its text comes on top."""
TEXT: Final = 48
"""Bytes of a shared text, measured; its characters come on top."""
COPIES: Final = 3
"""How often the characters of the text at hand are held; those of all others once for each place."""
MAX_TAG: Final = 16 * 1024 * 1024
"""Bytes without the end of a tag or a comment."""

_DIGITS: Final = "0123456789"

type Limit = Callable[["SheetSize"], None]
"""Raises where a sheet is too large; asked after every block of XML."""


@dataclass(slots=True)
class SheetSize:
    """The last filled column and row of a sheet, how many texts its cells share, and bytes of text.

    `text` are those of all cells and of the texts that they share, `longest` those of a single one.
    """

    columns: int = 0
    rows: int = 0
    shared: int = 0
    text: int = 0
    longest: int = 0

    @property
    def memory(self) -> int:
        """Bytes that reading the sheet takes, about."""
        return CELL * self.columns * self.rows + TEXT * self.shared + self.text + COPIES * self.longest


def measure_texts(blocks: Iterable[bytes], size: SheetSize, limit: Limit) -> array[int]:
    """Add to `size` the texts that cells share, and give the bytes of each, about.

    Like `measure_cells` it raises what `limit` raises, and ExpatError, ValueError or LookupError for damaged XML.
    """
    texts = _SharedTexts(size)
    _parse(blocks, texts.start, texts.say, lambda: limit(size))
    return texts.lengths


def measure_cells(blocks: Iterable[bytes], lengths: array[int], size: SheetSize, limit: Limit) -> None:
    """Add to `size` the cells of a sheet; `lengths` are those of the texts that they share."""
    cells = _Cells(size, lengths)
    _parse(blocks, cells.start, cells.say, lambda: limit(size))
    cells.close()
    limit(size)


class _SharedTexts:
    """Takes in the list of shared texts."""

    def __init__(self, size: SheetSize) -> None:
        self._size = size
        self.lengths = array("Q")

    def start(self, name: str, _: dict[str, str]) -> None:
        if _tag(name) == "si":
            self.lengths.append(0)
            self._size.shared += 1

    def say(self, text: str) -> None:
        if self.lengths:
            length = _length(text)
            self.lengths[-1] += length
            self._size.text += length
            self._size.longest = max(self._size.longest, self.lengths[-1])


class _Cells:
    """Takes in a sheet; a cell counts once it has a value, as one that is only formatted takes no place."""

    def __init__(self, size: SheetSize, lengths: array[int]) -> None:
        self._size = size
        self._lengths = lengths
        self._numbers: dict[str, int] = {}
        self._column = self._row = 0
        self._is_shared = self._in_value = False
        self._index = ""
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name if ":" not in name else _tag(name)
        self._in_value = tag == "v"
        if tag == "c":
            self.close()
            self._length = 0
            self._place(attributes.get("r"))
            self._is_shared = attributes.get("t") == "s"
        elif tag in ("v", "is"):
            size = self._size
            if self._column > size.columns:
                size.columns = self._column
            if self._row > size.rows:
                size.rows = self._row
        elif tag == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0

    def say(self, text: str) -> None:
        if not self._is_shared:
            length = _length(text)
            self._length += length
            self._size.text += length
            if self._length > self._size.longest:
                self._size.longest = self._length
        elif self._in_value:
            self._index += text

    def close(self) -> None:
        """Count the last cell's shared text."""
        if self._index:
            self._size.text += self._lengths[int(self._index)]
            self._index = ""

    def _place(self, place: str | None) -> None:
        if place is None:
            self._column += 1
            return
        letters = place.rstrip(_DIGITS)
        self._column = self._numbers.get(letters) or self._numbers.setdefault(letters, _column_number(letters))
        self._row = int(place[len(letters) :])


def _parse(
    blocks: Iterable[bytes],
    start: Callable[[str, dict[str, str]], None],
    say: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.CharacterDataHandler = say
    parser.StartDoctypeDeclHandler = _refuse
    fed = 0
    for block in blocks:
        parser.Parse(block)
        check()
        fed += len(block)
        if fed - parser.CurrentByteIndex > MAX_TAG:
            raise ValueError("a tag does not end")
    if fed:
        parser.Parse(b"", True)


def _refuse(*_: object) -> None:
    raise ValueError("parts of workbooks have no document type")


def _tag(name: str) -> str:
    return name.rpartition(":")[2]


def _length(text: str) -> int:
    return len(text) if text.isascii() else 3 * len(text)


def _column_number(letters: str) -> int:
    """Count columns from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number
