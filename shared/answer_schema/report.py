"""What making a schema strict has found: faults with their place and remedy, and changes, grouped by kind."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from shared.domain.errors import Finding

_SHOWN: Final = 5
_FINDINGS: Final = 50
_KEY_SHOWN: Final = 60

UNUSABLE: Final[dict[str, object]] = {"type": "null"}
"""Stands for a part at fault, so that the other faults are found too."""


class Change(Enum):
    """The kinds of changes that do not change a schema's meaning.

    `text` says what was changed, and is empty if the user need not know. `remedy` says what to do if the schema is sent
    unchanged; it is None if the service accepts that, or may.
    """

    CLOSED = ("additionalProperties: false was added", "needs additionalProperties: false; add it")
    REQUIRED = (
        "was not required: now it is required and may be null",
        "is not listed under required; list it, and let it be null where it is optional",
    )
    DEFAULT = ("is not supported and was dropped", "is not supported; leave it out")
    UNWRAPPED = ("was replaced by its one schema", "is not supported here; put its one schema in its place")
    TYPED = ("has no type: it was added", "has no type; add it")
    TYPED_VALUES = ("has no type: that of its values was added", None)
    NULLABLE = ("nullable was written as a type null", None)
    SPLIT = ("its types were written as anyOf", None)
    DESCRIBED = ("is not supported: it was moved into the description, and is still checked on the answer", None)
    IMPOSSIBLE = ("fits nothing and was dropped", "fits nothing, and is not supported; leave it out")
    NULL_FORM = ("is OpenAPI's form of null: it was written as a type null", "allows null only; write the type null")
    BESIDE_REF = ("", "$ref cannot have other keywords beside it; wrap the $ref in an anyOf")
    POINTER = ("", "can only point to $defs at the top of the schema; move what it points to there")
    NEVER_TAKEN = ("", "is not supported by the service; say it in the description instead")
    TOLD = ("is not supported: it was moved into the description, and is not checked on the answer", None)
    DROPPED = ("says nothing to the service and was dropped", None)

    def __init__(self, text: str, remedy: str | None) -> None:
        self.text = text
        self.remedy = remedy


@dataclass(slots=True)
class Report:
    """Collects the faults and the changes of one schema."""

    findings: list[Finding] = field(default_factory=list)
    places: dict[Change, list[str]] = field(default_factory=dict)

    def fault(self, path: str, problem: str) -> None:
        """Note what cannot be made strict; more than 50 faults of one schema are not kept."""
        if len(self.findings) < _FINDINGS:
            self.findings.append(Finding(path, problem))

    def refused(self, path: str, problem: str) -> dict[str, object]:
        """Note what cannot be made strict, and return what stands in its place."""
        self.fault(path, problem)
        return UNUSABLE

    def change(self, change: Change, path: str) -> None:
        """Note what was changed."""
        self.places.setdefault(change, []).append(path)

    def changes(self) -> tuple[str, ...]:
        """Name the changes, one sentence for each kind, with the first places."""
        return tuple(f"{_listed(paths)}: {change.text}" for change, paths in self.places.items() if change.text)

    def as_faults(self) -> tuple[Finding, ...]:
        """Name the changes as the faults that they would be in a schema that is sent unchanged."""
        return tuple(Finding(path, kind.remedy) for kind, paths in self.places.items() if kind.remedy for path in paths)


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def at(path: str, *keys: str | int) -> str:
    """Extend a JSON path: `$.properties.name`, `$.anyOf[0]`, `$.properties["two words"]`; long keys are cut."""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif len(key) > _KEY_SHOWN:
            path += f'["{key[:_KEY_SHOWN]}…"]'
        elif key.lstrip("$").isidentifier():
            path += f".{key}"
        else:
            path += f'["{key}"]'
    return path
