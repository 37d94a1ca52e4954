"""The response formats that ready-made requests bring: refused where the service would refuse them, never rewritten."""

import re
from collections.abc import Mapping
from typing import Final

from shared import answer_schema, json_codec
from shared.domain.errors import SchemaFault, UnsendableError
from shared.domain.model import RESPONSES_URL, Fault, Record, RowCode
from shared.json_codec import mapping
from shared.requests.response_format import PLAIN, Formats, asked_in, format_of

_FORMATS: Final = 256
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TYPES: Final = ("text", "json_object", "json_schema")


class OwnFormats:
    """Checks each format once, and numbers its schema; the last 256 are kept."""

    def __init__(self, formats: Formats) -> None:
        self._formats = formats
        self._numbers: dict[bytes, int | Fault] = {}

    def number_of(self, given: object, url: str, record: Record) -> int:
        """Return the number of the schema of a request's own format, -1 without one; raises UnsendableError."""
        if not isinstance(given, dict):
            raise invalid_request("the response format must be an object.")
        unshown = record.values.get("schema") if record.is_dropped_again else None
        text = json_codec.dumps([given, url, unshown, record.is_dropped_again])
        number = self._numbers.get(text)
        if number is None:
            try:
                number = self._checked(given, url, unshown, is_dropped_again=record.is_dropped_again)
            except UnsendableError as exc:
                number = exc.fault
            if len(self._numbers) >= _FORMATS:
                del self._numbers[next(iter(self._numbers))]
            self._numbers[text] = number
        if isinstance(number, Fault):
            raise UnsendableError(number.code, number.message)
        return number

    def _checked(self, given: dict[str, object], url: str, unshown: object, *, is_dropped_again: bool) -> int:
        _check_form(given, url)
        if given["type"] != "json_schema":
            return PLAIN.number
        self._formats.saw_any = True
        asked = mapping(asked_in(given, url))
        name, schema, is_strict = asked.get("name"), asked.get("schema"), asked.get("strict") is True
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UnsendableError(
                RowCode.INVALID_SCHEMA,
                "The response format needs a name of letters, digits, _ and -, 64 characters at most.",
            )
        if schema is None and not is_strict:
            return PLAIN.number
        findings = answer_schema.lint(schema) if is_strict else answer_schema.check(schema)
        if findings or not isinstance(schema, dict):
            raise UnsendableError(RowCode.INVALID_SCHEMA, str(SchemaFault(findings)))
        checked = _checked_with(schema, unshown, reads_words=is_dropped_again and is_strict)
        return self._formats.listed_as_it_is(name, schema, checked)


def check_place(body: Mapping[str, object], url: str) -> None:
    """Refuse a format that stands where the other route has it; raises UnsendableError."""
    if url == RESPONSES_URL and body.get("response_format") is not None:
        raise _invalid_format("on this route it is text.format, not response_format.")
    if url != RESPONSES_URL and format_of(body, RESPONSES_URL) is not None:
        raise _invalid_format("on this route it is response_format, not text.format.")


def _check_form(given: dict[str, object], url: str) -> None:
    """Refuse the form of the other route, and what is not a response format at all."""
    place = "schema" if url == RESPONSES_URL else "json_schema.schema"
    if given.get("type") not in _TYPES:
        hint = f"; a JSON Schema stands under {place}" if "properties" in given else ""
        raise _invalid_format(f"its type must be {', '.join(_TYPES[:-1])} or {_TYPES[-1]}{hint}.")
    if given["type"] != "json_schema":
        return
    if url != RESPONSES_URL and not isinstance(given.get("json_schema"), dict):
        raise _invalid_format("json_schema is missing: on this route name and schema stand under it.")
    if url == RESPONSES_URL and "json_schema" in given and "schema" not in given:
        raise _invalid_format("on this route name and schema stand beside type, not under json_schema.")


def _checked_with(schema: dict[str, object], unshown: object, *, reads_words: bool) -> dict[str, object]:
    """Return what answers are checked with: of a line that is dropped again, what the first answer was checked with."""
    if unshown is not None:
        if findings := answer_schema.check(unshown):
            raise UnsendableError(RowCode.INVALID_SCHEMA, f"schema beside body: {SchemaFault(findings)}")
        assert isinstance(unshown, dict)  # Anything else is a finding.
        return unshown
    restored = answer_schema.restored(schema) if reads_words else schema
    return schema if answer_schema.check(restored) else restored


def invalid_request(message: str) -> UnsendableError:
    """Return the fault of a ready-made request, to be raised."""
    return UnsendableError(RowCode.INVALID_REQUEST, f"The batch request cannot be sent: {message}")


def _invalid_format(message: str) -> UnsendableError:
    return UnsendableError(RowCode.INVALID_SCHEMA, f"The response format cannot be sent: {message}")
