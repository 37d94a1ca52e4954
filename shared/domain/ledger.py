"""The month's money: what jobs were charged, and what those under way have reserved.

Each job has its own entry, written when it is reserved and at every collection, so that jobs do not contend.
Entries of ended jobs are folded into the month's sum, many in one transaction; the totals here are the same before and
after. With them go the output tokens of their answers, of which estimates take the mean.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutputTokens:
    """The output tokens of some answers, summed up."""

    tokens: int = 0
    answers: int = 0
    model: str = ""
    """The model that gave them, by its own word; where it changed, the latest."""

    def __add__(self, other: "OutputTokens") -> "OutputTokens":
        return OutputTokens(self.tokens + other.tokens, self.answers + other.answers, other.model or self.model)

    @property
    def mean(self) -> float | None:
        """The mean of an answer, None without answers."""
        return self.tokens / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one job was charged, by month (`2026-11`), and what it is estimated to cost in all, in US dollars.

    `reserved` is 0 for a job that is held or has ended: it then counts with what it was charged. `ended` entries may
    be folded into their months. `outputs` are the output tokens of its answers, by `history_key`. `version` is the
    store's ETag, empty before the first write.
    """

    job_id: str
    charged: Mapping[str, float] = field(default_factory=dict)
    reserved: float = 0.0
    ended: bool = False
    outputs: Mapping[str, OutputTokens] = field(default_factory=dict)
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


class Ledger(Protocol):
    """Where months, entries and earlier answers' output tokens are kept: one partition of the jobs table."""

    def month(self, name: str) -> tuple[Month, list[Entry]]:
        """Return a month's sum, 0 where there is none yet, and the entries of all jobs that are not folded."""

    def entry(self, job_id: str) -> Entry | None:
        """Return a job's entry, None where it has none or was folded."""

    def reserve(self, entry: Entry, month: Month) -> Entry:
        """Write a job's entry, and mark the month as changed; Conflict where the month or the entry changed meanwhile.

        So of two jobs that looked at the same month, one reserves, and the other looks again.
        """

    def save(self, entry: Entry) -> Entry:
        """Write a job's entry; Conflict where it changed since it was read, or is there though it has no version."""

    def settle(self, entry: Entry) -> None:
        """Write the entry of a job that has ended, once for ever; Conflict where it was settled, or as with `save`."""

    def drop(self, entry: Entry) -> None:
        """Remove the entry of a job that was settled before; Conflict where it changed since it was read."""

    def fold(self, entries: Sequence[Entry]) -> None:
        """Add ended jobs' entries to their months and to the output tokens of earlier answers, and remove them.

        All in one transaction, `FOLDED` entries at most. Conflict where anything changed meanwhile.
        """

    def output_tokens(self, keys: Sequence[str]) -> Mapping[str, OutputTokens]:
        """Return the output tokens of earlier answers by key, for the keys that have any.

        Where nothing is folded for a key yet, ended jobs' entries tell.
        """


FOLDED = 40
"""Entries that are folded at once: a transaction has 100 operations at most, and each may bring others with it."""


def history_key(deployment: str, schema: bytes = b"") -> str:
    """Name what earlier answers of a deployment are remembered by: those to one schema, or without it, all of them."""
    digest = hashlib.sha256(deployment.encode("utf-8", "replace") + b"\n" + schema)
    return digest.hexdigest()[:32]


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


def charges_by_month(entries: Iterable[Entry]) -> dict[str, float]:
    """Add up what jobs were charged, by month."""
    charged: Counter[str] = Counter()
    for entry in entries:
        charged.update(entry.charged)
    return dict(charged)


def outputs_by_key(entries: Iterable[Entry]) -> dict[str, OutputTokens]:
    """Add up the output tokens of jobs' answers, by key."""
    found: dict[str, OutputTokens] = {}
    for entry in entries:
        for key, outputs in entry.outputs.items():
            found[key] = found.get(key, OutputTokens()) + outputs
    return found
