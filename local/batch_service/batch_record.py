"""The record of a batch, and the object that the API shows of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from local.batch_service.scenario import BatchRule, LineFault, Quota
from local.batch_service.timeline import Plan, Stage

Json = dict[str, Any]
TIMES = [
    "created_at",
    "cancelled_at",
    "cancelling_at",
    "completed_at",
    "expired_at",
    "expires_at",
    "failed_at",
    "finalizing_at",
    "in_progress_at",
]


@dataclass(frozen=True)
class BlobSource:
    """The caller's own storage: the input blob as it was at creation, and where the results go."""

    input_blob: str
    output_folder: str
    etag: str | None
    """None where the input couldn't be read."""
    folder_id: str

    @property
    def output_blob(self) -> str:
        """The address of the results."""
        return f"{self.output_folder.rstrip('/')}/{self.folder_id}/results.jsonl"

    @property
    def error_blob(self) -> str:
        """The address of the failures."""
        return f"{self.output_folder.rstrip('/')}/{self.folder_id}/errors.jsonl"


@dataclass(frozen=True)
class StoredBatch:
    """A batch: how it was asked for, its plan, and how far its work is. `number` counts batches from 1."""

    id: str
    number: int
    plan: Plan
    endpoint: str
    input_file_id: str | None
    metadata: dict[str, str] | None
    api_version: str | None
    output_expires: int | None
    rows: int
    tokens: int
    deployment: str | None
    faults: tuple[LineFault, ...]
    quota: Quota | None
    """The limit that the end of validation will check; None once that is done."""
    scenario_id: str
    rule: BatchRule
    source: BlobSource | None = None
    executed: int = 0
    failed: int = 0
    output_bytes: int = 0
    error_bytes: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    delivered: bool = False

    @property
    def created_at(self) -> float:
        """When it was created, in seconds since 1970."""
        return self.plan.created_at


ADAPTER = TypeAdapter(StoredBatch)


def batch_object(batch: StoredBatch, stage: Stage) -> Json:
    """Return the batch as the API shows it, with the oddities that its rule asks for."""
    rule = batch.rule
    moments: dict[str, Any] = {name: getattr(stage, name, None) for name in TIMES}
    moments["created_at"] = batch.created_at
    moments["expires_at"] = int(batch.created_at) + rule.expires_in if rule.expires_at == "set" else None
    if rule.in_progress_at == "null":
        moments["in_progress_at"] = None
    if stage.status == "failed" and rule.failed_as == "completed_times":
        moments.update(completed_at=stage.failed_at, in_progress_at=stage.failed_at, finalizing_at=stage.failed_at)
        moments["failed_at"] = None
    times = {name: _time(value, rule) for name, value in moments.items()}
    shown: Json = {  # in the order in which Azure writes it
        "id": batch.id,
        "completion_window": "24h",
        "created_at": times["created_at"],
        "endpoint": _endpoint(batch.endpoint, stage, rule),
        "input_file_id": batch.input_file_id,
        "object": "batch",
        "status": _status(stage.status, rule),
        "cancelled_at": times["cancelled_at"],
        "cancelling_at": times["cancelling_at"],
        "completed_at": times["completed_at"],
        "error_file_id": _file_id(batch.error_file_id, batch, stage, rule),
        "errors": _errors(batch, stage, rule),
        "expired_at": times["expired_at"],
        "expires_at": times["expires_at"],
        "failed_at": times["failed_at"],
        "finalizing_at": times["finalizing_at"],
        "in_progress_at": times["in_progress_at"],
        "metadata": batch.metadata,
        "output_file_id": _file_id(batch.output_file_id, batch, stage, rule),
        "request_counts": _counts(batch, stage, rule),
    }
    return shown if batch.source is None else {**shown, **_blobs(batch.source, stage)}


def _endpoint(endpoint: str, stage: Stage, rule: BatchRule) -> str | None:
    at_first = "" if stage.status == "validating" else endpoint
    shown = {"as_sent": endpoint, "short": endpoint.removeprefix("/v1"), "null": None, "empty_at_first": at_first}
    return shown[rule.endpoint]


def _status(status: str, rule: BatchRule) -> str:
    if rule.status_as == "american":
        return status.replace("cancelled", "canceled")
    return status.title().replace("_", "") if rule.status_as == "capitalized" else status


def _time(value: float | None, rule: BatchRule) -> int | str | None:
    if value is None:
        return None
    return int(value) if rule.times_as == "seconds" else datetime.fromtimestamp(value, UTC).isoformat()


def _file_id(file_id: str | None, batch: StoredBatch, stage: Stage, rule: BatchRule) -> str | None:
    if stage.status == "failed" and rule.failed_as == "completed_times":
        return f"file-{batch.id.removeprefix('batch_')}"
    if file_id is not None or batch.source is not None or rule.missing_ids == "null":
        return file_id
    return None if rule.missing_ids == "empty_at_first" and stage.terminal else ""


def _errors(batch: StoredBatch, stage: Stage, rule: BatchRule) -> Json | None:
    if stage.status != "failed":
        return None
    data = [{**fault.model_dump(), "line": _line(fault.line, rule)} for fault in batch.faults]
    return {"object": "list", "data": data}


def _line(line: int | str | None, rule: BatchRule) -> int | str | None:
    if line is None or rule.error_lines_as == "null":
        return None
    return line if rule.error_lines_as == "integer" else str(line)


def _counts(batch: StoredBatch, stage: Stage, rule: BatchRule) -> Json:
    if rule.counts == "null":
        return {"completed": None, "failed": None, "total": None}
    if rule.counts == "zero" or stage.status == "validating" or (stage.in_progress_at is None):
        return {"completed": 0, "failed": 0, "total": 0}
    return {"completed": batch.executed - batch.failed, "failed": batch.failed, "total": batch.rows}


def _blobs(source: BlobSource, stage: Stage) -> Json:
    ended = stage.status in ("completed", "cancelled", "expired")
    return {
        "input_blob": source.input_blob,
        "output_blob": source.output_blob if ended else "",
        "error_blob": source.error_blob if ended else "",
    }
