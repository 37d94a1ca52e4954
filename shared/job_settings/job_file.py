"""One `_job.json`: its bytes → checked keys, or what to tell the person whose file does not fit."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.job_settings.keys import NOT_BLANK, SCHEMA
from shared.job_settings.templates import Template
from shared.json_codec import is_deeper_than

_SHOWN: Final = 5
_MAX_DEPTH: Final = 200


def read_job_file(path: str, raw: bytes) -> dict[str, Any]:
    """Parse and check one `_job.json`; raise JobFault (`invalid_job_settings`) that names each key at fault."""
    value = parse_json(path, raw)
    if not isinstance(value, dict):
        raise invalid(path, [f"it must hold a JSON object, {{…}}, but holds {kind_of(value)}"])
    # Each once: the validator tells every key that an object lacks, and one sentence names them all.
    faults = list(dict.fromkeys([*_faults_of_form(value), *_faults_of_choice(value)])) or [*_faults_of_templates(value)]
    if faults:
        raise invalid(path, faults)
    return value


def parse_json(path: str, raw: bytes) -> object:
    """Parse a blob of settings, with or without a byte order mark.

    Raises JobFault (`invalid_job_settings`), also for what could not be stored with the job unchanged.
    """
    try:
        value: object = json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_without_repetition,
            parse_int=_within_64_bits,
            parse_float=_finite,
            parse_constant=_unknown_word,
        )
        msgspec.json.encode(value)
    except UnicodeDecodeError as error:
        raise invalid(path, [f"it is not UTF-8 (byte {error.start + 1} is wrong). Save it again as UTF-8"]) from None
    except UnicodeEncodeError:
        raise invalid(path, ["it holds half a surrogate pair (\\ud800 to \\udfff)"]) from None
    except json.JSONDecodeError as error:
        where = f"in line {error.lineno}, column {error.colno}"
        raise invalid(path, [f"it is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]} {where}"]) from None
    except _Unusable as error:
        raise invalid(path, [str(error)]) from None
    except RecursionError:
        raise invalid(path, ["it is nested too deep"]) from None
    if is_deeper_than(_MAX_DEPTH, value):
        raise invalid(path, ["it is nested too deep"])
    return value


def invalid(path: str, faults: Sequence[str]) -> JobFault:
    """Name all that is wrong with a settings blob."""
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return JobFault(JobCode.INVALID_JOB_SETTINGS, f"{path}: {'; '.join([*faults[:_SHOWN], *more])}.")


def templates_of(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List the texts of a checked `_job.json` that are templates, each with the path of its key."""
    if "prompt" in settings:
        yield "prompt", settings["prompt"]
    for number, message in enumerate(settings.get("messages", ())):
        content = message["content"]
        if isinstance(content, str):
            yield f"messages[{number}].content", content
        else:
            for index, part in enumerate(content):
                if "text" in part:
                    yield f"messages[{number}].content[{index}].text", part["text"]


def kind_of(value: object) -> str:
    """Name a JSON value's type for people."""
    if value is None:
        return "null"
    return _KINDS[type(value)]


_KINDS: Final = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"} | dict.fromkeys(
    (int, float), "a number"
)
_TYPES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}


def _faults_of_form(value: Mapping[str, Any]) -> Iterator[str]:
    for error in _validator().iter_errors(value):
        keyword = error.schema_path[-1]
        fragment = _at(SCHEMA, error.schema_path[:-1])
        instance = _at(value, error.instance_path)
        where = _path(error.instance_path)
        if keyword == "additionalProperties":
            for key in instance:
                if key not in fragment["properties"]:
                    yield _unknown(_path([*error.instance_path, key]), key, fragment["properties"])
        elif keyword == "required":
            missing = [key for key in fragment["required"] if key not in instance]
            yield f"{where} lacks {' and '.join(missing)}"
        elif "not" in fragment:
            yield f"{where} cannot be set here. {fragment['description'].rstrip('.')}"
        else:
            yield f"{where} must be {_wanted(fragment)}, but is {_given(instance, fragment)}"


def _faults_of_choice(value: Mapping[str, Any]) -> Iterator[str]:
    for key, others in (("messages", ("prompt", "system")), ("required", ("schema",))):
        for other in others:
            if key in value and other in value:
                yield f"{key} and {other} cannot be combined: keep one of the two"


def _faults_of_templates(value: Mapping[str, Any]) -> Iterator[str]:
    for path, text in templates_of(value):
        try:
            Template.parse(text)
        except ValueError as error:
            yield f"{path}: {error}"


def _unknown(path: str, key: str, allowed: Iterable[str]) -> str:
    names = [name for name in allowed if name != "$schema"]
    near = get_close_matches(key.lower().replace("-", "_").replace(" ", "_"), names, 1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    return f"unknown key {path}{hint}; allowed are {', '.join(names)}"


def _wanted(fragment: Mapping[str, Any]) -> str:
    """Describe what a part of the schema allows."""
    if "const" in fragment:
        return f"{json.dumps(fragment['const'])} ({fragment['description'].rstrip('.')})"
    if "enum" in fragment:
        return f"one of {', '.join(map(json.dumps, fragment['enum']))}"
    if "enum" in fragment.get("items", {}):
        return f"a list of {', '.join(map(json.dumps, fragment['items']['enum']))}"
    types = [fragment["type"]] if isinstance(fragment["type"], str) else fragment["type"]
    text = " or ".join(f"{_TYPES[name]}{_bounds(name, fragment)}" for name in types)
    if "minLength" in fragment or "minItems" in fragment or fragment.get("pattern") == NOT_BLANK:
        text += " that is not empty"
    elif "pattern" in fragment:
        text += f" ({fragment['description'].rstrip('.')})"
    return text


def _bounds(name: str, fragment: Mapping[str, Any]) -> str:
    """Describe which numbers are allowed, where `name` is a type of numbers."""
    if name not in ("integer", "number"):
        return ""
    if "maximum" in fragment:
        return f" from {fragment['minimum']} to {fragment['maximum']}"
    if "exclusiveMinimum" in fragment:
        return f" over {fragment['exclusiveMinimum']}"
    return f" of at least {fragment['minimum']}" if "minimum" in fragment else ""


def _given(value: object, fragment: Mapping[str, Any]) -> str:
    """Describe a wrong value: by its type, and where a short word was wrong, by itself."""
    short = isinstance(value, str) and 0 < len(value) <= 64 and ("enum" in fragment or "pattern" in fragment)
    if short or type(value) in (int, float, bool):
        return f"{kind_of(value)} ({json.dumps(value, ensure_ascii=False)})"
    return f"{kind_of(value)} that is empty" if value in ("", []) else kind_of(value)


def _path(keys: Sequence[str | int]) -> str:
    """Write a path as people do: `messages[0].role`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def _at(value: Any, keys: Iterable[str | int]) -> Any:
    for key in keys:
        value = value[key]
    return value


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise _Unusable(f'it has the key "{repeated}" twice in one object')
    return value


def _within_64_bits(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**64:
        raise _Unusable(f"it holds a whole number beyond 64 bits, {digits[:40]}, which would be rounded")
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _Unusable(f"it holds a number that is too large, {digits[:40]}")
    return number


def _unknown_word(word: str) -> object:
    raise _Unusable(f"it is not valid JSON: {word} is not a JSON value")


class _Unusable(Exception):
    """Valid to Python's parser, but not to be used; `str()` says why."""


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMA)
