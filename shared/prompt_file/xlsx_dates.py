"""Numbers that a workbook shows as dates, times or durations (ECMA-376, part 1, 18.8.30 and 18.17.4)."""

import re
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Final


class DateFormat(Enum):
    """How a format shows a number: as a moment, or as time that has passed."""

    MOMENT = "moment"
    DURATION = "duration"


type Moment = date | datetime | time | timedelta

_BUILT_IN: Final = {
    **dict.fromkeys([*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)], DateFormat.MOMENT),
    46: DateFormat.DURATION,
}

_NO_DATE: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]')
"""What of a format code is text, filling, colour or condition."""
_ELAPSED: Final = re.compile(r"\[(h+|m+|s+)\]")
_DATE_LETTER: Final = re.compile("[dmyhs]")

_MILLISECONDS: Final = 24 * 60 * 60 * 1000
_LAST_DAY: Final = 2_958_466
"""The day after 9999-12-31."""
_FALSE_LEAP_DAY: Final = 60
"""1900-02-29, which Excel counts although there was none."""
# Cells know no zone.
_FIRST_BEFORE_LEAP_DAY: Final = datetime(1899, 12, 31)  # noqa: DTZ001
_FIRST: Final = datetime(1899, 12, 30)  # noqa: DTZ001
_FIRST_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001


def date_format_of(id_: int, code: str | None) -> DateFormat | None:
    """Tell from a number format's id, and its code where it has one, whether it shows dates."""
    if code is None:
        return _BUILT_IN.get(id_)
    first = _NO_DATE.sub("", code.partition(";")[0].lower())
    if first in ("general", "standard"):
        return None
    if _ELAPSED.search(first):
        return DateFormat.DURATION
    return DateFormat.MOMENT if _DATE_LETTER.search(first) else None


def moment_of(number: float, format_: DateFormat, counts_from_1904: bool) -> Moment | None:
    """Read a number as what its format shows, to the millisecond; None where Excel cannot show it as a date."""
    limit = _LAST_DAY - 1462 if counts_from_1904 else _LAST_DAY
    if not (-limit if format_ is DateFormat.DURATION else 0) <= number < limit:
        return None
    passed = timedelta(milliseconds=round(number * _MILLISECONDS))
    if format_ is DateFormat.DURATION:
        return passed
    first = _FIRST_1904 if counts_from_1904 else _FIRST if number >= _FALSE_LEAP_DAY else _FIRST_BEFORE_LEAP_DAY
    found = first + passed
    if not passed.days:
        return found.time()
    return found if passed.seconds or passed.microseconds else found.date()


def moment_in(text: str) -> Moment | None:
    """Read an ISO 8601 date, time or both as a cell of type `d` holds it; None for anything else.

    Offsets are dropped, as Excel knows no zones. The days before its calendar stand for times of day.
    """
    try:
        found = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        try:
            return time.fromisoformat(text.removeprefix("T")).replace(tzinfo=None)
        except ValueError:
            return None
    if found.date() in (date(1899, 12, 30), date(1899, 12, 31)):
        return found.time()
    return found.date() if found.time() == time() else found
