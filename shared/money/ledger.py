"""The month's money: what jobs were charged, and what those under way have reserved.

Each job has an entry of its own, written when it is reserved and at every collection, so that jobs do not contend.
Entries of ended jobs are folded into the month's sum, many in one transaction; the totals here are the same before and
after.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """What one job was charged, by month (`2026-11`), and what it is estimated to cost in all, in US dollars.

    `reserved` is 0 for a job that is held or has ended: it then counts with what it was charged. `ended` entries may
    be folded into their months. `version` is the store's ETag, empty before the first write.
    """

    job_id: str
    charged: Mapping[str, float] = field(default_factory=dict)
    reserved: float = 0.0
    ended: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class Month:
    """A month's sum over the entries that were folded into it; `version` guards reserving against its change."""

    name: str
    spent: float = 0.0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a month stands, in US dollars."""

    spent: float
    reserved: float

    @property
    def committed(self) -> float:
        """What is spent, or will be by estimate."""
        return self.spent + self.reserved


def month_of(time: datetime) -> str:
    """Name the calendar month of a time, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m}"


def standing(month: Month, entries: Iterable[Entry], *, without: str = "") -> Standing:
    """Add up a month: its sum and the entries of all jobs but the one named by `without`."""
    spent, reserved = month.spent, 0.0
    for entry in entries:
        if entry.job_id != without:
            spent += entry.charged.get(month.name, 0.0)
            reserved += max(0.0, entry.reserved - sum(entry.charged.values()))
    return Standing(spent, reserved)


def folded(month: Month, entries: Iterable[Entry]) -> Month:
    """Add the charges of ended jobs to a month's sum."""
    return Month(month.name, month.spent + sum(entry.charged.get(month.name, 0.0) for entry in entries), month.version)
