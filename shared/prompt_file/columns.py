"""Which column of a prompt file means what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode


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


def column_key(header: str) -> str:
    """Reduce a header to what is compared: case, white space, `_` and `-` don't count."""
    return "".join(header.split()).replace("_", "").replace("-", "").casefold()


_MEANINGS: Final = {column_key(meaning): meaning for meaning in Meaning} | {"modelname": Meaning.MODEL}


def columns_of(headers: Sequence[str], overrides: Mapping[str, str | None]) -> Columns:
    """Tell the meaning of a table's headers, or of a JSON record's keys.

    `overrides` maps a meaning to the header that has it, whatever its name, or to None: no column has it, and one that
    is named like it is the user's own. Raises JobFault: `invalid_file` where two headers have the same meaning,
    `missing_column` where an override names a header that is not there.
    """
    return _columns_of(tuple(headers), tuple(overrides.items()))


# JSON records come with the same keys over and over; the few last kinds are enough.
@lru_cache(maxsize=64)
def _columns_of(headers: tuple[str, ...], overrides: tuple[tuple[str, str | None], ...]) -> Columns:
    meant = {Meaning(meaning): _find(headers, header, meaning) for meaning, header in overrides if header is not None}
    closed = {Meaning(meaning) for meaning, _ in overrides}
    claimed = set(meant.values())
    for header in headers:
        meaning = _MEANINGS.get(column_key(header))
        if meaning is None or meaning in closed or header in claimed:
            continue
        if meaning in meant:
            raise JobFault(
                JobCode.INVALID_FILE,
                f'The columns "{meant[meaning]}" and "{header}" both mean {meaning}. Rename or delete one of them, '
                f'or say in "columns" of _job.json which one it is.',
            )
        meant[meaning] = header
    taken = set(meant.values())
    return Columns(meant, tuple(header for header in headers if header not in taken))


def _find(headers: tuple[str, ...], wanted: str, meaning: str) -> str:
    """Find the header that an override names: as it is written, else without regard to what does not count."""
    if wanted in headers:
        return wanted
    found = [header for header in headers if column_key(header) == column_key(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise JobFault(
            JobCode.INVALID_FILE,
            f'The columns "{found[0]}" and "{found[1]}" both fit "{wanted}", which _job.json names for {meaning}. '
            "Write it exactly as in the file.",
        )
    raise JobFault(
        JobCode.MISSING_COLUMN, f'There is no column "{wanted}", which "columns" of _job.json names for {meaning}.'
    )
