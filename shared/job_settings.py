"""A job's own settings: `_job.json` files of the prompt file's folders → one checked record."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """What the `_job.json` files say, the nearest folder's word first; None or empty where nobody said anything.

    `schema` is the JSON Schema itself, read already where a `_*.json` blob was named. `messages` are the
    chat messages as given, their texts templates. `columns` maps a meaning (`custom_id`, `model`, `prompt`, …) to a header, or to None: «no column means this».
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
