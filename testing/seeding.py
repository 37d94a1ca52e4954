"""Many ended jobs put into the table at once, as closing them one by one would have left them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from azure.data.tables import TableServiceClient, UpdateMode

from shared.adapters.table_entities import entity_of, job_columns
from shared.domain.model import Batch, Job, newest_first
from shared.domain.ports import App
from shared.domain.status_report import report, summary
from shared.pipeline.records import JobRecords, load

TRANSACTION = 100


def fill_history(app: App, connection_string: str, jobs: Iterable[tuple[Job, Sequence[Batch]]]) -> None:
    """Write ended jobs' rows of the history, by transactions."""
    service = TableServiceClient.from_connection_string(connection_string)
    table = service.create_table_if_not_exists(app.settings.jobs_table)
    rows: dict[str, list[Any]] = {}
    for job, batches in jobs:
        status = json.dumps(summary(report(job, batches, app.now())))
        for partition in ("history", f"history-{job.state.value}"):
            entity = entity_of(partition, newest_first(job), job, **job_columns(job), Status=status)
            rows.setdefault(partition, []).append(("upsert", entity, {"mode": UpdateMode.REPLACE}))
    for operations in rows.values():
        for start in range(0, len(operations), TRANSACTION):
            table.submit_transaction(operations[start : start + TRANSACTION])


def loaded(app: App, job_id: str) -> JobRecords:
    """Read the records of a job that exists."""
    records = load(app, job_id)
    assert records is not None
    return records
