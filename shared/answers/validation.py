"""Answers checked against their schemas, each compiled once.

Messages never hold an answer's content: only the path, by the names in the schema, and the keyword that failed.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import jsonschema_rs

COMPILED_LIMIT: Final = 256
"""Schemas kept compiled at a time: a file may have a different one in each row."""

_SHOWN: Final = 3


class Checks:
    """The checks of a job's schemas by number, compiled when first needed."""

    def __init__(self, read_schema: Callable[[int], Mapping[str, Any]]) -> None:
        """Read schemas by number with `read_schema`, again if one was not used for long."""
        self.check = lru_cache(COMPILED_LIMIT)(lambda number: check_of(read_schema(number)))


def check_of(schema: Mapping[str, Any]) -> Callable[[object], str | None]:
    """Compile a schema into a check, which returns None for an answer that fits, or else what is wrong and where.

    Formats are checked too; only the offset of a time or date-time may be missing. Nothing is ever fetched. If the
    schema cannot be compiled, no answer fits.
    """
    try:
        validator = _compiled(dict(schema))
    except ValueError:
        return lambda _answer: "$: the schema itself cannot be used for checking"

    def check(answer: object) -> str | None:
        try:
            return None if validator.is_valid(answer) else _faults(validator.iter_errors(answer))
        except UnicodeEncodeError:
            return check(_without_half_pairs(answer))

    return check


def _without_half_pairs(answer: object) -> object:
    """Replace lone surrogates, which JSON may hold but the validator cannot read."""
    replaced: object = json.loads(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
    return replaced


def _is_time_of(format_: str) -> Callable[[str], bool]:
    """Return a check for a format of RFC 3339 that accepts texts without an offset."""
    is_valid = jsonschema_rs.validator_for({"format": format_}, validate_formats=True).is_valid
    return lambda text: is_valid(text) or is_valid(f"{text}Z")


_FORMATS: Final = {format_: _is_time_of(format_) for format_ in ("time", "date-time")}


def _compiled(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True, formats=_FORMATS, offline=True)
    except ValueError:
        # An unknown dialect cannot be fetched: read the schema as the current one.
        schema.pop("$schema", None)
        return jsonschema_rs.validator_for(schema, validate_formats=True, formats=_FORMATS, offline=True)


def _faults(errors: Iterator[jsonschema_rs.ValidationError]) -> str:
    """Describe the first few faults, each once."""
    found = list(dict.fromkeys(_fault(error) for error in errors))
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _fault(error: jsonschema_rs.ValidationError) -> str:
    return f"{_path(error.instance_path, error.evaluation_path)}: {_complaint(error.kind)}"


def _path(path: Sequence[str | int], keywords: Sequence[str | int]) -> str:
    """Write a JSON path; a name that the schema does not have was made up by the model, and is shown as `*`."""
    named = {name for keyword, name in pairwise(keywords) if keyword == "properties"}
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" if step in named else ".*" for step in path)
    return "$" + "".join(steps)


def _complaint(kind: Any) -> str:
    """Describe what is wrong with an answer, using only words of the schema."""
    match kind.name:
        case "type":
            return "is not of the type " + " or ".join(kind.types)
        case "required":
            return f"lacks {kind.property}"
        case "additionalProperties" | "unevaluatedProperties":
            return "has a property that the schema does not name"
        case "enum":
            return "is not one of the allowed values (enum)"
        case "const":
            return "is not the one allowed value (const)"
        case "anyOf" | "oneOf":
            return f"fits none of the alternatives ({kind.name})"
        case "format":
            return f"is not a valid {kind.format} (format)"
        case "pattern":
            return "does not match the pattern"
        case name if hasattr(kind, "limit"):
            return f"breaks {name} {kind.limit}"
        case name:
            return f"breaks {name}"
