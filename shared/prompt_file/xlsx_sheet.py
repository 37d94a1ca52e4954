"""The XML of a workbook's texts and cells, read as a stream (ECMA-376, part 1, 18.3 and 18.4)."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from xml.parsers import expat

from shared.prompt_file.lines import MAX_ROW
from shared.prompt_file.xlsx_cells import Cell, CellReader, Gap, Rounded, unescaped
from shared.prompt_file.xlsx_package import PackageTooLargeError

MAX_TEXTS: Final = 1024 * 1024 * 1024
"""Bytes of memory for the texts that cells share: half of what an instance has by default."""
MAX_COLUMNS: Final = 16_384
MAX_TAG: Final = 16 * 1024 * 1024
"""Bytes without the end of a tag or a comment."""

_DIGITS: Final = "0123456789"
_SPACE: Final = " \t\r\n"
_ODD: Final = frozenset((Gap, Rounded))


class Row(NamedTuple):
    """A row by its number in the sheet, from 1; what is left out before the last cell is None.

    `is_odd` says whether a cell is a Gap or Rounded.
    """

    number: int
    cells: list[Cell]
    is_odd: bool


def read_texts(blocks: Iterable[bytes]) -> list[str]:
    """Read the texts that cells share; raises PackageTooLargeError, and ExpatError or ValueError for damaged XML."""
    texts = _Texts(expat.ParserCreate())
    for _ in _parsed(blocks, texts):
        if texts.memory > MAX_TEXTS:
            raise PackageTooLargeError(f"has more than {MAX_TEXTS // 2**30} GB of text")
    return texts.found


def read_rows(blocks: Iterable[bytes], cells: CellReader) -> Iterator[Row]:
    """Read the rows that have a cell with a value; raises like `read_texts`, and IndexError for an unknown text."""
    rows = _Rows(expat.ParserCreate(), cells)
    for _ in _parsed(blocks, rows):
        yield from rows.found
        rows.found.clear()


class _Tags(dict[str, str]):
    """Elements' names without the prefix that some programs write."""

    def __missing__(self, name: str) -> str:
        tag = self[name] = name.rpartition(":")[2]
        return tag


class _Columns(dict[str, int]):
    """Columns by their letters, counted from 0: A is 0, AA is 26."""

    def __missing__(self, letters: str) -> int:
        number = 0
        for letter in letters.upper():
            if not "A" <= letter <= "Z":
                raise ValueError("a cell has no column")
            number = number * 26 + ord(letter) - 64
        if not 0 < number <= MAX_COLUMNS:
            raise ValueError("a cell lies beyond the last column")
        self[letters] = number - 1
        return number - 1


class _Text:
    """A text in one or several pieces (`t`), those of a phonetic guide (`rPh`) left out."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self._in_guide = self._keeps_space = False

    @property
    def whole(self) -> str:
        """The text without its escapes."""
        return unescaped("".join(self._pieces))

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """Begin an element; whether its text counts."""
        if tag == "t":
            self._keeps_space = attributes.get("xml:space") == "preserve"
            return not self._in_guide
        if tag == "rPh":
            self._in_guide = True
        return False

    def end(self, tag: str, parts: list[str]) -> None:
        """End an element that held these parts of a text."""
        if tag == "t":
            piece = "".join(parts)
            self._pieces.append(piece if self._keeps_space else piece.strip(_SPACE))
            self._size += len(piece)
            _check_length(self._size)
        elif tag == "rPh":
            self._in_guide = False


class _Texts:
    """Collects the shared texts from the parser."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.parts: list[str] = []
        self.found: list[str] = []
        self.memory = 0
        self._tags = _Tags()
        self._text = _Text()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = self._tags[name]
        if tag == "si":
            self._text = _Text()
        elif self._text.start(tag, attributes):
            self.parser.CharacterDataHandler = self.parts.append

    def end(self, name: str) -> None:
        tag = self._tags[name]
        if tag == "si":
            self.found.append(self._text.whole)
            self.memory += sys.getsizeof(self.found[-1])
        else:
            self._text.end(tag, self.parts)
            self.parser.CharacterDataHandler = None
            self.parts.clear()


