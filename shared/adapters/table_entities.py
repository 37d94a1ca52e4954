"""The app's records as entities of the jobs table, and back: each record is one property of JSON.

Table storage drops nulls and has no nested values. The other properties are for people, and for filters.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import msgspec

from shared.domain.model import Batch, Job, OpenJob
from shared.domain.ports import Listed

type Entity = dict[str, Any]

_STORED_AS: Final = (('"first_batches":', '"shards":'), ('"rows_carried_over":', '"rows_kept":'))
"""Keys of a job's record, and what rows have called them since version 1.0.0.

Only the first of each is the record's own: a later one may be a deployment of that name. In texts, quotes are escaped.
"""


def entity_of(partition: str, row: str, record: object, **columns: object) -> Entity:
    """Make the entity of a record, with columns beside it."""
    return {"PartitionKey": partition, "RowKey": row, "Record": _stored(record), **columns}


def _stored(record: object) -> str:
    text = msgspec.json.encode(record).decode()
    for key, stored in _STORED_AS:
        text = text.replace(key, stored, 1)
    return text


def job_entity(job: Job) -> Entity:
    """Make the entity of a job."""
    return entity_of(job.job_id, "job", replace(job, version=""), **job_columns(job))


def job_columns(job: Job) -> dict[str, object]:
    """Return the columns that a job has in addition to its record."""
    return {"State": job.state.value, "PromptFile": job.prompt_file, "Message": job.message}


def batch_entity(batch: Batch) -> Entity:
    """Make the entity of a batch."""
    columns = {"State": batch.state.value, "Status": batch.status, "BatchId": batch.batch_id}
    return entity_of(batch.job_id, f"batch-{batch.key}", replace(batch, version=""), **columns)


def listed_columns(listed: Listed) -> dict[str, object]:
    """Return what is shown of an open job as columns of its entry."""
    return {
        "Status": status_text(listed.status or {}),
        "StatusETag": listed.etag,
        "StatusDigest": listed.digest,
        "OpenBatches": json.dumps(dict(listed.open_batches)),
        "LeftUsd": listed.left_usd,
    }


def record_in(kind: Any, entity: Mapping[str, Any]) -> Any:
    """Read the record in an entity, without a version."""
    text = entity["Record"]
    for key, stored in _STORED_AS:
        text = text.replace(stored, key, 1)
    return _decoder(kind).decode(text)


def versioned(kind: Any, entity: Any) -> Any:
    """Read the record in an entity, with its version."""
    return replace(record_in(kind, entity), version=entity.metadata["etag"])


def listed_in(entity: Any) -> Listed:
    """Read an entry of the open index, and what is shown of its job."""
    return Listed(
        record_in(OpenJob, entity),
        status_in(entity),
        entity.metadata["etag"],
        str(entity.get("StatusETag", "")),
        str(entity.get("StatusDigest", "")),
        json.loads(entity.get("OpenBatches", "{}")),
        entity.get("LeftUsd"),
    )


def status_in(entity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Read the status that is shown of a job, None before there is one."""
    text = entity.get("Status")
    return json.loads(text) if text else None


def status_text(status: Mapping[str, Any]) -> str:
    """Write a status without escaping letters, as a property has room for 32,768 characters."""
    return json.dumps(status, ensure_ascii=False).encode("utf-8", "replace").decode()


def with_versions(records: Sequence[Any], done: Sequence[Mapping[str, Any]]) -> tuple[Job, list[Batch]]:
    """Return the records of a transaction, the job first, with the versions that it gave them."""
    job, *batches = (replace(record, version=etag_of(one)) for record, one in zip(records, done, strict=True))
    return job, batches


def etag_of(done: Mapping[str, Any]) -> str:
    """Return the version that a write gave its entity."""
    return str(done["etag"])


def prefix_range(prefix: str) -> tuple[str, str]:
    """Return the range of texts that begin with `prefix` or with the part of it that can be used in a query.

    The end is the prefix with its last character raised by one. That holds in every sort order only up to U+D7FF, so
    the prefix is cut before the first later character at its end; both are empty if nothing is left.
    """
    while prefix and prefix[-1] >= "\ud7ff":
        prefix = prefix[:-1]
    return (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else ("", "")


def name_hash(name: str) -> str:
    """Return a row key for a name of any characters."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
