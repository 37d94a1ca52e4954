"""The month's money: what jobs were charged, and what unfinished jobs have reserved.

Each job has its own entry, written when money is reserved and at every collection, so that jobs do not contend.
Entries of ended jobs are folded into the month's sum, many in one transaction, which leaves all totals unchanged. The
output tokens of their answers are folded too: estimates use their mean.
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
    """The model that the answers name; the latest, if it changed."""

    def __add__(self, other: "OutputTokens") -> "OutputTokens":
        return OutputTokens(self.tokens + other.tokens, self.answers + other.answers, other.model or self.model)

    @property
    def mean(self) -> float | None:
        """The mean per answer, None without answers."""
        return self.tokens / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one job was charged, by month (`2026-11`), and what it is estimated to cost in all, in US dollars.

    `reserved` is 0 for a job that is held or has ended: only its charges count then. `ended` entries may be folded
    into their months. `outputs` are the output tokens of its answers, by `history_key`. `version` is the store's ETag,
    empty before the first write.
    """

    job_id: str
    charged: Mapping[str, float] = field(default_factory=dict)
    reserved: float = 0.0
    ended: bool = False
    outputs: Mapping[str, OutputTokens] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True, slots=True)
class Month:
    """The sum of the entries folded into a month; `version` guards a reservation against changes to it."""

    name: str
    spent: float = 0.0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a month's jobs have spent and reserved, in US dollars."""

    spent: float
    reserved: float

    @property
    def committed(self) -> float:
        """What is spent or, by estimate, will be."""
        return self.spent + self.reserved


class Ledger(Protocol):
    """Where months, entries and earlier answers' output tokens are kept: one partition of the jobs table."""

    def month(self, name: str) -> tuple[Month, list[Entry]]:
        """Return a month's sum (0 if nothing was folded into it yet) and all entries that are not folded."""

    def entry(self, job_id: str) -> Entry | None:
        """Return a job's entry, None if it has none or was folded."""

    def reserve(self, entry: Entry, month: Month) -> Entry:
        """Write a job's entry and mark the month as changed. Raises Conflict if either changed meanwhile.

        Of two jobs that read the same month, one reserves; the other must read it again.
        """

    def save(self, entry: Entry) -> Entry:
        """Write a job's entry. Raises Conflict if it changed since it was read, or exists though `entry` is new."""

    def settle(self, entry: Entry) -> None:
        """Write the final entry of an ended job, once only. Raises Conflict if it is settled already, or as `save`."""

    def drop(self, entry: Entry) -> None:
        """Remove the entry of a job that was settled before. Raises Conflict if it changed since it was read."""

    def fold(self, entries: Sequence[Entry]) -> None:
        """Add ended jobs' entries to their months and to the output tokens of earlier answers, and remove them.

        At most `FOLDED` entries, in one transaction. Raises Conflict if anything changed meanwhile.
        """

    def output_tokens(self, keys: Sequence[str]) -> Mapping[str, OutputTokens]:
        """Return the output tokens of earlier answers by key, for the keys that have any.

        If nothing is folded for a key yet, those of ended jobs' entries, of `FOLDED` at most.
        """


FOLDED = 40
"""Entries folded at a time: a transaction has at most 100 operations, and an entry may need several."""


def history_key(deployment: str, schema: bytes = b"") -> str:
    """Return the key for a deployment's earlier answers: to one schema or, without `schema`, to all."""
    digest = hashlib.sha256(deployment.encode("utf-8", "replace") + b"\n" + schema)
    return digest.hexdigest()[:32]


def month_of(time: datetime) -> str:
    """Return the name of a time's calendar month in UTC: `2026-11`."""
    return f"{time.astimezone(UTC):%Y-%m}"


def standing(month: Month, entries: Iterable[Entry], *, without: str = "") -> Standing:
    """Add up a month: its sum and the entries of all jobs except `without`."""
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
