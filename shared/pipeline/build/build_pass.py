"""One pass over the snapshot: its rows become requests in the batches' files, or outcomes of rows that are not sent."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from shared.answer_schema.schema_list import SchemaList
from shared.answers import outcomes
from shared.domain import blob_names
from shared.domain.errors import JobFault
from shared.domain.model import Fault, Job, JobCode, Outcome, Record, RequestBlock, RowBlock, RowCode
from shared.domain.ports import App, BlobWriter, Container
from shared.job_settings.plan import JobPlan
from shared.pipeline.build.built import Built, columns_text, fault_of
from shared.pipeline.build.built_documents import BuiltRow, BuiltRows, PagesFile, to_line
from shared.pipeline.build.carried_over import CarriedOver, earlier_results
from shared.pipeline.build.estimating import JobSamples
from shared.pipeline.build.pilot_rows import Discarded, PilotRows, RequestKinds
from shared.pipeline.build.prefetch import Prefetcher
from shared.pipeline.build.request_files import RequestFiles
from shared.pipeline.build.reuse import ReusedAnswers, reusing
from shared.pipeline.build.run_ends import EarlierRuns, Run, UnfinishedError
from shared.pipeline.build.snapshot import open_snapshot
from shared.pipeline.build.waiting_rows import WaitingRow, WaitingRows
from shared.pipeline.claims import Claim
from shared.pipeline.deployment_models import DeploymentModels
from shared.prompt_file import PromptFile, form_of, open_prompt_file
from shared.requests import RequestBuilder
from shared.requests.builder import BY_ADDRESS
from shared.requests.custom_ids import CustomIds

COLUMNS = 16_384
"""Own columns a file may have: as many as a spreadsheet."""


class BuildPass:
    """The same copy and plan give the same blobs, so that repeating the pass does no harm."""

    def __init__(
        self,
        app: App,
        claim: Claim[Job],
        plan: JobPlan,
        files: RequestFiles | RequestKinds,
        *,
        pilot: Sequence[int] = (),
    ) -> None:
        """Open the work files, but for the batches' own, which are `files`; with RequestKinds nothing is written.

        `pilot` are the positions of the pilot's requests among all.
        """
        self._app = app
        self._claim = claim
        self._job = claim.record
        self._plan = plan
        self._files = files
        self._only_counts = isinstance(files, RequestKinds)
        self._pilot = PilotRows(pilot)
        self._models = DeploymentModels(app.settings, app.ledger)
        self._samples = JobSamples(self._models)
        self._ids = CustomIds()
        self._built = Built()
        self._unsent = self._writer(blob_names.unsent(self._job))
        self._carried_file = self._writer(blob_names.carried_over(self._job))
        self._schemas_file = self._writer(blob_names.schemas(self._job))
        self._schemas = SchemaList(self._schemas_file.write)
        self._carried_over = CarriedOver(iter(()))
        self._waiting = WaitingRows(Prefetcher(app, plan.settings.images, plan.max_bytes))
        self._built_rows = BuiltRows(app, files.there)
        self._earlier_runs = EarlierRuns(app, files.there)
        self._run = Run(app, self._job, counting=self._only_counts)
        self._pages = PagesFile(self._writer(blob_names.pdf_pages(self._job)))
        self._reused: ReusedAnswers | None = None
        self._has_plain = False

    def read(self, chunks: Iterable[bytes] | None = None) -> RequestBuilder:
        """Read all rows and put what can be sent into the batches' files; raises JobFault.

        Raises UnfinishedError where documents take longer than one run may: the next goes on behind what is built.
        `chunks` are the prompt file's bytes where they are at hand; else its copy is read.
        """
        form = form_of(self._job.prompt_file)
        assert form is not None  # building has looked.
        file = open_snapshot(self._app, self._job, form) if chunks is None else open_prompt_file(form, iter(chunks))
        builder = self._builder(file)
        self._carried_over = CarriedOver(earlier_results(self._app, self._job))
        with reusing(self._app, self._claim, self._plan.settings.reuse, counting=self._only_counts) as self._reused:
            for block in self._claim.keeping(file.row_blocks, every=16):
                self._take_row_block(block, builder)
            self._settle_waiting(builder, all_rows=True)
            if not self._only_counts:
                self._close()
        self._built.warnings += [*file.notes, *builder.warnings]
        return builder

    def run(self, chunks: Iterable[bytes] | None = None) -> Built:
        """Write the job's work files and say what they hold.

        Raises what `read` raises, and OutdatedError (see RequestFiles).
        """
        builder = self.read(chunks)
        columns = columns_text(builder, has_plain=self._has_plain)
        self._app.files.write(Container.WORK, blob_names.columns(self._job), columns)
        self._check(builder)
        self._samples.estimate(self._built, self._app.ledger, self._schemas.digests)
        return self._built

    def _builder(self, file: PromptFile) -> RequestBuilder:
        try:
            return RequestBuilder(
                self._plan.settings,
                prompt_file=self._job.prompt_file,
                headers=file.headers,
                default_model=self._plan.default_model or None,
                schemas=self._schemas,
                max_bytes=self._plan.row_bytes,
                below=file.below,
                model_behind=self._models.behind,
            )
        except JobFault as fault:
            self._built.warnings += file.notes
            self._claim.change(warnings=self._built.first_warnings)
            # A column may be missing because the reader took another sheet than the person meant.
            raise JobFault(fault.code, " ".join([str(fault), *file.notes])) from None

    def _take_row_block(self, row_block: RowBlock, builder: RequestBuilder) -> None:
        """Take rows that are alike at once; row by row where anything about one of them is out of the ordinary."""
        plain = builder.plain(row_block) if row_block.odd is None and self._is_sent(row_block) else None
        if plain is None:
            records = list(row_block.records())
            ids = list(map(builder.identify, records))
            _check_width(builder)
            self._take_identified(records, ids, self._ids.repeated(ids), builder)
            return
        repeated = self._ids.repeated(plain.ids)
        block = None if repeated else builder.build_plain(plain)
        _check_width(builder)
        if block is not None:
            self._settle_waiting(builder, all_rows=True)
            self._put(block)
            self._built.total += len(row_block.rows)
        else:
            self._take_identified(list(row_block.records()), plain.ids, repeated, builder)

    def _is_sent(self, row_block: RowBlock) -> bool:
        """Return whether all of these rows are sent: no earlier job's results and no limit of the job concern them."""
        last = row_block.row + len(row_block.rows) - 1
        limit = self._plan.settings.limit
        return self._carried_over.next_row > last and (limit is None or last <= limit)

    def _take_identified(
        self, records: Sequence[Record], ids: Sequence[str], repeated: Sequence[int], builder: RequestBuilder
    ) -> None:
        again = frozenset(repeated)
        for place, (record, custom_id) in enumerate(zip(records, ids, strict=True)):
            self._take(record, custom_id, builder, is_repeated=place in again)

    def _take(self, record: Record, custom_id: str, builder: RequestBuilder, *, is_repeated: bool) -> None:
        self._built.total += 1
        outcome = self._carried_over.take(record.row)
        if outcome is not None:
            self._carried_file.write(outcomes.to_line(outcome) + b"\n")
            self._built.carried_over += 1
            self._built.reused += bool(outcome.reused_from)
            return
        limit = self._plan.settings.limit
        fault = None
        if limit is not None and record.row > limit:
            fault = Fault(RowCode.NOT_SENT, f"The job's limit is {limit} rows.")
        elif is_repeated:
            message = f"The custom id of row {record.row} was used by an earlier row of this file."
            fault = Fault(RowCode.DUPLICATE_CUSTOM_ID, message)
        self._let_wait(record, custom_id, fault, builder)

    def _let_wait(self, record: Record, custom_id: str, fault: Fault | None, builder: RequestBuilder) -> None:
        """Settle a row, behind those before it whose documents are still to come."""
        needs_documents = not self._only_counts or (self._may_reuse and not self._run.is_over)
        references = builder.documents(record) if needs_documents and not fault else ()
        fault = fault or (self._earlier_runs.fault(record.row) if references else None)
        if not self._waiting and (fault or not references):
            self._settle(WaitingRow(record, custom_id, fault, has_documents=bool(references)), builder)
            return
        built = self._built_rows.take(record.row) if references else None
        request = self._earlier_runs.request(record.row) if references else b""
        is_answered = self._reused is not None and request in self._reused
        self._waiting.add(record, custom_id, fault, references, built, request if is_answered else b"")
        self._settle_waiting(builder)

    @property
    def _may_reuse(self) -> bool:
        """Whether rows may have been answered before: then their documents are needed to count what is sent, too."""
        return self._reused is not None and self._reused.may_take

    def _settle_waiting(self, builder: RequestBuilder, *, all_rows: bool = False) -> None:
        for row in self._waiting.take(all_rows=all_rows):
            self._claim.keep()
            self._settle(row, builder)
            self._run.count(has_new=self._files.has_new)
            if row.files is not None and self._run.is_over and not self._only_counts:
                self._end_run(row.record.row)

    def _settle(self, row: WaitingRow, builder: RequestBuilder) -> None:
        """Write a row's request, or why it is not sent."""
        built = row.fault or builder.build(row.record, row.files or BY_ADDRESS)
        if isinstance(built, Fault):
            if row.files is not None:
                self._run.note(row.record.row, built)
            # The pilot may have been chosen among the rows that can be sent as far as is known without their documents.
            was_counted = row.has_documents and not self._may_reuse
            if was_counted and not isinstance(builder.build(row.record, BY_ADDRESS), Fault):
                self._pilot.pass_over()
            self._leave_out(row.record, row.custom_id, built)
        elif row.built is not None:
            self._put_again(built, row.built)
        elif row.request and self._reused is not None:
            self._reused.take(built, [row.request])
        elif row.files is not None:
            tokens = sum(built.image_tokens)
            note = BuiltRow(row.record.row, built.size, tokens, row.files.pages) if tokens else None
            self._put(built, note, fetched=True)
        else:
            self._put(built)
        if self._earlier_runs.ended_at(row.record.row):
            self._files.close()

    def _end_run(self, row: int) -> NoReturn:
        """Keep all that was built up to a row; its end is written down first, as without it the batches seem cut."""
        self._claim.keep()
        self._run.write_end(row)
        self._files.close()
        raise UnfinishedError

    def _put_again(self, block: RequestBlock, built: BuiltRow) -> None:
        """Count a request that an earlier run has written, for which no document was fetched."""
        lines = (bytes(built.size - 1),)
        tokens = block.input_tokens - sum(block.image_tokens) + built.image_tokens
        again = block._replace(lines=lines, size=built.size, input_tokens=tokens, image_tokens=(built.image_tokens,))
        self._put(again, built, is_there=True)

    def _put(
        self, block: RequestBlock, built: BuiltRow | None = None, *, is_there: bool = False, fetched: bool = False
    ) -> None:
        """Write requests, but for those that an earlier job has answered; one alone if its documents were `fetched`."""
        self._has_plain = self._has_plain or min(block.schemas) < 0
        if self._reused is not None and not is_there:
            requests = self._reused.requests(block, self._schemas.digests)
            left = self._reused.take(block, requests)
            if left is None:
                if fetched:
                    self._run.note_answered(block.rows[0], requests[0])
                return
            block = left
        note = b"" if built is None else to_line(built)
        for part, is_pilot in self._pilot.divide(block):
            self._files.put(part, note, is_there=is_there, pilot=is_pilot)
            self._samples.add(part, pilot=is_pilot)
        if built is not None:
            self._pages.add(built)

    def _leave_out(self, record: Record, custom_id: str, fault: Fault) -> None:
        outcome = Outcome(row=record.row, custom_id=custom_id, code=fault.code, message=fault.message)
        self._unsent.write(outcomes.to_line(outcome) + b"\n")
        self._built.unsent[fault.code.value] += 1
        if fault.code is not RowCode.NOT_SENT and not self._built.first_fault:
            self._built.first_fault = f"row {record.row}: {fault.code.value}: {fault.message}"

    def _close(self) -> None:
        # Files of a job that another worker has built meanwhile, and sent, must not be touched any more.
        self._claim.keep()
        self._built.batches = self._files.close()
        if self._reused is not None:
            self._reused.commit()
            self._built.carried_over += self._reused.taken
            self._built.reused += self._reused.taken
            self._built.warnings += self._reused.warnings
        if self._built.unsent:
            self._unsent.commit()
        if self._job.previous:
            self._carried_file.commit()
        self._schemas_file.commit()
        self._pages.commit()

    def _check(self, builder: RequestBuilder) -> None:
        """Raise where the rows together are a fault of the job; the rows' own faults stay known."""
        fault = fault_of(
            self._built, saw_schema=builder.saw_schema, rejects_invalid_rows=self._plan.rejects_invalid_rows
        )
        if fault is not None:
            found = self._built
            self._claim.change(rows_total=found.total, unsent=dict(found.unsent), warnings=found.first_warnings)
            raise fault

    def _writer(self, name: str) -> BlobWriter:
        return Discarded() if self._only_counts else self._app.files.writer(Container.WORK, name)


def _check_width(builder: RequestBuilder) -> None:
    if builder.width > COLUMNS:
        raise JobFault(JobCode.INVALID_FILE, f"The records have more than {COLUMNS} different columns.")
