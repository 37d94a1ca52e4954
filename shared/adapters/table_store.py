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

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableTransactionError, UpdateMode

from shared.adapters.storage_errors import holder_is_missing, translate, translated, with_holder
from shared.adapters.table_entities import (
    Entity,
    batch_entity,
    entity_of,
    etag_of,
    job_columns,
    job_entity,
    listed_columns,
    listed_in,
    name_hash,
    prefix_range,
    record_in,
    status_in,
    status_text,
    versioned,
    with_versions,
)
from shared.domain.errors import Conflict
from shared.domain.model import Batch, Job, OpenJob, newest_first
from shared.domain.ports import DeploymentBackoff, Listed

TRANSACTION_LIMIT: Final = 100


class TableJobStore:
    """Jobs in table storage; see the port for what each method promises."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def open_entry(self, entry: OpenJob) -> str:
        # Merged, so that what is listed of the job stays.
        return self._put(entity_of("open", entry.job_id, entry), UpdateMode.MERGE)

    def open_jobs(self) -> Iterator[OpenJob]:
        for listed in self.all_listed():
            yield listed.entry

    def listed(self, job_id: str) -> Listed | None:
        entity = self._get("open", job_id)
        return None if entity is None else listed_in(entity)

    def all_listed(self) -> Iterator[Listed]:
        for entity in self._query("PartitionKey eq 'open'"):
            yield listed_in(entity)

    def list_as(self, listed: Listed) -> Listed:
        entity = entity_of("open", listed.entry.job_id, listed.entry, **listed_columns(listed))
        return replace(listed, version=self._replace(entity, listed.version, f"the open job {listed.entry.job_id}"))

    def insert_job(self, job: Job) -> Job:
        with translated(f"job {job.job_id}"):
            done = self._made(lambda: self._client.create_entity(job_entity(job)))
        return replace(job, version=etag_of(done))

    def job(self, job_id: str) -> Job | None:
        entity = self._get(job_id, "job")
        return None if entity is None else versioned(Job, entity)

    def save_job(self, job: Job) -> Job:
        return replace(job, version=self._replace(job_entity(job), job.version, f"job {job.job_id}"))

    def batches(self, job_id: str) -> list[Batch]:
        # `.` follows `-` in the order of row keys: all that begin with `batch-`.
        where = "PartitionKey eq @job and RowKey gt 'batch-' and RowKey lt 'batch.'"
        return [versioned(Batch, entity) for entity in self._query(where, job=job_id)]

    def job_with_batches(self, job_id: str) -> tuple[Job | None, list[Batch]]:
        job, batches = None, []
        # In the order of row keys, `job` comes last.
        for entity in self._query("PartitionKey eq @job", job=job_id):
            if entity["RowKey"] == "job":
                job = versioned(Job, entity)
            else:
                batches.append(versioned(Batch, entity))
        return job, batches

    def batch(self, job_id: str, index: int, attempt: int) -> Batch | None:
        entity = self._get(job_id, f"batch-{index:05d}-{attempt}")
        return None if entity is None else versioned(Batch, entity)

    def add_batches(self, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        there = {batch.key for batch in self.batches(batches[0].job_id)}
        new = [batch_entity(batch) for batch in batches if batch.key not in there]
        for start in range(0, len(new), TRANSACTION_LIMIT):
            part = new[start : start + TRANSACTION_LIMIT]
            self._transaction([("create", entity) for entity in part], f"batches of job {batches[0].job_id}")

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> tuple[Job, list[Batch]]:
        if 0 < len(batches) < TRANSACTION_LIMIT:
            # Nearly always they are new, and all fit into one transaction with the job.
            operations: list[Any] = [("update", job_entity(job), _unchanged(job.version))]
            operations += [("create", batch_entity(batch)) for batch in batches]
            with suppress(Conflict):
                done = self._transaction(operations, f"job {job.job_id}")
                return with_versions([job, *batches], done)
        self.add_batches(batches)
        return self.save_job(job), self.batches(job.job_id)

    def save_batch(self, batch: Batch) -> Batch:
        what = f"batch {batch.key} of job {batch.job_id}"
        return replace(batch, version=self._replace(batch_entity(batch), batch.version, what))

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> tuple[Job, Batch, list[Batch]]:
        operations: list[Any] = [
            ("update", job_entity(job), _unchanged(job.version)),
            ("update", batch_entity(batch), _unchanged(batch.version)),
        ]
        operations += [("create", batch_entity(follow_up)) for follow_up in follow_ups]
        done = self._transaction(operations, f"batch {batch.key} of job {batch.job_id}")
        saved, (first, *others) = with_versions([job, batch, *follow_ups], done)
        return saved, first, others

    def close(self, job: Job, status: Mapping[str, Any]) -> None:
        # The open index's row goes last: where it is still there, all this is done again.
        columns = {**job_columns(job), "Status": status_text(status)}
        for partition in ("history", f"history-{job.state.value}"):
            self._put(entity_of(partition, newest_first(job), replace(job, version=""), **columns))
        with translated(f"job {job.job_id}"), suppress(ResourceNotFoundError):
            self._client.delete_entity("open", job.job_id)

    def history(self, *, after: str, limit: int, state: str, prefix: str) -> list[tuple[Job, Mapping[str, Any] | None]]:
        where = "PartitionKey eq @partition and RowKey gt @after"
        values = {"partition": f"history-{state}" if state else "history", "after": after}
        first, beyond = prefix_range(prefix)
        if first:
            where = f"{where} and PromptFile ge @first and PromptFile lt @beyond"
            values = {**values, "first": first, "beyond": beyond}
        found = self._query(where, page=min(limit, 1000), **values)
        matching = (entity for entity in found if str(entity["PromptFile"]).startswith(prefix))
        return [(record_in(Job, entity), status_in(entity)) for entity in islice(matching, limit)]

    def deployment_backoff(self, target: str) -> DeploymentBackoff | None:
        entity = self._get("gate", name_hash(target))
        return None if entity is None else versioned(DeploymentBackoff, entity)

    def save_deployment_backoff(self, backoff: DeploymentBackoff) -> None:
        self._put(entity_of("gate", name_hash(backoff.target), backoff))

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
            return etag_of(self._made(lambda: self._client.upsert_entity(entity, mode=mode)))

    def _insert_once(self, entity: Entity) -> None:
        try:
            with translated(f"row {entity['RowKey']}"):
                self._made(lambda: self._client.create_entity(entity))
        except Conflict:
            pass  # Another worker was first, which is just as good.

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
        return etag_of(done)

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


def _unchanged(version: str) -> dict[str, Any]:
    return {"mode": UpdateMode.REPLACE, "match_condition": MatchConditions.IfNotModified, "etag": version}
