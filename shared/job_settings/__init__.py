"""A job's own settings: `_job.json` files of the prompt file's folders → one checked record."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.domain.blob_names import JOB_SETTINGS
from shared.job_settings.job_file import invalid, kind_of, parse_json, read_job_file
from shared.job_settings.keys import SCHEMA
from shared.prompt_file import stem_of

__all__ = ["SCHEMA", "JobSettings", "default_schema_name", "job_file_paths", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """What the `_job.json` files say, the nearest folder's word first; None or empty where nobody said anything.

    `schema` is the JSON Schema itself, read already where a `_*.json` blob was named. `messages` are the chat messages
    as given, their texts templates. `columns` maps a meaning (`custom_id`, `model`, `prompt`, …) to a header, or to
    None: no column means this. `formats` are those beside JSONL.
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


def job_file_paths(prompt_name: str) -> list[str]:
    """List where a prompt file's settings may lie, the nearest folder first: those that exist are all read."""
    folders = prompt_name.split("/")[:-1]
    return ["/".join([*folders[:depth], JOB_SETTINGS]) for depth in range(len(folders), -1, -1)]


def resolve(layers: Sequence[tuple[str, bytes]], read_schema: Callable[[str, str], bytes | None]) -> JobSettings:
    """Combine `_job.json` files, the nearest first, each as (blob path, content): the nearest wins, key by key.

    `read_schema` gives the content of a blob that `schema` names, by folder (empty at the top) and name; None where
    there is none. Raises JobFault (`invalid_job_settings`) for anything wrong in any of the files.
    """
    merged: dict[str, Any] = {}
    said_by: dict[str, str] = {}
    for path, raw in layers:
        for key, value in _without_rivals(read_job_file(path, raw), merged).items():
            merged.setdefault(key, value)
            said_by.setdefault(key, path)
    merged.pop("$schema", None)
    if "messages" in merged and "system" in merged:
        raise invalid(said_by["system"], [f'its "system" cannot be combined with "messages" of {said_by["messages"]}'])
    if isinstance(schema := merged.get("schema"), str):
        merged["schema"] = _named_schema(said_by["schema"], schema, read_schema)
    return _settings(merged)


def default_schema_name(prompt_name: str) -> str:
    """Name a schema after its prompt file, in the characters that the service allows."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem_of(prompt_name))[:64]


_RIVALS: Final = {"messages": ("prompt", "system"), "prompt": ("messages",)}
"""What a nearer file says with the one key, a farther one must not say with the others."""


def _without_rivals(farther: Mapping[str, Any], nearer: Mapping[str, Any]) -> dict[str, Any]:
    rivals = {rival for key in nearer for rival in _RIVALS.get(key, ())}
    return {key: value for key, value in farther.items() if key not in rivals}


def _named_schema(path: str, name: str, read_schema: Callable[[str, str], bytes | None]) -> Mapping[str, object]:
    folder = path.rpartition("/")[0]
    raw = read_schema(folder, name)
    if raw is None:
        where = f"the folder {folder}" if folder else "the top folder"
        raise invalid(path, [f'schema names "{name}", but {where} has no such blob. Upload it before the prompt file'])
    blob = f"{folder}/{name}" if folder else name
    schema = parse_json(blob, raw)
    if not isinstance(schema, dict):
        raise invalid(blob, [f"it must hold a JSON Schema, {{…}}, but holds {kind_of(schema)}"])
    return schema


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
    return JobSettings(**merged)