class _Rows:
    """Collects a sheet's rows from the parser."""

    def __init__(self, parser: expat.XMLParserType, cells: CellReader) -> None:
        self.parser = parser
        self.parts: list[str] = []
        self.found: list[Row] = []
        self._take = self.parts.append
        self._read = cells.read
        self._tags = _Tags()
        self._columns = _Columns()
        self._number = 0
        self._row: list[Cell] = []
        self._is_odd = False
        self._column = -1
        self._attributes: dict[str, str] = {}
        self._has_value = self._has_formula = False
        self._inline: _Text | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = self._tags[name]
        if tag == "c":
            self._attributes = attributes
            self._has_value = self._has_formula = False
        elif tag == "v":
            self._has_value = True
            self.parser.CharacterDataHandler = self._take
        elif tag == "row":
            self._row, self._is_odd, self._column = [], False, -1
            self._number = int(attributes.get("r", self._number + 1))
        elif tag == "f":
            self._has_formula = True
        elif tag == "is":
            self._inline = _Text()
        elif self._inline is not None and self._inline.start(tag, attributes):
            self.parser.CharacterDataHandler = self.parts.append

    def end(self, name: str) -> None:
        tag = self._tags[name]
        if tag == "c":
            self._end_cell()
        elif tag == "v":
            self.parser.CharacterDataHandler = None
        elif tag == "row":
            if self._row:
                self.found.append(Row(self._number, self._row, self._is_odd))
        elif self._inline is not None:
            self._inline.end(tag, self.parts)
            self.parser.CharacterDataHandler = None
            self.parts.clear()

    def _end_cell(self) -> None:
        attributes, row = self._attributes, self._row
        place = attributes.get("r")
        # A cell without a place follows the one before.
        column = self._column + 1 if place is None else self._columns[place.rstrip(_DIGITS)]
        self._column = column
        cell = self._cell(attributes)
        if cell is None:
            return
        if type(cell) in _ODD:
            self._is_odd = True
        if column > len(row):
            row.extend([None] * (column - len(row)))
        if column == len(row):
            row.append(cell)
        else:
            row[column] = cell

    def _cell(self, attributes: dict[str, str]) -> Cell:
        """Read the cell that has ended; where there is neither value nor text, a formula was never calculated."""
        kind = attributes.get("t", "n")
        if self._has_value:
            content = "".join(self.parts)
            self.parts.clear()
            if not content and self._has_formula and kind == "n":
                # An empty text has the type `str`: openpyxl leaves the value of a formula out like this.
                return Gap.UNCALCULATED
            return self._read(kind, attributes.get("s"), content)
        if self._inline is not None:
            text, self._inline = self._inline.whole, None
            return text or None
        if kind == "e":
            return Gap.ERROR
        return Gap.UNCALCULATED if self._has_formula else None


def _parsed(blocks: Iterable[bytes], handler: _Texts | _Rows) -> Iterator[None]:
    """Parse blocks with a handler; yield after each, so that the caller can take what was found."""
    parser = handler.parser
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    parser.StartDoctypeDeclHandler = _refuse
    fed = 0
    for block in blocks:
        parser.Parse(block)
        yield
        fed += len(block)
        if fed - parser.CurrentByteIndex > MAX_TAG:
            raise ValueError("a tag does not end")
        _check_length(sum(map(len, handler.parts)))
    if fed:
        parser.Parse(b"", True)
        yield


def _check_length(length: int) -> None:
    """Raise PackageTooLargeError for a cell of this length if it is too long."""
    if length > MAX_ROW:
        raise PackageTooLargeError(f"has a cell with more than {MAX_ROW // 2**20} MB of text")


def _refuse(*_: object) -> None:
    raise ValueError("parts of workbooks have no document type")
