"""One `_job.json`: its bytes → checked keys, or what to tell the person whose file does not fit."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

import jsonschema_rs
import orjson

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.job_settings.keys import NOT_BLANK, SCHEMA
from shared.job_settings.templates import Template

_SHOWN: Final = 5


def read_job_file(path: str, raw: bytes) -> dict[str, Any]:
    """Parse and check one `_job.json`; raises JobFault (`invalid_job_settings`) that names each key at fault."""
    value = parse_json(path, raw)
    if not isinstance(value, dict):
        raise invalid(path, [f"it must hold a JSON object, {{…}}, but holds {kind_of(value)}"])
    # Each once: the validator tells every key that an object lacks, and one sentence names them all.
    faults = list(dict.fromkeys([*_faults_of_form(value), *_faults_of_choice(value)])) or [*_faults_of_templates(value)]
    if faults:
        raise invalid(path, faults)
    return value


def parse_json(path: str, raw: bytes) -> object:
    """Parse a blob of settings, with or without a byte order mark; raises JobFault (`invalid_job_settings`)."""
    try:
        text = raw.decode("utf-8-sig")
        value: object = orjson.loads(text)
        # What can't be written again can't be kept with the job: orjson writes fewer levels than it reads.
        orjson.dumps(value)
        json.loads(text, object_pairs_hook=_without_repetition, parse_int=_within_64_bits)
    except UnicodeDecodeError as error:
        raise invalid(path, [f"it is not UTF-8 (byte {error.start + 1} is wrong). Save it again as UTF-8"]) from None
    except orjson.JSONDecodeError as error:
        raise invalid(path, [f"it is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"]) from None
    except _RepeatedKeyError as error:
        raise invalid(path, [f'it has the key "{error}" twice in one object']) from None
    except _HugeNumberError as error:
        raise invalid(path, [f"it holds a whole number beyond 64 bits, {error}, which would be rounded"]) from None
    except (TypeError, RecursionError):
        raise invalid(path, ["it is nested too deep"]) from None
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
    for key in ("prompt", "system"):
        if "messages" in value and key in value:
            yield f"messages stand in place of {key}: keep one of the two"


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
    return f"{path} is no known key{hint}; allowed are {', '.join(names)}"


def _wanted(fragment: Mapping[str, Any]) -> str:
    """Describe what a part of the schema allows."""
    if "const" in fragment:
        return f"{json.dumps(fragment['const'])} ({fragment['description'].rstrip('.')})"
    if "enum" in fragment:
        return f"one of {', '.join(map(json.dumps, fragment['enum']))}"
    if "enum" in fragment.get("items", {}):
        return f"a list of {', '.join(map(json.dumps, fragment['items']['enum']))}"
    types = [fragment["type"]] if isinstance(fragment["type"], str) else fragment["type"]
    text = " or ".join(_TYPES[name] for name in types)
    if "minimum" in fragment:
        return f"{text} of at least {fragment['minimum']}"
    if "minLength" in fragment or "minItems" in fragment or fragment.get("pattern") == NOT_BLANK:
        text += " that is not empty"
    elif "pattern" in fragment:
        text += f" ({fragment['description'].rstrip('.')})"
    return text


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


def _without_repetition(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _RepeatedKeyError(key)
        seen.add(key)


class _RepeatedKeyError(Exception):
    """An object holds the same key twice."""


def _within_64_bits(digits: str) -> None:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise _HugeNumberError(digits[:40])


class _HugeNumberError(Exception):
    """A whole number that the app cannot keep as it is."""


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMA)
