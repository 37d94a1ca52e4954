"""A job's own settings: `_job.json` files of the prompt file's folders → one checked record.

keys        the keys, as a JSON Schema: checks, messages and docs all follow it
job_file    one file, checked, with messages for the person who wrote it
plan        what a job's requests depend on, fixed when it starts
templates   prompt templates with {columns}
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.answer_schema import from_required
from shared.domain.blob_names import JOB_SETTINGS
from shared.domain.errors import SchemaFault
from shared.job_settings.job_file import invalid, kind_of, parse_json, read_job_file
from shared.job_settings.keys import SCHEMA
from shared.prompt_file import stem_of

__all__ = ["SCHEMA", "Images", "JobSettings", "Pilot", "Reuse", "default_schema_name", "job_file_paths", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """Send `rows` rows first, and `then` "send" or "hold" the rest if at least the share `min_ok` of them succeeds."""

    rows: int
    min_ok: float = 0.9
    then: str = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """How images are sent: their `detail`, the most `pages` of one row, and the resolution of rendered pages."""

    detail: str = "auto"
    pages: int = 10
    dpi: int = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """Reuse earlier answers to the same request up to this age; None: of any age."""

    max_age_days: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The settings from all `_job.json` files, the nearest folder's first; None or empty if none sets them.

    `schema` is the JSON Schema itself, also where a `_*.json` blob or `required` said it (`schema_from_required`).
    `messages` are the chat messages as given, their texts templates. `columns` maps a meaning (`custom_id`, `model`,
    `prompt`, …) to a header, or to None: no column means this. `formats` are those beside JSONL. `sources` are the
    `_job.json` and schema blobs that said all this, the nearest first.
    """

    model: str | None = None
    system: str | None = None
    url: str = "/chat/completions"
    prompt: str | None = None
    messages: tuple[Mapping[str, object], ...] | None = None
    schema: Mapping[str, object] | None = None
    schema_name: str | None = None
    require_schema: bool = True
    parameters: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, str | None] = field(default_factory=dict)
    limit: int | None = None
    formats: tuple[str, ...] | None = None
    max_attempts: int | None = None
    on_invalid_row: str | None = None
    max_cost_usd: float | None = None
    pilot: Pilot | None = None
    images: Images = Images()
    reuse: Reuse | None = None
    sources: tuple[str, ...] = field(default=(), compare=False)
    schema_from_required: bool = field(default=False, compare=False)


def job_file_paths(prompt_name: str) -> list[str]:
    """List where a prompt file's settings may be, the nearest folder first; all files that exist are combined."""
    folders = prompt_name.split("/")[:-1]
    return ["/".join([*folders[:depth], JOB_SETTINGS]) for depth in range(len(folders), -1, -1)]


def resolve(layers: Sequence[tuple[str, bytes]], read_schema: Callable[[str, str], bytes | None]) -> JobSettings:
    """Combine `_job.json` files, the nearest first, each as (blob path, content): the nearest wins, key by key.

    `read_schema` returns the content of a blob that `schema` names, by folder (empty at the top) and name; None where
    it does not exist. Raises JobFault (`invalid_job_settings`) for anything wrong in any of the files.
    """
    merged: dict[str, Any] = {}
    said_by: dict[str, str] = {}
    for path, raw in layers:
        for key, value in _without_rivals(read_job_file(path, raw), merged).items():
            if key != "$schema" and key not in merged:
                merged[key], said_by[key] = value, path
    if "messages" in merged and "system" in merged:
        raise invalid(said_by["system"], [f'its "system" cannot be combined with "messages" of {said_by["messages"]}'])
    schema_blob = ""
    if isinstance(name := merged.get("schema"), str):
        folder = said_by["schema"].rpartition("/")[0]
        schema_blob = f"{folder}/{name}" if folder else name
        merged["schema"] = _named_schema(said_by["schema"], name, schema_blob, read_schema(folder, name))
    if "required" in merged:
        merged["schema"] = _required_schema(said_by["required"], merged.pop("required"))
        merged["schema_from_required"] = True
    merged["sources"] = tuple(_sources([path for path, _ in layers], said_by, schema_blob))
    return _settings(merged)


def _sources(paths: Sequence[str], said_by: Mapping[str, str], schema_blob: str) -> Iterator[str]:
    """List the blobs whose settings count, each `_job.json` before the schema blob that it names."""
    for path in paths:
        if path in said_by.values():
            yield path
        if schema_blob and path == said_by["schema"]:
            yield schema_blob


def default_schema_name(prompt_name: str) -> str:
    """Name a schema after its prompt file, in the characters that the service allows."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem_of(prompt_name))[:64]


_RIVALS: Final = {
    "messages": ("prompt", "system"),
    "prompt": ("messages",),
    "schema": ("required",),
    "required": ("schema",),
}
"""What a nearer file says with the one key, a farther one must not say with the others."""


def _without_rivals(farther: Mapping[str, Any], nearer: Mapping[str, Any]) -> dict[str, Any]:
    rivals = {rival for key in nearer for rival in _RIVALS.get(key, ())}
    return {key: value for key, value in farther.items() if key not in rivals}


def _named_schema(path: str, name: str, blob: str, raw: bytes | None) -> Mapping[str, object]:
    if raw is None:
        folder = blob.rpartition("/")[0]
        where = f"the folder {folder}" if folder else "the top folder"
        raise invalid(path, [f'schema names "{name}", but {where} has no such blob. Upload it before the prompt file'])
    schema = parse_json(blob, raw)
    if not isinstance(schema, dict):
        raise invalid(blob, [f"it must hold a JSON Schema, {{…}}, but holds {kind_of(schema)}"])
    return schema


def _required_schema(path: str, fields: str | list[str]) -> Mapping[str, object]:
    try:
        return from_required(fields)
    except SchemaFault as fault:
        raise invalid(path, [f"required: {finding}" for finding in fault.findings]) from None


def _settings(merged: dict[str, Any]) -> JobSettings:
    if "model" in merged:
        merged["model"] = merged["model"].strip()
    if "messages" in merged:
        merged["messages"] = tuple(merged["messages"])
    if "formats" in merged:
        merged["formats"] = tuple(name for name in dict.fromkeys(merged["formats"]) if name != "jsonl")
    # To JSON Schema 10.0 is an integer, too.
    for key in ("limit", "max_attempts"):
        if key in merged:
            merged[key] = int(merged[key])
    if "pilot" in merged:
        merged["pilot"] = _pilot(merged["pilot"])
    if "images" in merged:
        merged["images"] = Images(**{key: _whole(value) for key, value in merged["images"].items()})
    if "reuse" in merged:
        merged["reuse"] = _reuse(merged["reuse"])
    return JobSettings(**merged)


def _pilot(given: float | Mapping[str, Any]) -> Pilot:
    said = given if isinstance(given, Mapping) else {"rows": given}
    return Pilot(**{**said, "rows": int(said["rows"])})


def _reuse(given: bool | Mapping[str, Any]) -> Reuse | None:
    if isinstance(given, Mapping):
        return Reuse(**given)
    return Reuse() if given else None


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) else value
