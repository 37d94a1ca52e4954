"""Which column of a prompt file means what."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """The columns that the app understands; all others are the user's own."""

    CUSTOM_ID = "custom_id"
    MODEL = "model"
    PROMPT = "prompt"
    SYSTEM = "system"
    REQUIRED = "required"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Columns:
    """`meant` maps a meaning to the header that carries it; `own` are the user's own headers, in the file's order."""

    meant: Mapping[Meaning, str]
    own: tuple[str, ...]
