"""Adapter: the month's money in the jobs table, behind shared.domain.ledger.Ledger.

    partition   row              holds
    budget      2026-11          the month's sum
    budget      job-<job id>     the entry of a job that is under way, or has ended and is not folded yet
    budget      done-<job id>    the mark of a job that was settled, and whose charges must not be written again
    budget      mean-<key>       output tokens of earlier answers

One partition, so that transactions can reserve, and fold, all or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import msgspec
from azure.data.tables import TableClient

from shared.adapters.table_entities import Entity, etag_of
from shared.adapters.table_rows import Operation, TableRows, creation, deletion, replacement
from shared.domain.ledger import FOLDED, Entry, Month, OutputTokens, charges_by_month, outputs_by_key

PARTITION: Final = "budget"
KEYS_A_QUERY: Final = 12
"""Table storage takes 15 comparisons in a query."""


class TableLedger:
    """Money in table storage; see the port for what each method promises."""

    def __init__(self, client: TableClient) -> None:
        self._rows = TableRows(client)

    def month(self, name: str) -> tuple[Month, list[Entry]]:
        # `.` follows `-` in the order of row keys: all that begin with `job-`.
        where = "PartitionKey eq @partition and (RowKey eq @month or (RowKey ge 'job-' and RowKey lt 'job.'))"
        month, entries = Month(name), []
        for entity in self._rows.query(where, {"partition": PARTITION, "month": name}):
            if entity["RowKey"] == name:
                month = Month(name, entity["Spent"], _version(entity))
            else:
                entries.append(_entry(entity))
        return month, entries

    def entry(self, job_id: str) -> Entry | None:
        entity = self._rows.get(PARTITION, f"job-{job_id}")
        return None if entity is None else _entry(entity)

    def reserve(self, entry: Entry, month: Month) -> Entry:
        sum_and_entry = replacement(_month_entity(month), month.version), _write(entry)
        done = self._rows.transaction(sum_and_entry, f"the reservation of job {entry.job_id}")
        return replace(entry, version=etag_of(done[1]))

    def save(self, entry: Entry) -> Entry:
        done = self._rows.transaction([_write(entry)], _charges(entry))
        return replace(entry, version=etag_of(done[0]))

    def settle(self, entry: Entry) -> None:
        mark = {"PartitionKey": PARTITION, "RowKey": f"done-{entry.job_id}"}
        self._rows.transaction([creation(mark), _write(entry)], _charges(entry))

    def drop(self, entry: Entry) -> None:
        self._rows.transaction([deletion(_entry_entity(entry), entry.version)], _charges(entry))

    def fold(self, entries: Sequence[Entry]) -> None:
        operations: list[Operation] = []
        for name, charged in charges_by_month(entries).items():
            month = self._rows.get(PARTITION, name)
            spent = charged + (month["Spent"] if month else 0.0)
            operations.append(replacement(_month_entity(Month(name, spent)), _version(month)))
        for key, outputs in outputs_by_key(entries).items():
            mean = self._rows.get(PARTITION, f"mean-{key}")
            operations.append(replacement(_outputs_entity(key, outputs + _outputs(mean)), _version(mean)))
        for entry in entries:
            operations.append(deletion(_entry_entity(entry), entry.version))
        self._rows.transaction(operations, "the month's sum")

    def output_tokens(self, keys: Sequence[str]) -> Mapping[str, OutputTokens]:
        found: dict[str, OutputTokens] = {}
        for start in range(0, len(keys), KEYS_A_QUERY):
            some = {f"key{number}": f"mean-{key}" for number, key in enumerate(keys[start : start + KEYS_A_QUERY])}
            wanted = " or ".join(f"RowKey eq @{name}" for name in some)
            # The client takes a parameter for what stands between two spaces.
            rows = self._rows.query(f"PartitionKey eq @partition and ( {wanted} )", {"partition": PARTITION, **some})
            found |= {row["RowKey"].removeprefix("mean-"): _outputs(row) for row in rows}
        if any(key not in found for key in keys):
            found = {**self._lately(), **found}
        return {key: found[key] for key in keys if key in found}

    def _lately(self) -> Mapping[str, OutputTokens]:
        """Add up the output tokens of ended jobs that are not folded yet: of a few, as this is read at each build."""
        where = "PartitionKey eq @partition and Ended eq true"
        rows = self._rows.query(where, {"partition": PARTITION}, page=FOLDED)
        return outputs_by_key(_entry(row) for row in islice(rows, FOLDED))


def _write(entry: Entry) -> Operation:
    return replacement(_entry_entity(entry), entry.version)


def _charges(entry: Entry) -> str:
    return f"the charges of job {entry.job_id}"


def _version(entity: Any) -> str:
    return "" if entity is None else str(entity.metadata["etag"])


def _month_entity(month: Month) -> Entity:
    return {"PartitionKey": PARTITION, "RowKey": month.name, "Spent": month.spent}


def _entry_entity(entry: Entry) -> Entity:
    record = msgspec.json.encode(replace(entry, version="")).decode()
    return {"PartitionKey": PARTITION, "RowKey": f"job-{entry.job_id}", "Ended": entry.ended, "Record": record}


def _entry(entity: Any) -> Entry:
    return replace(msgspec.json.decode(entity["Record"], type=Entry), version=_version(entity))


def _outputs_entity(key: str, outputs: OutputTokens) -> Entity:
    record = msgspec.json.encode(outputs).decode()
    return {"PartitionKey": PARTITION, "RowKey": f"mean-{key}", "Record": record}


def _outputs(entity: Any) -> OutputTokens:
    return OutputTokens() if entity is None else msgspec.json.decode(entity["Record"], type=OutputTokens)
