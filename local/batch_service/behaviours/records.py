"""The records of what the service does, what it does otherwise, and what it lacks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """One thing that the service does as the real one does, its source, and the test that holds it to that."""

    area: str
    text: str
    source: str
    test: str


@dataclass(frozen=True)
class Difference:
    """One thing that is otherwise here than there, or that is unknown of the real service."""

    here: str
    there: str
    source: str


@dataclass(frozen=True)
class Absent:
    """One thing that is not emulated; calls of it are answered with 501."""

    what: str
    source: str


def rows(area: str, *told: tuple[str, str, str]) -> list[Behaviour]:
    """Return the behaviours of one area, each told as text, source and test."""
    return [Behaviour(area, text, source, test) for text, source, test in told]
