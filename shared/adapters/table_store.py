"""Adapter: jobs, batches and the open index in one Azure table, behind shared.domain.ports.JobStore.

    partition     row                       holds
    <job id>      job                       the job
    <job id>      batch-00000-1             a batch (index, attempt)
    open          <job id>                  the open index: name, etag and time of the prompt file; what lists show
    history       <countdown>-<job id>      an ended job, so that a listing by row key is newest first
    history-<state>                         the same once more, so that a listing of one state need not look for it
    gate          <hash of a target>        until when a target that refused is not tried again
    app           installed, place-<name>   when the table was first used; where a walk stopped

Each record is one property of JSON: table storage drops nulls and has no nested values.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final

from azure.data.tables import TableClient, UpdateMode

from shared.adapters.table_entities import (
    batch_entity,
    entity_of,
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
from shared.adapters.table_rows import TRANSACTION_LIMIT, TableRows, creation, replacement
from shared.domain.errors import Conflict
from shared.domain.model import Batch, Job, OpenJob, newest_first
from shared.domain.ports import DeploymentBackoff, Listed

TOGETHER_ROWS: Final = 300
"""Rows on a page when jobs are read together, and how many of them may belong to other jobs."""


class TableJobStore:
    """Jobs in table storage; see the port for what each method promises."""

    def __init__(self, client: TableClient) -> None:
        self._rows = TableRows(client)

    def open_entry(self, entry: OpenJob) -> str:
        # Merged, so that what is listed of the job stays.
        return self._rows.put(entity_of("open", entry.job_id, entry), UpdateMode.MERGE)

    def listed(self, job_id: str) -> Listed | None:
        entity = self._rows.get("open", job_id)
        return None if entity is None else listed_in(entity)

    def all_listed(self) -> Iterator[Listed]:
        for entity in self._rows.query("PartitionKey eq 'open'", {}):
            yield listed_in(entity)

    def list_as(self, listed: Listed) -> Listed:
        entity = entity_of("open", listed.entry.job_id, listed.entry, **listed_columns(listed))
        version = self._rows.replace(entity, listed.version, f"the open job {listed.entry.job_id}")
        return replace(listed, version=version)

    def insert_job(self, job: Job) -> Job:
        return replace(job, version=self._rows.create(job_entity(job), f"job {job.job_id}"))

    def job(self, job_id: str) -> Job | None:
        entity = self._rows.get(job_id, "job")
        return None if entity is None else versioned(Job, entity)

    def save_job(self, job: Job) -> Job:
        return replace(job, version=self._rows.replace(job_entity(job), job.version, f"job {job.job_id}"))

    def batches(self, job_id: str) -> list[Batch]:
        # `.` follows `-` in the order of row keys: all that begin with `batch-`.
        where = "PartitionKey eq @job and RowKey gt 'batch-' and RowKey lt 'batch.'"
        return [versioned(Batch, entity) for entity in self._rows.query(where, {"job": job_id})]

    def job_with_batches(self, job_id: str) -> tuple[Job | None, list[Batch]]:
        return _job_and_batches(self._rows.query("PartitionKey eq @job", {"job": job_id}))

    def jobs_together(self, job_ids: Sequence[str]) -> Mapping[str, tuple[Job, list[Batch]]]:
        where = "PartitionKey ge @first and PartitionKey le @last"
        rows = self._rows.query(where, {"first": job_ids[0], "last": job_ids[-1]}, page=TOGETHER_ROWS)
        wanted, unwanted = set(job_ids), 0
        found: dict[str, tuple[Job, list[Batch]]] = {}
        for job_id, entities in groupby(rows, key=itemgetter("PartitionKey")):
            if job_id in wanted:
                job, batches = _job_and_batches(entities)
                if job is not None:
                    found[job_id] = job, batches
            else:
                unwanted += sum(1 for _ in entities)
                if unwanted > TOGETHER_ROWS:
                    break  # Most jobs in between have ended: reading the remaining ones singly costs less.
        return found

    def batch(self, job_id: str, index: int, attempt: int) -> Batch | None:
        entity = self._rows.get(job_id, f"batch-{index:05d}-{attempt}")
        return None if entity is None else versioned(Batch, entity)

    def add_batches(self, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        there = {batch.key for batch in self.batches(batches[0].job_id)}
        new = [batch_entity(batch) for batch in batches if batch.key not in there]
        for start in range(0, len(new), TRANSACTION_LIMIT):
            part = new[start : start + TRANSACTION_LIMIT]
            self._rows.transaction([creation(entity) for entity in part], f"batches of job {batches[0].job_id}")

    def finish_building(self, job: Job, batches: Sequence[Batch]) -> tuple[Job, list[Batch]]:
        if 0 < len(batches) < TRANSACTION_LIMIT:
            # Nearly always they are new, and all fit into one transaction with the job.
            operations = [replacement(job_entity(job), job.version)]
            operations += [creation(batch_entity(batch)) for batch in batches]
            with suppress(Conflict):
                done = self._rows.transaction(operations, f"job {job.job_id}")
                return with_versions([job, *batches], done)
        self.add_batches(batches)
        return self.save_job(job), self.batches(job.job_id)

    def save_batch(self, batch: Batch) -> Batch:
        what = f"batch {batch.key} of job {batch.job_id}"
        return replace(batch, version=self._rows.replace(batch_entity(batch), batch.version, what))

    def finish_batch(self, job: Job, batch: Batch, follow_ups: Sequence[Batch]) -> tuple[Job, Batch, list[Batch]]:
        operations = [replacement(job_entity(job), job.version), replacement(batch_entity(batch), batch.version)]
        operations += [creation(batch_entity(follow_up)) for follow_up in follow_ups]
        done = self._rows.transaction(operations, f"batch {batch.key} of job {batch.job_id}")
        saved, (first, *others) = with_versions([job, batch, *follow_ups], done)
        return saved, first, others

    def close(self, job: Job, status: Mapping[str, Any]) -> None:
        # The open index's row is deleted last: while it exists, closing is repeated.
        columns = {**job_columns(job), "Status": status_text(status)}
        for partition in ("history", f"history-{job.state.value}"):
            self._rows.put(entity_of(partition, newest_first(job), replace(job, version=""), **columns))
        self._rows.delete("open", job.job_id)

    def history(self, *, after: str, limit: int, state: str, prefix: str) -> list[tuple[Job, Mapping[str, Any] | None]]:
        where = "PartitionKey eq @partition and RowKey gt @after"
        values = {"partition": f"history-{state}" if state else "history", "after": after}
        first, beyond = prefix_range(prefix)
        if first:
            where = f"{where} and PromptFile ge @first and PromptFile lt @beyond"
            values = {**values, "first": first, "beyond": beyond}
        found = self._rows.query(where, values, page=min(limit, 1000))
        matching = (entity for entity in found if str(entity["PromptFile"]).startswith(prefix))
        return [(record_in(Job, entity), status_in(entity)) for entity in islice(matching, limit)]

    def deployment_backoff(self, target: str) -> DeploymentBackoff | None:
        entity = self._rows.get("gate", name_hash(target))
        return None if entity is None else versioned(DeploymentBackoff, entity)

    def deployment_backoffs(self) -> list[DeploymentBackoff]:
        found = self._rows.query("PartitionKey eq 'gate'", {})
        # The rows that version 1.0.0 left name no target, and no target's key finds them. In texts, quotes are escaped.
        return [versioned(DeploymentBackoff, entity) for entity in found if '"target":' in entity["Record"]]

    def save_deployment_backoff(self, backoff: DeploymentBackoff) -> None:
        self._rows.put(entity_of("gate", name_hash(backoff.target), backoff))

    def installed_at(self, now: datetime) -> datetime:
        entity = self._rows.get("app", "installed")
        if entity is None:
            entity = {"PartitionKey": "app", "RowKey": "installed", "At": now.isoformat()}
            with suppress(Conflict):  # Another worker was first, which is just as good.
                self._rows.create(entity, "the time of installation")
            entity = self._rows.get("app", "installed") or {"At": now.isoformat()}
        return datetime.fromisoformat(entity["At"]).astimezone(UTC)

    def bookmarks(self) -> Mapping[str, str]:
        found = self._rows.query("PartitionKey eq 'app'", {})
        return {entity["RowKey"].removeprefix("place-"): str(entity.get("Place", entity.get("At"))) for entity in found}

    def bookmark(self, name: str) -> str:
        entity = self._rows.get("app", f"place-{name}")
        return "" if entity is None else str(entity.get("Place", ""))

    def save_bookmark(self, name: str, value: str) -> None:
        self._rows.put({"PartitionKey": "app", "RowKey": f"place-{name}", "Place": value})


def _job_and_batches(entities: Iterable[Any]) -> tuple[Job | None, list[Batch]]:
    """Read the rows of one job's partition, in their order: there, `job` comes last."""
    job, batches = None, []
    for entity in entities:
        if entity["RowKey"] == "job":
            job = versioned(Job, entity)
        else:
            batches.append(versioned(Batch, entity))
    return job, batches
