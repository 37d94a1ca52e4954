"""The ledger in memory, with the promises of the real one."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.errors import Conflict
from shared.domain.ledger import FOLDED, Entry, Month, OutputTokens, charges_by_month, outputs_by_key


class MemoryLedger:
    """Months, entries and output tokens, each with a version."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self._months: dict[str, Month] = {}
        self._entries: dict[str, Entry] = {}
        self._outputs: dict[str, OutputTokens] = {}
        self._settled: set[str] = set()

    def month(self, name: str) -> tuple[Month, list[Entry]]:
        return self._months.get(name, Month(name)), [self._entries[key] for key in sorted(self._entries)]

    def entry(self, job_id: str) -> Entry | None:
        return self._entries.get(job_id)

    def reserve(self, entry: Entry, month: Month) -> Entry:
        there = self._months.get(month.name, Month(month.name))
        if there.version != month.version:
            raise Conflict(f"{month.name} changed meanwhile")
        saved = self.save(entry)
        self._months[month.name] = replace(month, version=self._version())
        return saved

    def save(self, entry: Entry) -> Entry:
        self._check(entry)
        saved = replace(entry, version=self._version())
        self._entries[entry.job_id] = saved
        return saved

    def settle(self, entry: Entry) -> None:
        if entry.job_id in self._settled:
            raise Conflict(f"the job {entry.job_id} was settled")
        self.save(entry)
        self._settled.add(entry.job_id)

    def drop(self, entry: Entry) -> None:
        self._check(entry)
        del self._entries[entry.job_id]

    def fold(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._check(entry)
        for name, charged in charges_by_month(entries).items():
            spent = charged + self._months.get(name, Month(name)).spent
            self._months[name] = Month(name, spent, self._version())
        for key, outputs in outputs_by_key(entries).items():
            self._outputs[key] = self._outputs.get(key, OutputTokens()) + outputs
        for entry in entries:
            del self._entries[entry.job_id]

    def output_tokens(self, keys: Sequence[str]) -> Mapping[str, OutputTokens]:
        ended = sorted((entry for entry in self._entries.values() if entry.ended), key=lambda entry: entry.job_id)
        lately = outputs_by_key(ended[:FOLDED])
        return {key: found for key in keys if (found := self._outputs.get(key, lately.get(key))) is not None}

    def _check(self, entry: Entry) -> None:
        there = self._entries.get(entry.job_id)
        if (there.version if there else "") != entry.version:
            raise Conflict(f"the entry of {entry.job_id} changed meanwhile")

    def _version(self) -> str:
        return f"W/{next(self._versions)}"
