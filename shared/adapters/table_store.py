"""Adapter: jobs, batches and the open index in one Azure table, behind shared.domain.ports.JobStore.

    partition     row                       holds
    <job id>      job                       the job
    <job id>      batch-00000-1             a batch (index, attempt)
    open          <job id>                  the open index: name, etag and time of the prompt file; what lists show
    history       <countdown>-<job id>      an ended job, so that a listing by row key is newest first
    history-<state>                         the same once more, so that a listing of one state need not look for it
    gate          <hash of a deployment>    until when a deployment's quota is not tried again
    app           installed, place-<name>   when the table was first used; where a walk stopped

Each record is one property of JSON: table storage drops nulls and has no nested values.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableTransactionError, UpdateMode
from pydantic import TypeAdapter

from shared.adapters.storage_errors import holder_is_missing, translate, translated, with_holder
from shared.domain.errors import Conflict
from shared.domain.model import Batch, Job, OpenJob, newest_first
from shared.domain.ports import DeploymentBackoff, Listed

TRANSACTION_LIMIT: Final = 100

type Entity = dict[str, Any]


class TableJobStore:
    """Jobs in table storage; see the port for what each method promises."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def open_entry(self, entry: OpenJob) -> str:
        # Merged, so that what is listed of the job stays.
        return self._put(_entity("open", entry.job_id, entry), UpdateMode.MERGE)

    def open_jobs(self) -> Iterator[OpenJob]:
        for listed in self.all_listed():
            yield listed.entry

    def listed(self, job_id: str) -> Listed | None:
        entity = self._get("open", job_id)
        return None if entity is None else _listed(entity)

    def all_listed(self) -> Iterator[Listed]:
        for entity in self._query("PartitionKey eq 'open'"):
            yield _listed(entity)

    def list_as(self, listed: Listed) -> Listed:
        columns = {"Status": _text(listed.status or {}), "StatusETag": listed.etag, "StatusDigest": listed.digest}
        entity = _entity("open", listed.entry.job_id, listed.entry, **columns)
        return replace(listed, version=self._replace(entity, listed.version, f"the open job {listed.entry.job_id}"))

    def insert_job(self, job: Job) -> Job:
        with translated(f"job {job.job_id}"):
            done = self._made(lambda: self._client.create_entity(_job_entity(job)))
        return replace(job, version=_etag(done))

    def job(self, job_id: str) -> Job | None:
        entity = self._get(job_id, "job")
        return None if entity is None else _versioned(Job, entity)

    def save_job(self, job: Job) -> Job:
        return replace(job, version=self._replace(_job_entity(job), job.version, f"job {job.job_id}"))

    def batches(self, job_id: str) -> list[Batch]:
        # `.` follows `-` in the order of row keys: all that begin with `batch-`.
        where = "PartitionKey eq @job and RowKey gt 'batch-' and RowKey lt 'batch.'"
        return [_versioned(Batch, entity) for entity in self._query(where, job=job_id)]

    def job_with_batches(self, job_id: str) -> tuple[Job | None, list[Batch]]:
        job, batches = None, []
        # In the order of row keys, `job` comes last.
        for entity in self._query("PartitionKey eq @job", job=job_id):
            if entity["RowKey"] == "job":
                job = _versioned(Job, entity)
            else:
                batches.append(_versioned(Batch, entity))
        return job, batches

    def batch(self, job_id: str, index: int, attempt: int) -> Batch | None:
        entity = self._get(job_id, f"batch-{index:05d}-{attempt}")
        return None if entity is None else _versioned(Batch, entity)

    def add_batches(self, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        there = {batch.key for batch in self.batches(batches[0].job_id)}
        new = [_batch_entity(batch) for batch in batches if batch.key not in there]
        for start in range(0, len(new), TRANSACTION_LIMIT):
            part = new[start : start + TRANSACTION_LIMIT]
            self._transaction([("create", entity) for entity in part], f"batches of job {batches[0].job_id}")

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> tuple[Job, list[Batch]]:
        if 0 < len(batches) < TRANSACTION_LIMIT:
            # Nearly always they are new, and all fit into one transaction with the job.
            operations: list[Any] = [("update", _job_entity(job), _unchanged(job.version))]
            operations += [("create", _batch_entity(batch)) for batch in batches]
            with suppress(Conflict):
                done = self._transaction(operations, f"job {job.job_id}")
                return _with_versions([job, *batches], done)
        self.add_batches(batches)
        return self.save_job(job), self.batches(job.job_id)

    def save_batch(self, batch: Batch) -> Batch:
        what = f"batch {batch.key} of job {batch.job_id}"
        return replace(batch, version=self._replace(_batch_entity(batch), batch.version, what))

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> tuple[Job, Batch, list[Batch]]:
        operations: list[Any] = [
            ("update", _job_entity(job), _unchanged(job.version)),
            ("update", _batch_entity(batch), _unchanged(batch.version)),
        ]
        operations += [("create", _batch_entity(follow_up)) for follow_up in follow_ups]
        done = self._transaction(operations, f"batch {batch.key} of job {batch.job_id}")
        saved, (first, *others) = _with_versions([job, batch, *follow_ups], done)
        return saved, first, others

    def close(self, job: Job, status: Mapping[str, Any]) -> None:
        # The open index's row goes last: where it is still there, all this is done again.
        columns = {**_job_columns(job), "Status": _text(status)}
        for partition in ("history", f"history-{job.state.value}"):
            self._put(_entity(partition, newest_first(job), replace(job, version=""), **columns))
        with translated(f"job {job.job_id}"), suppress(ResourceNotFoundError):
            self._client.delete_entity("open", job.job_id)

    def history(self, *, after: str, limit: int, state: str, prefix: str) -> list[tuple[Job, Mapping[str, Any] | None]]:
        where = "PartitionKey eq @partition and RowKey gt @after"
        values = {"partition": f"history-{state}" if state else "history", "after": after}
        first, beyond = _range(prefix)
        if first:
            where = f"{where} and PromptFile ge @first and PromptFile lt @beyond"
            values = {**values, "first": first, "beyond": beyond}
        found = self._query(where, page=min(limit, 1000), **values)
        matching = (entity for entity in found if str(entity["PromptFile"]).startswith(prefix))
        return [(_record(Job, entity), _status(entity)) for entity in islice(matching, limit)]

    def deployment_backoff(self, model: str) -> DeploymentBackoff | None:
        entity = self._get("gate", _hash(model))
        return None if entity is None else _versioned(DeploymentBackoff, entity)

    def save_deployment_backoff(self, gate: DeploymentBackoff) -> None:
        self._put(_entity("gate", _hash(gate.model), gate))

    def installed_at(self, now: datetime) -> datetime:
        entity = self._get("app", "installed")
        if entity is None:
            self._insert_once({"PartitionKey": "app", "RowKey": "installed", "At": now.isoformat()})
            entity = self._get("app", "installed") or {"At": now.isoformat()}
        return datetime.fromisoformat(entity["At"]).astimezone(UTC)

    def bookmarks(self) -> Mapping[str, str]:
        found = self._query("PartitionKey eq 'app'")
        return {entity["RowKey"].removeprefix("place-"): str(entity.get("Place", entity.get("At"))) for entity in found}

    def bookmark(self, name: str) -> str:
        entity = self._get("app", f"place-{name}")
        return "" if entity is None else str(entity.get("Place", ""))

    def save_bookmark(self, name: str, value: str) -> None:
        self._put({"PartitionKey": "app", "RowKey": f"place-{name}", "Place": value})

    def _put(self, entity: Entity, mode: UpdateMode = UpdateMode.REPLACE) -> str:
        with translated(f"row {entity['RowKey']}"):
            return _etag(self._made(lambda: self._client.upsert_entity(entity, mode=mode)))

    def _insert_once(self, entity: Entity) -> None:
        try:
            with translated(f"row {entity['RowKey']}"):
                self._made(lambda: self._client.create_entity(entity))
        except Conflict:
            pass  # Somebody else was first, which is all that was wanted.

    def _get(self, partition: str, row: str) -> Entity | None:
        try:
            return self._client.get_entity(partition, row)
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise translate(error, f"row {row}") from error

    def _query(self, where: str, page: int = 1000, **values: str) -> Iterator[Entity]:
        try:
            yield from self._client.query_entities(where, parameters=values, results_per_page=page)
        except HttpResponseError as error:
            if not holder_is_missing(error):
                raise translate(error, "the jobs table") from error
        except AzureError as error:
            raise translate(error, "the jobs table") from error

    def _replace(self, entity: Entity, version: str, what: str) -> str:
        try:
            done = self._client.update_entity(
                entity, mode=UpdateMode.REPLACE, etag=version, match_condition=MatchConditions.IfNotModified
            )
        except ResourceNotFoundError as error:
            raise Conflict(f"{what} is gone") from error
        except AzureError as error:
            raise translate(error, what) from error
        return _etag(done)

    def _transaction(self, operations: list[Any], what: str) -> list[Mapping[str, Any]]:
        try:
            done: list[Mapping[str, Any]] = self._made(lambda: self._client.submit_transaction(operations))
        except (TableTransactionError, ResourceExistsError) as error:
            if getattr(error, "status_code", None) in (404, 409, 412):
                raise Conflict(f"{what} changed meanwhile") from error
            raise translate(error, what) from error
        except AzureError as error:
            raise translate(error, what) from error
        return done

    def _made(self, call: Callable[[], Any]) -> Any:
        return with_holder(call, self._client.create_table)


@cache
def _codec(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _entity(partition: str, row: str, record: object, **columns: object) -> Entity:
    kind: Any = type(record)
    text = _codec(kind).dump_json(record).decode()
    return {"PartitionKey": partition, "RowKey": row, "Record": text, **columns}


def _job_entity(job: Job) -> Entity:
    return _entity(job.job_id, "job", replace(job, version=""), **_job_columns(job))


def _job_columns(job: Job) -> dict[str, object]:
    return {"State": job.state.value, "PromptFile": job.prompt_file, "Message": job.message}


def _batch_entity(batch: Batch) -> Entity:
    columns = {"State": batch.state.value, "Status": batch.status, "BatchId": batch.batch_id}
    return _entity(batch.job_id, f"batch-{batch.key}", replace(batch, version=""), **columns)


def _record(kind: Any, entity: Mapping[str, Any]) -> Any:
    return _codec(kind).validate_json(entity["Record"])


def _versioned(kind: Any, entity: Any) -> Any:
    return replace(_record(kind, entity), version=entity.metadata["etag"])


def _listed(entity: Any) -> Listed:
    return Listed(
        _record(OpenJob, entity),
        _status(entity),
        entity.metadata["etag"],
        str(entity.get("StatusETag", "")),
        str(entity.get("StatusDigest", "")),
    )


def _unchanged(version: str) -> dict[str, Any]:
    return {"mode": UpdateMode.REPLACE, "match_condition": MatchConditions.IfNotModified, "etag": version}


def _with_versions(records: Sequence[Any], done: Sequence[Mapping[str, Any]]) -> tuple[Job, list[Batch]]:
    """Give the records of a transaction, the job first, the versions that it gave them."""
    job, *batches = (replace(record, version=_etag(one)) for record, one in zip(records, done, strict=True))
    return job, batches


def _status(entity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    text = entity.get("Status")
    return json.loads(text) if text else None


def _text(status: Mapping[str, Any]) -> str:
    """A status as it is kept: its letters as they are, as a property has room for 32,768 characters."""
    return json.dumps(status, ensure_ascii=False).encode("utf-8", "replace").decode()


def _range(prefix: str) -> tuple[str, str]:
    """Where texts that begin with `prefix`, or with a part of it, begin and end, whatever the order of characters.

    The end is the text with its last character raised by one. Beyond U+D7FF that would not hold in every order, so a
    shorter prefix is taken there; both are empty where nothing is left of it.
    """
    while prefix and prefix[-1] >= "\ud7ff":
        prefix = prefix[:-1]
    return (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else ("", "")


def _etag(done: Mapping[str, Any]) -> str:
    return str(done["etag"])


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
