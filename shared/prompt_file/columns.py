"""Which column of a prompt file means what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.prompt_file.header import is_invisible, shown

_LISTED: Final = 20
_NAME_LENGTH: Final = 60
_IMAGE: Final = re.compile(r"image\d*")


class Meaning(StrEnum):
    """The columns that the app understands; all others are the user's own."""

    CUSTOM_ID = "custom_id"
    MODEL = "model"
    PROMPT = "prompt"
    SYSTEM = "system"
    REQUIRED = "required"
    SCHEMA = "schema"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a file mean: `meant` maps a meaning to its header, `own` are the user's own, in order.

    `images` are the headers of images, in the file's order. They count as own columns, too, and so does a column that
    the job's settings name for the custom id. Own columns are copied into the results.
    """

    meant: Mapping[Meaning, str]
    own: tuple[str, ...]
    images: tuple[str, ...] = ()


# Called for each key of each new kind of row, with the same few names over and over.
@lru_cache(maxsize=1024)
def column_key(header: str) -> str:
    """Return a header without case, white space, `_`, `-` and invisible characters, for comparisons."""
    key = "".join(header.split()).replace("_", "").replace("-", "").casefold()
    return key if key.isascii() else "".join(character for character in key if not is_invisible(character))


_MEANINGS: Final = {column_key(meaning): meaning for meaning in Meaning} | {"modelname": Meaning.MODEL}


def meaning_of(header: str) -> Meaning | None:
    """Return the meaning that a header's name has, None for the user's own."""
    key = column_key(header)
    return Meaning.IMAGE if _IMAGE.fullmatch(key) else _MEANINGS.get(key)


def columns_of(
    headers: Sequence[str], overrides: Mapping[str, str | None], values: frozenset[str] = frozenset()
) -> Columns:
    """Find the meaning of a table's headers, or of a JSON record's keys.

    `overrides` maps a meaning to the header that has it, whatever its name, or to None: no column has it, and one that
    is named like it is the user's own. `values` are the keys of columns that a template names: these have no meaning by
    their name, but for a custom id. Raises JobFault: `invalid_file` where two headers have the same meaning,
    `missing_column` where an override names a header that is not there.
    """
    return _columns_of(tuple(headers), tuple(overrides.items()), values)


# JSON records come with the same keys over and over; the few last kinds are enough.
@lru_cache(maxsize=64)
def _columns_of(
    headers: tuple[str, ...], overrides: tuple[tuple[str, str | None], ...], values: frozenset[str]
) -> Columns:
    meant = {Meaning(meaning): _find(headers, header, meaning) for meaning, header in overrides if header is not None}
    closed = {Meaning(meaning) for meaning, _ in overrides}
    claimed = set(meant.values())
    images: dict[str, str] = {}
    for header in headers:
        meaning = meaning_of(header)
        if meaning is None or meaning in closed or header in claimed:
            continue
        key = column_key(header)
        if meaning is not Meaning.CUSTOM_ID and key in values:
            continue
        named = images.get(key) if meaning is Meaning.IMAGE else meant.get(meaning)
        if named is not None:
            raise _same_meaning(named, header, meaning)
        if meaning is Meaning.IMAGE:
            images[key] = header
        else:
            meant[meaning] = header
    if (image := meant.pop(Meaning.IMAGE, None)) is not None:
        images[image] = image
    return Columns(meant, _own(headers, meant), tuple(header for header in headers if header in images.values()))


def _own(headers: tuple[str, ...], meant: Mapping[Meaning, str]) -> tuple[str, ...]:
    custom_id = meant.get(Meaning.CUSTOM_ID)
    own_id = custom_id if custom_id is not None and meaning_of(custom_id) is not Meaning.CUSTOM_ID else None
    taken = set(meant.values()) - {own_id}
    return tuple(header for header in headers if header not in taken)


def _same_meaning(first: str, second: str, meaning: Meaning) -> JobFault:
    return JobFault(
        JobCode.INVALID_FILE,
        f'The columns "{shown(first)}" and "{shown(second)}" both mean {meaning}. Rename or delete one of them, '
        f'or say in "columns" of _job.json which one it is.',
    )


def _find(headers: tuple[str, ...], wanted: str, meaning: str) -> str:
    """Find the header that an override names: as written, else ignoring case, spaces, `_` and `-`."""
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
        JobCode.MISSING_COLUMN,
        f'There is no column "{wanted}"{did_you_mean(wanted, headers)}, which "columns" of _job.json names for '
        f"{meaning}. The columns are {listed(headers)}.",
    )


def did_you_mean(wanted: str, headers: Sequence[str]) -> str:
    """Return ` (did you mean "…"?)` for the header that is most like a missing one, empty where none is."""
    keys = {column_key(header): header for header in reversed(headers)}
    near = get_close_matches(column_key(wanted), keys, 1, 0.75)
    return f' (did you mean "{shown(keys[near[0]][:_NAME_LENGTH])}"?)' if near else ""


def listed(names: Sequence[str]) -> str:
    """List column names for a message, twenty at most."""
    quoted = [f'"{shown(name[:_NAME_LENGTH])}"' for name in names[:_LISTED]]
    more = [f"and {len(names) - _LISTED} more"] if len(names) > _LISTED else []
    return ", ".join([*quoted, *more])
