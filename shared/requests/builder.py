"""Rows → batch requests, by the job's settings and each row's own values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.answer_schema.schema_list import SchemaList
from shared.documents.pictures import ByAddress, Documents
from shared.documents.references import Reference, ReferenceKind
from shared.domain.errors import UnsendableError
from shared.domain.model import CHAT_URLS, Fault, Record, RequestBlock, RowBlock, RowCode
from shared.job_settings import JobSettings, default_schema_name
from shared.job_settings.templates import MissingValue, Template
from shared.json_codec import encode
from shared.prompt_file.columns import Meaning, column_key
from shared.requests.blocks import START, PlainRows, build_plain, plain_rows
from shared.requests.custom_ids import custom_id_of, custom_id_or_number
from shared.requests.empty_values import EmptyValues
from shared.requests.image_requests import ImageRequests
from shared.requests.layout import ABSENT, Layout, layout_of_record, layout_of_table, text_of
from shared.requests.limits import BYTES_PER_TOKEN, TEXT_LENGTH, check_size, check_text
from shared.requests.messages import Conversation
from shared.requests.ready_made import ReadyMadeRequests
from shared.requests.response_format import Formats
from shared.requests.row_documents import FILE_COLUMNS, TEXT_COLUMN, RowDocuments
from shared.requests.skeleton import RequestSkeleton
from shared.requests.skeleton_cache import RequestSkeletons
from shared.settings.targets import UPLOAD_BYTES

_LAYOUTS: Final = 64

BY_ADDRESS: Final = ByAddress()
"""Builds requests that hold the addresses of blobs instead of their bytes."""


class RequestBuilder:
    """Builds the requests of one job, row by row; the same settings and rows give the same requests."""

    def __init__(
        self,
        settings: JobSettings,
        *,
        prompt_file: str,
        headers: Sequence[str] | None,
        default_model: str | None,
        schemas: SchemaList,
        max_bytes: int = UPLOAD_BYTES,
        below: Sequence[tuple[int, Sequence[str]]] = (),
        model_behind: Callable[[str], str] = str,
    ) -> None:
        """`headers` are a table's, None for JSON records; `max_bytes` is what a whole batch file may have.

        `model_behind` names the model of a deployment, by which images cost tokens.
        `below` are the first lines below a table's header, for the message where a column is missing.

        Raises JobFault: `missing_column`, `invalid_file` (two columns of one meaning), `invalid_job_settings`.
        """
        self._documents = RowDocuments(prompt_file, settings)
        if self._documents.is_file_list:
            settings = replace(settings, columns={Meaning.CUSTOM_ID: FILE_COLUMNS[0]})
        self._settings = settings
        self._max_bytes = max_bytes
        self._is_chat = settings.url in CHAT_URLS
        model = self.job_model = settings.model or default_model or ""
        """The deployment of rows that name none."""
        self._conversation = Conversation(settings)
        self._formats = Formats(settings, settings.schema_name or default_schema_name(prompt_file), schemas)
        self._skeletons = RequestSkeletons(settings, model, self._conversation, self._formats)
        self._ready_made = ReadyMadeRequests(self._formats, model, max_bytes, self._documents, model_behind)
        detail = settings.images.detail
        self._with_images = ImageRequests(self._skeletons, settings.url, detail, max_bytes, model_behind)
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._table = None if headers is None else layout_of_table(headers, settings, self._conversation, below)
        self._same_questions = self._texts_alone = 0
        self._empty_values = EmptyValues(self._conversation)
        self.model_column = self._table.model if self._table and self._table.model is not ABSENT else ""
        """The column that names deployments, empty without one; of JSON records, the last one that was found."""
        self._own: dict[str, None] = dict.fromkeys(self._table.own if self._table else ())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was changed in schemas, may be refused, asks every row the same or asks less than was meant."""
        return (
            *self._formats.warnings,
            *self._same_question_warning(),
            *self._texts_alone_warning(),
            *self._empty_values.warning(),
        )

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The user's own columns: a table's, or those of all JSON records that were identified so far."""
        return tuple(self._own)

    @property
    def width(self) -> int:
        """How many own columns there are."""
        return len(self._own)

    @property
    def saw_schema(self) -> bool:
        """Whether the job or any row so far had a schema for its answer, good or bad."""
        return self._formats.saw_any

    def identify(self, record: Record) -> str:
        """Return the row's custom id, or `row-<number>`, for any record, and note its own columns."""
        values = record.values
        if self._table is not None:
            key = self._table.custom_id
        elif record.is_request:
            key = "custom_id"
            if not (columns := _input_of(values).keys()) <= self._own.keys():
                self._own.update(dict.fromkeys(columns))
        else:
            key = self._layout(tuple(values)).custom_id
        return custom_id_or_number(record, values.get(key))

    def own(self, record: Record) -> dict[str, object]:
        """Return the row's own columns, for any record."""
        values = record.values
        if self._table is None and record.is_request:
            return dict(_input_of(values))
        layout = self._table or self._layout(tuple(values))
        return {name: values[name] for name in layout.own if name in values}

    def documents(self, record: Record) -> tuple[Reference, ...]:
        """Return the blobs that must be at hand to build a row; none where it is at fault without them."""
        try:
            found = self._references(record)
        except UnsendableError:
            return ()
        return tuple(one for one in found if one.kind in (ReferenceKind.BLOB, ReferenceKind.TEXT))

    def build(self, record: Record, documents: Documents = BY_ADDRESS) -> RequestBlock | Fault:
        """Return the row as a block of one request, or why it cannot be sent; used custom ids are not looked for."""
        if record.fault is not None:
            return record.fault
        found = self._request_of(record, documents)
        if isinstance(found, Fault) and record.gaps:
            # What a person sees in the workbook is not what the file holds.
            return Fault(found.code, " ".join([found.message, *record.gaps.values()]))
        return found

    def _references(self, record: Record) -> Sequence[Reference]:
        if record.fault is not None:
            return ()
        if self._table is None and record.is_request:
            return self._ready_made.images(record)
        if self._documents.is_file(record):
            return (self._documents.of_file(record),)
        layout = self._table or self._layout(tuple(record.values))
        return self._documents.of_columns(record.values, layout) if layout.images else ()

    def _request_of(self, record: Record, documents: Documents) -> RequestBlock | Fault:
        try:
            if self._table is None and record.is_request:
                return self._ready_made.build(record, documents)
            return self._build(record, documents)
        except UnsendableError as exc:
            return exc.fault
        except MissingValue as exc:
            return Fault(RowCode.MISSING_VALUE, str(exc))
        except UnicodeEncodeError:
            return Fault(RowCode.INVALID_REQUEST, "The row cannot be written as JSON: it holds half a character.")
        except RecursionError:
            return Fault(RowCode.INVALID_REQUEST, "The row cannot be written as JSON: it is nested too deep.")

    def plain(self, row_block: RowBlock) -> PlainRows | None:
        """Identify the rows of a block, for `build_plain`; None where they are to be built one by one."""
        layout = self._table or self._layout(row_block.keys)
        return None if layout.images else plain_rows(row_block, layout)

    def build_plain(self, rows: PlainRows) -> RequestBlock | None:
        """Return what `build` returns for each of the rows; None where they are to be built one by one."""
        return build_plain(rows, self._skeletons, self._max_bytes)

    def _build(self, record: Record, documents: Documents) -> RequestBlock | Fault:
        values = record.values
        layout = self._table or self._layout(tuple(values))
        if layout.fault is not None:
            return layout.fault
        custom_id = custom_id_of(record, values.get(layout.custom_id))
        prompt = values.get(layout.prompt) if layout.prompt_counts else ""
        if type(prompt) is not str:
            prompt = text_of(prompt, "The prompt")
        references = self._references(record)
        if self._documents.is_file(record):
            text = documents.text(references[0]) if references[0].kind is ReferenceKind.TEXT else ""
            values = {**values, TEXT_COLUMN: text}
            prompt = self._prompt_of_file(text)
            references = () if text else references
        if references:
            pictures = self._documents.pictures(references, documents)
            built = self._with_images.build(record.row, custom_id, values, layout, prompt, pictures)
        else:
            built = self._without_images(record.row, custom_id, values, layout, prompt)
        is_of_template = not prompt.strip() and not self._documents.is_file(record)
        if is_of_template and isinstance(built, RequestBlock):
            self._empty_values.look(record.row, values)
        return built

    def _without_images(
        self, row: int, custom_id: str, values: Mapping[str, object], layout: Layout, prompt: str
    ) -> RequestBlock | Fault:
        has_prompt = prompt != "" and not prompt.isspace()
        skeleton = self._skeletons.of_row(values, layout, has_prompt)
        if isinstance(skeleton, Fault):
            return skeleton
        if has_prompt:
            before, after = skeleton.parts
            line = b"".join((START, encode(custom_id), before, encode(prompt), after))
            if self._is_chat and len(prompt) > TEXT_LENGTH:
                check_text(prompt)
        else:
            line = self._from_template(custom_id, skeleton, values)
            if not self._conversation.values:
                self._same_questions += 1
        if len(line) >= self._max_bytes:
            check_size(line, self._max_bytes)
        size, tokens = len(line) + 1, len(line) // BYTES_PER_TOKEN + 1
        return RequestBlock(
            (row,), (custom_id,), skeleton.model, skeleton.url, (line,), (skeleton.schema,), size, tokens
        )

    def _prompt_of_file(self, text: str) -> str:
        """Return a text file as its row's prompt; nothing where the template takes its text."""
        if column_key(TEXT_COLUMN) in self._conversation.values:
            return ""
        if text and self._conversation.has_template:
            self._texts_alone += 1
        return text

    def _texts_alone_warning(self) -> list[str]:
        if not self._texts_alone:
            return []
        return [
            f"{self._texts_alone} text {'file was' if self._texts_alone == 1 else 'files were'} sent without the job's "
            "template, as it does not name {Text}."
        ]

    def _same_question_warning(self) -> list[str]:
        """Warn of a template without a column, which asks all the rows the same."""
        if self._same_questions < 2:
            return []
        names = self._conversation.names_in_double_braces()
        keys = set(map(column_key, self._own))
        meant = next((name for name in names if column_key(name) in keys), next(iter(names), ""))
        hint = f"; did you mean {{{meant}}}? A column stands in single braces" if meant else ""
        return [f"The job's template names no column, so that every row asks the same{hint}."]

    def _layout(self, keys: tuple[str, ...]) -> Layout:
        """Find the meanings of a JSON record's keys; records come with the same keys over and over."""
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[keys] = layout_of_record(keys, self._settings, self._conversation)
            self._own.update(dict.fromkeys(layout.own))
            self.model_column = self.model_column if layout.model is ABSENT else layout.model
        return layout

    def _from_template(self, custom_id: str, skeleton: RequestSkeleton, values: Mapping[str, object]) -> bytes:
        texts = [template.render(values) for template in skeleton.texts if isinstance(template, Template)]
        if texts and not any(text.strip() for text in texts):
            raise UnsendableError(RowCode.MISSING_PROMPT, "With this row's values, the job's template gives no text.")
        line = [START, encode(custom_id), skeleton.parts[0]]
        for text, part in zip(texts, skeleton.parts[1:], strict=True):
            if self._is_chat:
                check_text(text)
            line += encode(text), part
        return b"".join(line)


def _input_of(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the own columns of a ready-made request."""
    given = values.get("input")
    return given if isinstance(given, Mapping) else {}
