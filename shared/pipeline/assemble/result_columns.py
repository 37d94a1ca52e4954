"""The columns of a job's results: the user's own, and those of its answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.answer_schema.schema_list import SchemaList, StoredSchema
from shared.domain import blob_names
from shared.domain.errors import NotFound
from shared.domain.model import Job
from shared.domain.ports import App, Container
from shared.job_settings.plan import JobPlan
from shared.pipeline.assemble.source_rows import Rows
from shared.pipeline.build.building import COLUMNS
from shared.pipeline.claims import Claim
from shared.pipeline.outcome_files import work_lines
from shared.pipeline.records import JobRecords
from shared.results.answer_columns import TEXT_SCHEMA, fields_of, union
from shared.results.files import Layout


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """The user's own columns, and the schemas with which answers were checked, the oldest job's first."""

    own: Sequence[str]
    schemas: Sequence[Mapping[str, Any]]

    def layout(self, plan: JobPlan, separator: str) -> Layout:
        """Return the layout of the result tables, for a prompt file whose cells have this separator."""
        return Layout(
            own=self.own,
            fields=union(map(fields_of, self.schemas)),
            guard=plan.formula_guard,
            separator=";" if separator == ";" else ",",
        )


def result_columns(records: JobRecords, claim: Claim[Job], plan: JobPlan) -> ResultColumns:
    """Find the columns of a job's results, including those of the jobs that it retries."""
    app, job = records.app, claim.record
    try:
        found = json.loads(b"".join(app.files.read(Container.WORK, blob_names.columns(job))))
        own = [str(name) for name in found["own"]]
    except NotFound:
        own = _own_columns(app, claim, plan)
        found = {"text": False}
    schemas = [schema.checked for schema in (*_schemas_before(app, job), *records.schemas())]
    return ResultColumns(own, [*schemas, *([TEXT_SCHEMA] if found["text"] else [])])


def _schemas_before(app: App, job: Job) -> Iterator[StoredSchema]:
    """Yield the schemas of the jobs that this one retries, the first job's first."""
    chain: list[Job] = []
    latest = job
    while latest.previous and (before := app.store.job(latest.previous)) is not None:
        chain.append(before)
        latest = before
    for one in reversed(chain):
        yield from SchemaList.read(work_lines(app, blob_names.schemas(one)))


def _own_columns(app: App, claim: Claim[Job], plan: JobPlan) -> list[str]:
    """Find the own columns of a file that was never built by reading it; none if they are too many for a table."""
    rows = Rows(app, claim.record, plan)
    own: dict[str, None] = dict.fromkeys(rows.own_columns)
    for block in claim.keeping(rows.row_blocks):
        own.update(dict.fromkeys(rows.own(block.record(0))))
        if len(own) > COLUMNS:
            return []
    return list(own)
