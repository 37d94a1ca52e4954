"""One pass over the snapshot: its rows become requests in the batches' files, or outcomes of rows that are not sent."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

from shared.answer_schema.schema_list import SchemaList
from shared.answers import outcomes
from shared.domain import blob_names
from shared.domain.errors import JobFault
from shared.domain.estimate import Estimate
from shared.domain.model import Batch, Fault, Job, JobCode, Outcome, Record, RequestBlock, RowBlock, RowCode
from shared.domain.ports import App, BlobWriter, Container
from shared.job_settings.plan import JobPlan
from shared.pipeline.build.estimating import RequestSamples
from shared.pipeline.build.request_files import RequestFiles
from shared.pipeline.build.snapshot import open_snapshot
from shared.pipeline.claims import Claim
from shared.pipeline.outcome_files import merged
from shared.prompt_file import PromptFile, form_of, open_prompt_file
from shared.requests import RequestBuilder
from shared.requests.custom_ids import CustomIds

WARNINGS = 20
WARNING_LENGTH = 400
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
COLUMNS = 16_384
"""Own columns a file may have: as many as a spreadsheet."""


@dataclass(slots=True)
class Built:
    """What building found: everything that goes into the job's row."""

    batches: list[Batch] = field(default_factory=list)
    unsent: Counter[str] = field(default_factory=Counter)
    total: int = 0
    kept: int = 0
    warnings: list[str] = field(default_factory=list)
    first_fault: str = ""
    """The first row that is invalid, and why."""
    estimate: Estimate = field(default_factory=lambda: Estimate(0))

    @property
    def first_warnings(self) -> tuple[str, ...]:
        """As many warnings as a job's row has room for, which a file's control characters would take sixfold."""
        shown = (warning[:WARNING_LENGTH] for warning in self.warnings[:WARNINGS])
        return tuple(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", warning) for warning in shown)

    @property
    def input_tokens(self) -> int:
        """An estimate of what will be sent."""
        return sum(batch.input_tokens for batch in self.batches)


class BuildPass:
    """The same copy and plan give the same blobs, so that repeating the pass does no harm."""

    def __init__(self, app: App, claim: Claim[Job], plan: JobPlan, *, anew: bool) -> None:
        """Open the work files; but for `anew`, those of batches that an earlier run has written whole stay."""
        self._app = app
        self._claim = claim
        self._job = claim.record
        self._plan = plan
        prefix = blob_names.batch_folders(self._job)
        there = {} if anew else {blob.name: blob.size for blob in app.files.blobs(Container.WORK, prefix=prefix)}
        self._files = RequestFiles(app, self._job, plan.max_requests, plan.max_bytes, there)
        self._samples = RequestSamples(app.settings)
        self._ids = CustomIds()
        self._built = Built()
        self._unsent = self._writer(blob_names.unsent(self._job))
        self._kept_file = self._writer(blob_names.kept(self._job))
        self._schemas_file = self._writer(blob_names.schemas(self._job))
        self._schemas = SchemaList(self._schemas_file.write)
        self._kept = _Kept(iter(()))

    def run(self, chunks: Iterable[bytes] | None = None) -> Built:
        """Write the job's work files and say what they hold; raises JobFault, or OutdatedError (see RequestFiles).

        `chunks` are the prompt file's bytes where they are at hand; else its copy is read.
        """
        form = form_of(self._job.prompt_file)
        assert form is not None  # building has looked.
        file = open_snapshot(self._app, self._job, form) if chunks is None else open_prompt_file(form, iter(chunks))
        builder = self._builder(file)
        self._kept = _Kept(self._kept_rows())
        for block in self._claim.keeping(file.row_blocks, every=16):
            self._take_row_block(block, builder)
        self._close()
        self._built.warnings += [*file.notes, *builder.warnings]
        self._write_columns(builder)
        self._check(builder)
        self._estimate()
        return self._built

    def _estimate(self) -> None:
        self._built.estimate = self._samples.estimate(self._app.ledger, self._schemas.digests)
        if unknown := self._samples.counted_by_bytes:
            self._built.warnings.append(
                f"Tokens of {', '.join(unknown)} are estimated by bytes, as the model's encoding is not known here."
            )

    def _builder(self, file: PromptFile) -> RequestBuilder:
        try:
            return RequestBuilder(
                self._plan.settings,
                prompt_file=self._job.prompt_file,
                headers=file.headers,
                default_model=self._plan.default_model or None,
                schemas=self._schemas,
                max_bytes=self._plan.max_bytes,
                below=file.below,
            )
        except JobFault:
            # A column may be missing because the reader took another sheet than the person meant.
            self._built.warnings += file.notes
            self._claim.change(warnings=self._built.first_warnings)
            raise

    def _take_row_block(self, row_block: RowBlock, builder: RequestBuilder) -> None:
        """Take rows that are alike at once; row by row where anything about one of them is out of the ordinary."""
        plain = builder.plain(row_block) if row_block.odd is None and self._is_sent(row_block) else None
        if plain is None:
            records = list(row_block.records())
            self._take_rows(records, list(map(builder.identify, records)), builder)
            return
        repeated = self._ids.repeated(plain.ids)
        block = None if repeated else builder.build_plain(plain)
        _check_width(builder)
        if block is not None:
            self._put(block)
            self._built.total += len(row_block.rows)
        else:
            self._take_identified(list(row_block.records()), plain.ids, repeated, builder)

    def _is_sent(self, row_block: RowBlock) -> bool:
        """Return whether all of these rows are sent: no earlier job's results and no limit of the job concern them."""
        last = row_block.row + len(row_block.rows) - 1
        limit = self._plan.settings.limit
        return self._kept.next_row > last and (limit is None or last <= limit)

    def _take_rows(self, records: Sequence[Record], ids: Sequence[str], builder: RequestBuilder) -> None:
        _check_width(builder)
        self._take_identified(records, ids, self._ids.repeated(ids), builder)

    def _take_identified(
        self, records: Sequence[Record], ids: Sequence[str], repeated: Sequence[int], builder: RequestBuilder
    ) -> None:
        again = frozenset(repeated)
        for place, (record, custom_id) in enumerate(zip(records, ids, strict=True)):
            self._take(record, custom_id, builder, is_repeated=place in again)

    def _take(self, record: Record, custom_id: str, builder: RequestBuilder, *, is_repeated: bool) -> None:
        self._built.total += 1
        outcome = self._kept.take(record.row)
        if outcome is not None:
            self._kept_file.write(outcomes.to_line(outcome) + b"\n")
            self._built.kept += 1
            return
        limit = self._plan.settings.limit
        if limit is not None and record.row > limit:
            self._leave_out(record, custom_id, Fault(RowCode.NOT_SENT, f"The job's limit is {limit} rows."))
        elif is_repeated:
            message = f"The custom id of row {record.row} was used by an earlier row of this file."
            self._leave_out(record, custom_id, Fault(RowCode.DUPLICATE_CUSTOM_ID, message))
        else:
            built = builder.build(record)
            if isinstance(built, Fault):
                self._leave_out(record, custom_id, built)
            else:
                self._put(built)

    def _put(self, block: RequestBlock) -> None:
        self._files.put(block)
        self._samples.add(block)

    def _leave_out(self, record: Record, custom_id: str, fault: Fault) -> None:
        outcome = Outcome(row=record.row, custom_id=custom_id, code=fault.code, message=fault.message)
        self._unsent.write(outcomes.to_line(outcome) + b"\n")
        self._built.unsent[fault.code.value] += 1
        if fault.code is not RowCode.NOT_SENT and not self._built.first_fault:
            self._built.first_fault = f"row {record.row}: {fault.code.value}: {fault.message}"

    def _close(self) -> None:
        # Files of a job that somebody else has built meanwhile, and sent, must not be touched any more.
        self._claim.keep()
        self._built.batches = self._files.close()
        if self._built.unsent:
            self._unsent.commit()
        if self._job.previous:
            self._kept_file.commit()
        self._schemas_file.commit()

    def _check(self, builder: RequestBuilder) -> None:
        """Raise where the rows together are a fault of the job."""
        invalid = {code: count for code, count in self._built.unsent.items() if code != RowCode.NOT_SENT}
        sent = self._built.batches or self._built.kept
        if not sent and not builder.saw_schema and RowCode.INVALID_SCHEMA in invalid:
            raise self._fault(
                JobCode.MISSING_SCHEMA,
                "No row has a schema for its answer: add a Required or Schema column, or a schema to "
                f"{blob_names.JOB_SETTINGS}; with require_schema false the answers come as plain text.",
            )
        if self._plan.rejects_invalid_rows and invalid:
            count = sum(invalid.values())
            raise self._fault(
                JobCode.INVALID_ROW,
                f"The job rejects its file, as {count} {'row is' if count == 1 else 'rows are'} invalid; the first: "
                f"{self._built.first_fault}",
            )
        if sent:
            return
        counts = ", ".join(f"{count} {code}" for code, count in self._built.unsent.items())
        raise self._fault(JobCode.NO_VALID_ROWS, f"No row can be sent ({counts}); the first: {self._built.first_fault}")

    def _fault(self, code: JobCode, message: str) -> JobFault:
        """Return a fault of the job, found after its rows were read: the rows' own faults stay known."""
        self._claim.change(
            rows_total=self._built.total,
            unsent=dict(self._built.unsent),
            warnings=self._built.first_warnings,
        )
        return JobFault(code, message)

    def _write_columns(self, builder: RequestBuilder) -> None:
        found = {
            "own": builder.own_columns,
            "text": self._files.has_plain,
            "model_column": builder.model_column,
            "job_model": builder.job_model,
        }
        text = json.dumps(found)
        self._app.files.write(Container.WORK, blob_names.columns(self._job), text.encode())

    def _kept_rows(self) -> Iterator[Outcome]:
        if not self._job.previous:
            return iter(())
        previous = self._app.store.job(self._job.previous)
        if previous is None:
            raise JobFault(JobCode.INVALID_FILE, f"The job {self._job.previous}, which this one retries, is gone.")
        return (outcome for outcome in merged(self._app, previous) if outcome.code is None)

    def _writer(self, name: str) -> BlobWriter:
        return self._app.files.writer(Container.WORK, name)


def _check_width(builder: RequestBuilder) -> None:
    if builder.width > COLUMNS:
        raise JobFault(JobCode.INVALID_FILE, f"The records have more than {COLUMNS} different columns.")


class _Kept:
    """The results of an earlier job, taken row by row; both go through the file in its order."""

    def __init__(self, rows: Iterator[Outcome]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    @property
    def next_row(self) -> float:
        """The next row that has an earlier result, infinity where no more have."""
        return inf if self._next is None else self._next.row

    def take(self, row: int) -> Outcome | None:
        """Return the earlier result of this row, None where it has none."""
        found = self._next
        if found is None or found.row != row:
            return None
        self._next = next(self._rows, None)
        return found
