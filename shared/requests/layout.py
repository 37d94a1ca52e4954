"""Which keys of a row mean what, and the texts found under them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared import json_codec
from shared.domain.errors import JobFault, UnsendableError
from shared.domain.model import Fault, JobCode, RowCode
from shared.job_settings import JobSettings
from shared.job_settings.templates import brace_hint
from shared.prompt_file.columns import Columns, Meaning, column_key, columns_of, did_you_mean, listed
from shared.prompt_file.header import OTHER_QUOTES, USE_STRAIGHT_QUOTES
from shared.requests.messages import Conversation

ABSENT: Final = "\0no such column"
"""Stands for the header of a column that is not there; no header has this name."""

_WHAT_TO_ASK: Final = ' Rename one of them to "Prompt", or say in _job.json what to ask, under "columns" or "prompt".'
_OTHER_SEPARATORS: Final = ("^", "~", "¦", "§", ":", "/", "&")


@dataclass(frozen=True, slots=True)
class Layout:
    """The headers or keys of a row by their meaning, ABSENT where there is none, and the user's own."""

    custom_id: str
    model: str
    prompt: str
    system: str
    required: str
    schema: str
    own: tuple[str, ...]
    images: tuple[str, ...]
    prompt_counts: bool
    """Whether a row's own prompt is its message, and no value for the job's template."""

    all_texts: bool
    """Whether all values are texts, as in tables."""

    fault: Fault | None = None
    """What keeps all rows with these keys from being sent."""

    @property
    def kind(self) -> tuple[str, ...]:
        """The headers whose values rows of one kind have in common: model, system, required and schema."""
        return self.model, self.system, self.required, self.schema


def layout_of_table(
    headers: Sequence[str],
    settings: JobSettings,
    conversation: Conversation,
    below: Sequence[tuple[int, Sequence[str]]] = (),
) -> Layout:
    """Find the meanings of a table's columns; raises JobFault (`missing_column`, `invalid_file`).

    `below` are the first lines below the header with their numbers: one may be the header that the person meant.
    """
    try:
        columns = columns_of(headers, settings.columns, conversation.values)
    except JobFault as fault:
        if fault.code is JobCode.MISSING_COLUMN:
            wanted = [header for header in settings.columns.values() if header]
            raise JobFault(fault.code, f"{fault}{_header_hint(headers, wanted, below)}") from None
        raise
    layout = _layout(columns, conversation, all_texts=True)
    if layout.prompt is ABSENT and not conversation.has_template and not layout.images:
        hint = _header_hint(headers, ["Prompt"], below)
        raise JobFault(
            JobCode.MISSING_COLUMN,
            f'There is no column "Prompt"{did_you_mean("Prompt", headers)}, and the job has no template. The columns '
            f"are {listed(headers)}.{hint or _WHAT_TO_ASK}",
        )
    if missing := conversation.missing_in(headers):
        raise JobFault(
            JobCode.MISSING_COLUMN,
            f"There is no column {listed(missing)}{did_you_mean(missing[0], headers)}, which the job's template names. "
            f"The columns are {listed(headers)}.{brace_hint(missing)}{_header_hint(headers, missing, below)}",
        )
    return layout


def _header_hint(headers: Sequence[str], wanted: Sequence[str], below: Sequence[tuple[int, Sequence[str]]]) -> str:
    """Say what may be wrong with a header that lacks a column: a title stands above it, or its quotes or separator."""
    keys = {column_key(name) for name in wanted}
    for number, cells in below:
        if found := next((cell for cell in cells if column_key(cell) in keys), None):
            return f' Row {number} of the file looks like the header (it has "{found}"): delete the rows above it.'
    if any(header.startswith(OTHER_QUOTES) for header in headers):
        return f" {USE_STRAIGHT_QUOTES}."
    if len(headers) == 1 and (separator := next((char for char in _OTHER_SEPARATORS if char in headers[0]), None)):
        return f' If the columns are separated by {separator}, write a line "sep={separator}" above the header.'
    return ""


def _layout(columns: Columns, conversation: Conversation, *, all_texts: bool) -> Layout:
    prompt = columns.meant.get(Meaning.PROMPT, ABSENT)
    return Layout(
        custom_id=columns.meant.get(Meaning.CUSTOM_ID, ABSENT),
        model=columns.meant.get(Meaning.MODEL, ABSENT),
        prompt=prompt,
        system=columns.meant.get(Meaning.SYSTEM, ABSENT),
        required=columns.meant.get(Meaning.REQUIRED, ABSENT),
        schema=columns.meant.get(Meaning.SCHEMA, ABSENT),
        own=columns.own,
        images=columns.images,
        prompt_counts=prompt is not ABSENT and column_key(prompt) not in conversation.values,
        all_texts=all_texts,
    )


def layout_of_record(keys: tuple[str, ...], settings: JobSettings, conversation: Conversation) -> Layout:
    """Find the meanings of a JSON record's keys: what the settings name and the record lacks, it just does not have.

    Where two keys have the same meaning, no key has one, and the layout says so as a fault.
    """
    present = {column_key(key) for key in keys}
    overrides = {
        meaning: header if header is None or column_key(header) in present else None
        for meaning, header in settings.columns.items()
    }
    try:
        columns = columns_of(keys, overrides, conversation.values)
        return _layout(columns, conversation, all_texts=False)
    except JobFault as exc:
        layout = _layout(Columns({}, keys), conversation, all_texts=False)
        return replace(layout, fault=Fault(RowCode.INVALID_REQUEST, str(exc)))


def text_of(value: object, name: str) -> str:
    """Return a cell as text: numbers as JSON writes them, nothing as empty; raises UnsendableError for others."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnsendableError(RowCode.INVALID_REQUEST, f"{name} must be a text; it is {_kind(value)}.")
    return json_codec.encode(value).decode()


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "an object" if isinstance(value, Mapping) else "a list"
