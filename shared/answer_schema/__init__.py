"""An answer's schema: the column `Required` or a JSON Schema → what is sent, and what answers are checked with.

`prepare` makes a schema strict if that does not change its meaning, and says what it changed; everything else is
a SchemaFault with the JSON path and the remedy of each fault. `lint` and `check` judge schemas that are sent as they
are, with `strict: true` and without.

required_column      the column `Required` as a schema
strict_form          the strict form, with closed_object, enums, nullable, unwrapping, impossible, kinds and references
recursion, limits    schemas without end, or too large ones; first_keys warns of objects that begin alike
sent_form            the schema as sent: other checks in words; restored reads them back
keywords             what the service does with each keyword
report               faults and changes, with their places
schema_list          a job's schemas, by number
"""

from dataclasses import dataclass
from typing import Final

import jsonschema_rs

from shared.answer_schema.first_keys import check_first_keys
from shared.answer_schema.limits import check_limits
from shared.answer_schema.recursion import check_recursion
from shared.answer_schema.references import too_big
from shared.answer_schema.report import Change, Report, at
from shared.answer_schema.required_column import from_required
from shared.answer_schema.restored import restored
from shared.answer_schema.sent_form import sent_form
from shared.answer_schema.strict_form import StrictForm
from shared.domain.errors import Finding, SchemaFault

__all__ = ["AnswerSchema", "check", "checks_more", "from_required", "lint", "prepare", "restored"]


_NO_SCHEMA: Final = "must be a JSON Schema: an object with a type and properties"
_RESPONSE_FORMAT: Final = "is a response format; give only what stands under its key schema"


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """A schema in its two forms: `sent` to the service, `checked` against the answers.

    `checked` also holds the checks that the service doesn't support. `changes` says what was changed, `warnings` what
    the service may still refuse; both with JSON paths.
    """

    sent: dict[str, object]
    checked: dict[str, object]
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def prepare(schema: object) -> AnswerSchema:
    """Make a JSON Schema strict; raises SchemaFault where that would change its meaning, or it is too large."""
    report = Report()
    checked, warnings = _strict_form(schema, report)
    if report.findings:
        raise SchemaFault(report.findings)
    sent = sent_form(checked, report)
    return AnswerSchema(sent, checked, report.changes(), warnings)


def lint(schema: object) -> tuple[Finding, ...]:
    """List what makes the service refuse a schema that is sent unchanged with `strict: true`."""
    report = Report()
    _strict_form(schema, report)
    return (*report.findings, *report.as_faults())


def checks_more(checked: dict[str, object], sent: dict[str, object]) -> bool:
    """Return whether answers are checked for more than `restored` can read from the schema that was sent.

    That is so if checks were moved into the description, or if other words there could be taken for a check.
    """
    if checked == sent:
        return restored(sent) != sent
    report = Report()
    sent_form(checked, report)
    return Change.DESCRIBED in report.places


def check(schema: object) -> tuple[Finding, ...]:
    """List what keeps a schema from checking answers if it is sent unchanged without `strict: true`."""
    report = Report()
    if not isinstance(schema, dict):
        report.fault("$", _NO_SCHEMA)
    elif problem := too_big(schema):
        report.fault("$", problem)
    else:
        _compile(schema, schema, report)
    return tuple(report.findings)


def _strict_form(schema: object, report: Report) -> tuple[dict[str, object], tuple[str, ...]]:
    if not isinstance(schema, dict) or not schema:
        report.fault("$", _NO_SCHEMA)
        return {}, ()
    if problem := too_big(schema):
        report.fault("$", problem)
        return {}, ()
    if schema.get("type") in (None, "json_schema") and any(
        isinstance(schema.get(key), dict) for key in ("schema", "json_schema")
    ):
        report.fault("$", _RESPONSE_FORMAT)
        return {}, ()
    checked = StrictForm(schema, report).write()
    if report.findings:
        return checked, ()
    check_recursion(checked, report)
    warnings = check_limits(checked, report)
    if not report.findings:
        _compile(checked, schema, report)
    return checked, (*warnings, *check_first_keys(checked))


def _compile(schema: dict[str, object], given: dict[str, object], report: Report) -> None:
    try:
        jsonschema_rs.validator_for(schema, offline=True)
    except jsonschema_rs.ValidationError as exc:
        report.fault(at("$", *_place(exc, given)), f"is not a valid JSON Schema: {exc.message[:200]}")
    except ValueError as exc:
        report.fault("$", f"cannot be used as a JSON Schema: {str(exc)[:200]}")


def _place(found: jsonschema_rs.ValidationError, given: dict[str, object]) -> list[str | int]:
    """Return where the schema has this fault as its author wrote it, which may be elsewhere than in its strict form."""
    try:
        jsonschema_rs.validator_for({key: given[key] for key in given if key != "$schema"}, offline=True)
    except jsonschema_rs.ValidationError as exc:
        if exc.message == found.message:
            return exc.instance_path
    except ValueError:
        pass  # The fault of another part, which was left out.
    return found.instance_path
