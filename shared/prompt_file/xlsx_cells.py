"""The cells of an `.xlsx`: what a file holds → a value, and a value → the text that a person would type for it."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from shared.prompt_file.xlsx_dates import DateFormat, Moment, moment_in, moment_of


class Gap(Enum):
    """Why a cell that shows something in Excel has no value."""

    UNCALCULATED = "uncalculated"
    ERROR = "error"


class Rounded(int):
    """A whole number of which the file holds only the first 16 or 17 digits."""


type Cell = str | bool | int | float | Moment | Gap | None
"""None is an empty cell."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NO_NUMBER: Final = frozenset(("nan", "inf", "infinity"))
_LONGEST_WHOLE: Final = 400
"""Characters of a whole number: the largest double has 309 digits."""
_EXACT: Final = 2**53
"""Up to here a double holds every whole number."""

_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class CellReader:
    """Reads the cells of one workbook."""

    def __init__(self, texts: Sequence[str], formats: Sequence[DateFormat | None], counts_from_1904: bool) -> None:
        """`texts` are those that cells share, `formats` how each style shows numbers as dates."""
        self._texts = texts
        self._date_formats: dict[str | None, DateFormat] = {
            str(style): format_ for style, format_ in enumerate(formats) if format_ is not None
        }
        self._counts_from_1904 = counts_from_1904

    def read(self, kind: str, style: str | None, content: str) -> Cell:
        """Read what stands in a cell of a type (18.18.11) and a style; raises ValueError, IndexError."""
        if kind == "s":
            return self._texts[int(content)] or None if content else None
        if kind == "n":
            return self._number(content, style)
        if kind == "b":
            return content.strip() in ("1", "true") if content else None
        if kind == "e":
            return Gap.ERROR
        if kind == "d":
            return moment_in(content.strip()) or content or None
        return unescaped(content) or None

    def _number(self, content: str, style: str | None) -> Cell:
        format_ = self._date_formats.get(style)
        if format_ is None and content.isdecimal() and len(content) <= _LONGEST_WHOLE:
            return int(content)
        content = content.strip()
        if _NUMBER.fullmatch(content) is None:
            return Gap.ERROR if content.lower().lstrip("+-") in _NO_NUMBER else content or None
        number = float(content)
        if math.isinf(number):
            return Gap.ERROR
        if format_ is not None and (moment := moment_of(number, format_, self._counts_from_1904)) is not None:
            return moment
        return _whole(content, number) if number.is_integer() else number


def _whole(content: str, number: float) -> int | float:
    """Read a whole number with all the digits that the file has; one of a few digits and many zeros stays a float."""
    if abs(number) < _EXACT:
        return int(number)
    exact = Decimal(content)
    digits, exponent = len(exact.as_tuple().digits), exact.as_tuple().exponent
    if digits <= 15 or not isinstance(exponent, int):
        return number
    return Rounded(exact) if exponent > 0 else int(exact)


def unescaped(text: str) -> str:
    """Replace `_x000D_` and the like (22.9.2.19); two that are halves of a character make that character."""
    if "_x" not in text:
        return text
    found = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    if _SURROGATE.search(found) is None:
        return found
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_of(cell: Cell) -> str:
    """Write a cell as Excel would into a CSV file, but dates as ISO 8601 and numbers without their format."""
    return _WRITERS[type(cell)](cell)


def _number_text(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) <= _EXACT else f"{number:.15g}"


def _date_and_time(moment: datetime) -> str:
    return moment.isoformat(" ", _precision(moment))


def _time(moment: time) -> str:
    return moment.isoformat(_precision(moment))


def _precision(moment: datetime | time) -> str:
    return "milliseconds" if moment.microsecond else "seconds"


def _duration(passed: timedelta) -> str:
    seconds = round(passed.total_seconds())
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _nothing(_: object) -> str:
    return ""


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: str,
    bool: lambda truth: "TRUE" if truth else "FALSE",
    int: str,
    Rounded: int.__repr__,
    float: _number_text,
    datetime: _date_and_time,
    date: date.isoformat,
    time: _time,
    timedelta: _duration,
    Gap: _nothing,
    type(None): _nothing,
}
