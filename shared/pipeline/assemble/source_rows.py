"""The prompt file's rows as the result files need them: their ids, their own columns, and what was sent for them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from shared import json_codec
from shared.domain.errors import JobFault
from shared.domain.model import FailedRow, Fault, Job, JobCode, Outcome, Record, RowBlock, RowCode
from shared.domain.ports import App
from shared.job_settings.plan import JobPlan
from shared.pipeline.assemble.source_documents import SourceDocuments
from shared.pipeline.build.snapshot import open_snapshot
from shared.prompt_file import form_of
from shared.prompt_file.columns import Columns, Meaning, column_key, columns_of
from shared.requests import RequestBuilder
from shared.requests.custom_ids import custom_id_or_number
from shared.requests.unshown_schemas import UnshownSchemas

_WITHOUT_REQUEST: Final = frozenset(
    {
        RowCode.DUPLICATE_CUSTOM_ID,
        RowCode.IMAGE_MISSING,
        RowCode.IMAGE_UNSUPPORTED,
        RowCode.DOCUMENT_UNSUPPORTED,
        RowCode.ROW_TOO_LARGE,
    }
)
"""Rows with these codes never became a request, although a request with the documents' addresses could be built."""


class Rows:
    """A job's prompt file, read again from its copy. Raises JobFault if it cannot be read."""

    def __init__(self, app: App, job: Job, plan: JobPlan) -> None:
        form = form_of(job.prompt_file)
        if form is None:
            raise JobFault(JobCode.UNSUPPORTED_FORMAT, job.message)
        file = open_snapshot(app, job, form)
        self.row_blocks: Iterator[RowBlock] = file.row_blocks
        self.separator = file.separator
        self._headers = file.headers
        self._plan = plan
        self._documents = SourceDocuments(app, job)
        self._unshown = UnshownSchemas()
        self._builder = _builder(job, plan, file.headers, self._unshown) if plan.is_fixed else None
        self._columns = None if self._builder or file.headers is None else _columns(file.headers, plan)

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The user's own columns; none for JSON, whose rows each have their own."""
        if self._builder is not None:
            return self._builder.own_columns
        return self._columns.own if self._columns else ()

    def own(self, record: Record) -> dict[str, object]:
        """Return the row's own columns."""
        if self._builder is not None:
            return self._builder.own(record)
        if self._headers is None and record.is_request:
            given = record.values.get("input")
            return dict(given) if isinstance(given, Mapping) else {}
        return {name: record.values[name] for name in self._columns_of(record).own if name in record.values}

    def own_of_all(self, rows: RowBlock) -> list[dict[str, object]]:
        """Return the own columns of each row of a block; they all have the same ones."""
        first = self.own(rows.record(0))
        if len(rows.rows) == 1:
            return [first]
        own = tuple(first)
        places = [rows.keys.index(name) for name in own]
        if len(places) == 1:
            (name,), (place,) = own, places
            return [{name: cells[place]} for cells in rows.rows]
        return [dict(zip(own, [cells[place] for place in places], strict=True)) for cells in rows.rows]

    def typed(self, record: Record) -> dict[str, object] | None:
        """Return the row's own columns with the types of the file; None if they are the same."""
        return None if record.typed is None else self.own(record._replace(values=record.typed))

    def typed_of_all(self, rows: RowBlock) -> list[dict[str, object]] | None:
        """Return the typed own columns of each row of a block; None if they are the same as the others."""
        if rows.odd is not None:
            typed = self.typed(rows.odd)
            return None if typed is None else [typed]
        return None if rows.typed is None else self.own_of_all(rows._replace(rows=rows.typed, typed=None))

    def _custom_id(self, record: Record) -> str:
        if self._builder is not None:
            return self._builder.identify(record)
        is_request = self._headers is None and record.is_request
        key = "custom_id" if is_request else self._columns_of(record).meant.get(Meaning.CUSTOM_ID, "")
        return custom_id_or_number(record, record.values.get(key))

    def _columns_of(self, record: Record) -> Columns:
        """Return the meanings of a row's columns without the help of a builder."""
        return self._columns or _columns(tuple(record.values), self._plan)

    def failed(self, record: Record, outcome: Outcome | None, outcome_if_missing: tuple[RowCode, str]) -> FailedRow:
        """Return what errors.jsonl holds for a failed row; one without an outcome gets `outcome_if_missing`."""
        custom_id, own = self._custom_id(record), self.own(record)
        if outcome is None:
            code, message = outcome_if_missing
            outcome = Outcome(row=record.row, custom_id=custom_id, code=code, message=message)
        row = FailedRow(custom_id, own, outcome, typed=self.typed(record))
        if outcome.code in _WITHOUT_REQUEST or self._builder is None:
            return row._replace(source=_source(record))
        built = self._builder.build(record, self._documents.of(record, self._builder))
        if isinstance(built, Fault):
            return row._replace(source=_source(record))
        request = json_codec.loads(built.lines[0])
        assert isinstance(request, dict)
        return row._replace(request=request, schema=self._unshown.of(request, built.schemas[0]))


def _builder(job: Job, plan: JobPlan, headers: Sequence[str] | None, unshown: UnshownSchemas) -> RequestBuilder | None:
    """Return the builder of the job's requests; None if the fault that ended the job makes that impossible."""
    try:
        return RequestBuilder(
            plan.settings,
            prompt_file=job.prompt_file,
            headers=headers,
            default_model=plan.default_model or None,
            schemas=unshown.schemas,
            max_bytes=plan.row_bytes,
        )
    except JobFault:
        return None


def _columns(headers: tuple[str, ...], plan: JobPlan) -> Columns:
    """Return the columns of a faulty table; if two have the same meaning, at most the custom id's is recognised."""
    keys = set(map(column_key, headers))
    given = plan.settings.columns.items()
    named = {meaning: header for meaning, header in given if header is None or column_key(header) in keys}
    only_id: dict[str, str | None] = {meaning: None for meaning in Meaning if meaning is not Meaning.CUSTOM_ID}
    for overrides in (named, {**named, **only_id}):
        try:
            return columns_of(headers, overrides)
        except JobFault:
            continue
    return Columns({}, headers)


def _source(record: Record) -> Mapping[str, object] | str:
    return dict(record.values) if record.text is None else record.text
