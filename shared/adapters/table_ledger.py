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
from typing import Any, Final

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableTransactionError, UpdateMode

from shared.adapters.storage_errors import holder_is_missing, translate, with_holder
from shared.domain.errors import Conflict
from shared.domain.ledger import Entry, Month, OutputTokens, charges_by_month, outputs_by_key

PARTITION: Final = "budget"
KEYS_A_QUERY: Final = 12
"""Table storage takes 15 comparisons in a query."""

type Entity = dict[str, Any]


class TableLedger:
    """Money in table storage; see the port for what each method promises."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def month(self, name: str) -> tuple[Month, list[Entry]]:
        # `.` follows `-` in the order of row keys: all that begin with `job-`.
        where = "PartitionKey eq @partition and (RowKey eq @month or (RowKey ge 'job-' and RowKey lt 'job.'))"
        month, entries = Month(name), []
        for entity in self._query(where, partition=PARTITION, month=name):
            if entity["RowKey"] == name:
                month = Month(name, entity["Spent"], _version(entity))
            else:
                entries.append(_entry(entity))
        return month, entries

    def entry(self, job_id: str) -> Entry | None:
        entity = self._get(f"job-{job_id}")
        return None if entity is None else _entry(entity)

    def reserve(self, entry: Entry, month: Month) -> Entry:
        operations = [_written(_month_entity(month), month.version), _written(_entry_entity(entry), entry.version)]
        done = self._transaction(operations, f"the reservation of job {entry.job_id}")
        return replace(entry, version=str(done[1]["etag"]))

    def save(self, entry: Entry) -> Entry:
        done = self._transaction([_written(_entry_entity(entry), entry.version)], f"the charges of job {entry.job_id}")
        return replace(entry, version=str(done[0]["etag"]))

    def settle(self, entry: Entry) -> None:
        mark = {"PartitionKey": PARTITION, "RowKey": f"done-{entry.job_id}"}
        operations: list[Any] = [("create", mark), _written(_entry_entity(entry), entry.version)]
        self._transaction(operations, f"the charges of job {entry.job_id}")

    def drop(self, entry: Entry) -> None:
        operations = [("delete", _entry_entity(entry), _unchanged(entry.version))]
        self._transaction(operations, f"the charges of job {entry.job_id}")

    def fold(self, entries: Sequence[Entry]) -> None:
        operations: list[Any] = []
        for name, charged in charges_by_month(entries).items():
            month = self._get(name)
            spent = charged + (month["Spent"] if month else 0.0)
            operations.append(_written(_month_entity(Month(name, spent)), _version(month)))
        for key, outputs in outputs_by_key(entries).items():
            mean = self._get(f"mean-{key}")
            operations.append(_written(_outputs_entity(key, outputs + _outputs(mean)), _version(mean)))
        for entry in entries:
            operations.append(("delete", _entry_entity(entry), _unchanged(entry.version)))
        self._transaction(operations, "the month's sum")

    def output_tokens(self, keys: Sequence[str]) -> Mapping[str, OutputTokens]:
        found: dict[str, OutputTokens] = {}
        lately: dict[str, OutputTokens] = {}
        for start in range(0, len(keys), KEYS_A_QUERY):
            some = {f"key{number}": f"mean-{key}" for number, key in enumerate(keys[start : start + KEYS_A_QUERY])}
            wanted = " or ".join(["Ended eq true", *(f"RowKey eq @{name}" for name in some)])
            # The client takes a parameter for what stands between two spaces.
            rows = self._query(f"PartitionKey eq @partition and ( {wanted} )", partition=PARTITION, **some)
            found |= {row["RowKey"].removeprefix("mean-"): _outputs(row) for row in rows if "Ended" not in row}
            lately = outputs_by_key(_entry(row) for row in rows if "Ended" in row)
        both = lately | found
        return {key: both[key] for key in keys if key in both}

    def _query(self, where: str, **values: str) -> list[Any]:
        try:
            return list(self._client.query_entities(where, parameters=values))
        except HttpResponseError as error:
            if holder_is_missing(error):
                return []
            raise translate(error, "the ledger") from error
        except AzureError as error:
            raise translate(error, "the ledger") from error

    def _get(self, row: str) -> Any:
        try:
            return self._client.get_entity(PARTITION, row)
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise translate(error, f"row {row} of the ledger") from error

    def _transaction(self, operations: list[Any], what: str) -> list[Mapping[str, Any]]:
        try:
            done: list[Mapping[str, Any]] = with_holder(
                lambda: self._client.submit_transaction(operations), self._client.create_table
            )
        except (TableTransactionError, ResourceExistsError) as error:
            if getattr(error, "status_code", None) in (404, 409, 412):
                raise Conflict(f"{what} changed meanwhile") from error
            raise translate(error, what) from error
        except AzureError as error:
            raise translate(error, what) from error
        return done


def _written(entity: Entity, version: str) -> tuple[Any, ...]:
    """Return the operation that writes a row as it was read: one that was not there is created."""
    return ("update", entity, {"mode": UpdateMode.REPLACE, **_unchanged(version)}) if version else ("create", entity)


def _unchanged(version: str) -> dict[str, Any]:
    return {"match_condition": MatchConditions.IfNotModified, "etag": version}


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
