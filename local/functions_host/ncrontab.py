"""NCRONTAB, the schedule language of timer triggers: {second} {minute} {hour} {day} {month} {day of week}.

Sources: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions and the
library behind it, https://github.com/atifaziz/NCrontab. Unlike in Unix cron, a day must match both its fields.
Own, as croniter 6 reads 17-9 as a range over midnight, refuses JULY and takes a day 0.
"""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = tuple(calendar.month_name[1:])
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _WEEKDAYS),
)
_LONGEST_GAP_YEARS = 8  # from one February 29 to the next, over a century that has none


class ScheduleError(ValueError):
    """The text is not an NCRONTAB expression; the message says which part is wrong."""


@dataclass(frozen=True)
class Schedule:
    """A parsed schedule: the values that each field allows."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence later than `moment`, in its time zone; ScheduleError if there never is one."""
        candidate = moment.replace(microsecond=0) + timedelta(seconds=1)
        while candidate.year <= moment.year + _LONGEST_GAP_YEARS:
            if candidate.month not in self.months:
                first = candidate.replace(day=1, hour=0, minute=0, second=0)
                candidate = (first + timedelta(days=31)).replace(day=1)
            elif candidate.day not in self.days or candidate.isoweekday() % 7 not in self.weekdays:
                candidate = candidate.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif candidate.hour not in self.hours:
                candidate = candidate.replace(minute=0, second=0) + timedelta(hours=1)
            elif candidate.minute not in self.minutes:
                candidate = candidate.replace(second=0) + timedelta(minutes=1)
            elif candidate.second not in self.seconds:
                candidate += timedelta(seconds=1)
            else:
                return candidate
        raise ScheduleError("The schedule never occurs: no month has such a day.")


def parse_schedule(expression: str) -> Schedule:
    """Parse an expression of six fields, or of five without the seconds; raises ScheduleError."""
    parts = expression.split()
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) != len(_FIELDS):
        raise ScheduleError(
            f"{expression!r} has {len(parts)} fields; it needs six: second minute hour day month weekday."
        )
    return Schedule(*(_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True)))


def _field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    try:
        return frozenset(value for part in text.split(",") for value in _range(part, low, high, names))
    except ValueError as wrong:
        raise ScheduleError(f"{text!r} is not a valid {name} field: {wrong}.") from wrong


def _range(text: str, low: int, high: int, names: tuple[str, ...]) -> range:
    span, slash, step = text.partition("/")
    every = max(1, int(step)) if slash else 1
    if span == "*":
        return range(low, high + 1, every)
    first, dash, last = span.partition("-")
    start = _value(first, low, high, names)
    end = _value(last, low, high, names) if dash else (high if slash else start)
    return range(min(start, end), max(start, end) + 1, every)


def _value(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.isascii() and text.isdigit():
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return value
    for index, known in enumerate(names):
        if text and known.lower().startswith(text.lower()):
            return index + low
    raise ValueError(f"{text!r} is not a value")
