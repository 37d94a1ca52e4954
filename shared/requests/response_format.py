"""The answer's schema of a row: where it comes from, its number in the job, and how a request asks for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from shared import answer_schema, json_codec
from shared.answer_schema import AnswerSchema
from shared.answer_schema.schema_list import SchemaList
from shared.domain.errors import JobFault, SchemaFault, UnsendableError
from shared.domain.model import RESPONSES_URL, JobCode, RowCode
from shared.job_settings import JobSettings

_WARNINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Format:
    """A schema's number in the job's list, and the schema as it is sent; -1 and None for plain text."""

    number: int = -1
    sent: dict[str, object] | None = None


PLAIN: Final = Format()


class Formats:
    """Finds each row's schema, prepares it once, and remembers what was changed."""

    def __init__(self, settings: JobSettings, name: str, schemas: SchemaList) -> None:
        """Check the job's own schema; raises JobFault where it cannot be made strict."""
        self._schemas = schemas
        self._required = settings.require_schema
        self._warnings: dict[str, None] = {}
        self._job: AnswerSchema | None = None
        self.name = name
        if settings.schema is not None:
            try:
                prepared = answer_schema.prepare(settings.schema)
            except SchemaFault as exc:
                raise JobFault(JobCode.INVALID_JOB_SETTINGS, f"schema: {exc}") from exc
            self._job = self._noting("the job's schema", prepared, from_required=settings.schema_from_required)
        self.saw_any = self._job is not None
        """Whether the job or any row so far had a schema, good or bad."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was changed, or may be refused, once each; at most 100 of them."""
        shown = tuple(self._warnings)[:_WARNINGS]
        more = len(self._warnings) > _WARNINGS
        return (*shown, "Further schemas were changed, too.") if more else shown

    def see(self, required: object, schema: object) -> None:
        """Remember whether a row has a schema, whatever else is wrong with it."""
        self.saw_any = self.saw_any or not _blank(schema) or not _blank(required)

    def of_row(self, required: object, schema: object) -> Format:
        """Return the schema of a row with these columns, or the job's; raises UnsendableError."""
        if not _blank(schema):
            self._note_replacing("Schema")
            return self._listed(_key(schema), lambda: self._noting("Schema", answer_schema.prepare(_parsed(schema))))
        if not _blank(required):
            self._note_replacing("Required")
            fields = _fields(required)
            return self._listed(
                b"required:" + json_codec.dumps(fields),
                lambda: self._noting(
                    "Required", answer_schema.prepare(answer_schema.from_required(fields)), from_required=True
                ),
            )
        if self._job is None and self._required:
            raise UnsendableError(
                RowCode.INVALID_SCHEMA,
                "There is no schema for the answer: fill Required or Schema, or give the job a schema.",
            )
        return self.of_job()

    def of_job(self) -> Format:
        """Return the job's own schema, PLAIN without one."""
        job = self._job
        return PLAIN if job is None else self._listed(b"job", lambda: job)

    def listed_as_it_is(self, name: str, sent: dict[str, object], checked: dict[str, object]) -> int:
        """Return the number of a schema that a ready-made request brings, for checking its answer."""
        key = b"own:" + json_codec.dumps([sent, checked])
        return self._schemas.number_of(key, name, lambda: AnswerSchema(sent, checked))

    def _listed(self, key: bytes, make: Callable[[], AnswerSchema]) -> Format:
        try:
            number = self._schemas.number_of(key, self.name, make)
            return Format(number, self._schemas.prepared(key, self.name, make).sent)
        except SchemaFault as exc:
            raise UnsendableError(RowCode.INVALID_SCHEMA, str(exc)) from exc

    def _note_replacing(self, column: str) -> None:
        if self._job is not None:
            self._warn(
                f"The column {column} takes the place of the job's schema. If it is a column of your own, say "
                f'"columns": {{"{column.lower()}": null}} in _job.json.'
            )

    def _warn(self, text: str) -> None:
        if len(self._warnings) <= _WARNINGS:
            self._warnings[text] = None

    def _noting(self, source: str, schema: AnswerSchema, *, from_required: bool = False) -> AnswerSchema:
        """Warn of what was changed in a schema; one written for a list of fields has no keyword of the user's own."""
        for text in (*(() if from_required else schema.changes), *schema.warnings):
            self._warn(f"{source}: {text}")
        return schema


def format_of(body: Mapping[str, object], url: str) -> object:
    """Return a body's response format, as its route names it; None without one."""
    if url != RESPONSES_URL:
        return body.get("response_format")
    text = body.get("text")
    return text.get("format") if isinstance(text, Mapping) else None


def asked_in(given: Mapping[str, object], url: str) -> object:
    """Return the part of a response format that has name, strict and schema."""
    return given if url == RESPONSES_URL else given.get("json_schema")


def with_format(body: Mapping[str, object], url: str, name: str, schema: object) -> dict[str, object]:
    """Add to a body what asks for structured output, in the way of its route."""
    asked = {"name": name, "schema": schema, "strict": True}
    if url == RESPONSES_URL:
        text = body.get("text")
        own = text if isinstance(text, Mapping) else {}
        return {**body, "text": {**own, "format": {"type": "json_schema", **asked}}}
    return {**body, "response_format": {"type": "json_schema", "json_schema": asked}}


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _key(schema: object) -> bytes:
    return b"schema:" + (schema.encode() if isinstance(schema, str) else json_codec.dumps(schema))


def _parsed(schema: object) -> object:
    if not isinstance(schema, str):
        return schema
    try:
        return json_codec.loads(schema)
    except ValueError:
        raise UnsendableError(
            RowCode.INVALID_SCHEMA, f"Schema is not valid JSON: {json_codec.syntax_error(schema)}."
        ) from None


def _fields(required: object) -> str | list[str]:
    if isinstance(required, str) or (isinstance(required, list) and all(isinstance(field, str) for field in required)):
        return required
    raise UnsendableError(RowCode.INVALID_SCHEMA, "Required must be a text that names the fields, separated by commas.")
