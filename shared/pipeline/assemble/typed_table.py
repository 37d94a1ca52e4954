"""A job's results.parquet: its own columns with the types of the prompt file, its answers with those of the schemas."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from shared import VERSION
from shared.domain.model import Job
from shared.domain.ports import App
from shared.pipeline.assemble.result_columns import ResultColumns
from shared.pipeline.assemble.source_rows import Rows
from shared.pipeline.build.snapshot import ranges_of
from shared.pipeline.claims import Claim
from shared.prompt_file import Kind, form_of

if TYPE_CHECKING:
    # Loaded only when it is needed: Arrow takes a quarter of a second and 90 MB.
    from shared.results.arrow_columns import OwnBatches, OwnValues
    from shared.results.parquet_writer import ParquetTable


def parquet_table(
    app: App,
    claim: Claim[Job],
    rows: Callable[[], Rows],
    columns: ResultColumns,
    write: Callable[[bytes], object],
) -> "ParquetTable":
    """Begin results.parquet; `rows` opens the prompt file again."""
    from shared.results.parquet_writer import ParquetTable

    metadata = {"structuredbatch.version": VERSION, "structuredbatch.job_id": claim.record.job_id}
    own = _own_of_parquet(app, claim.record, columns.own) or _own(claim, rows(), columns.own)
    return ParquetTable(write, own, columns.schemas, metadata)


def _own_of_parquet(app: App, job: Job, own: Sequence[str]) -> "OwnBatches | None":
    """Return the own columns as a Parquet prompt file has them; None for other forms, or if a column is not in it."""
    form = form_of(job.prompt_file)
    if form is None or form.kind is not Kind.PARQUET:
        return None
    from shared.prompt_file.parquet_reader import ParquetTable
    from shared.results.arrow_columns import OwnBatches

    table = ParquetTable(ranges_of(app, job))
    return OwnBatches(own, table.schema, table.batches()) if set(own) <= set(table.schema.names) else None


def _own(claim: Claim[Job], rows: Rows, own: Sequence[str]) -> "OwnValues":
    """Find the types of the own columns: texts for a text table; for other forms the whole file is read."""
    from shared.results.arrow_columns import OwnValues, kind_of

    if rows.separator:
        return OwnValues(dict.fromkeys(own, frozenset((str,))))
    kinds: dict[str, set[type[Any] | None]] = {name: set() for name in own}
    for block in claim.keeping(rows.row_blocks):
        for values in rows.typed_of_all(block) or rows.own_of_all(block):
            for name, value in values.items():
                if name in kinds:
                    kinds[name].add(kind_of(value))
    return OwnValues({name: frozenset(kind for kind in found if kind) for name, found in kinds.items()})
