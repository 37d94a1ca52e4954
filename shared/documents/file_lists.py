"""A `.files` list: patterns, one a line, and the blobs that they match, in order."""

import glob
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from shared.domain.model import BlobInfo
from shared.prompt_file import form_of

_WILD: Final = re.compile(r"[*?\[]")
_HIDDEN: Final = ("_", ".")


class InvalidPatternError(ValueError):
    """A line that is not a pattern; the text says why."""


@dataclass(frozen=True, slots=True)
class FilePattern:
    """One line of a list: the pattern from the container's root, and the literal beginning of all names it matches."""

    text: str
    prefix: str
    _matches: re.Pattern[str]

    def matches(self, name: str) -> bool:
        """Say whether the pattern takes a blob.

        Prompt files, and what begins with `_` or `.`, are taken only where the pattern spells that out: its last
        segment their extension or the character, another segment the folder's whole name.
        """
        return bool(self._matches.fullmatch(name)) and self._spells_out(name)

    def _spells_out(self, name: str) -> bool:
        *folders, last = self.text.split("/")
        *its_folders, its_last = name.split("/")
        if any(folder.startswith(_HIDDEN) and folder not in folders for folder in its_folders):
            return False
        if its_last.startswith(_HIDDEN) and not last.startswith(its_last[0]):
            return False
        return form_of(name) is None or last.lower().endswith(_extension(its_last))


def read_patterns(text: str, folder: str) -> list[FilePattern]:
    """Read a list's lines, relative to its folder or from the container's root with a leading `/`.

    Blank lines and those that begin with `#` are left out. Raises InvalidPatternError with the line's number.
    """
    lines = (line.strip() for line in text.split("\n"))
    return [_pattern(line, number, folder) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]


def matching(patterns: Iterable[FilePattern], blobs_under: Callable[[str], Iterable[BlobInfo]]) -> Iterator[BlobInfo]:
    """List the blobs that the patterns match, in the order of the patterns and then of names, each blob once."""
    seen: set[str] = set()
    for pattern in patterns:
        for blob in blobs_under(pattern.prefix):
            if blob.name not in seen and pattern.matches(blob.name):
                seen.add(blob.name)
                yield blob


def _pattern(line: str, number: int, folder: str) -> FilePattern:
    segments = line.split("/")
    if ".." in segments:
        raise InvalidPatternError(f"line {number}: a pattern cannot contain .., but can begin with / for the root")
    if segments[-1] in ("", "."):
        raise InvalidPatternError(f"line {number}: the pattern names no file")
    own = "/".join(segment for segment in segments if segment not in ("", "."))
    base = "" if line.startswith("/") or not folder else f"{folder.strip('/')}/"
    text = glob.escape(base) + own
    wild = _WILD.search(own)
    prefix = base + (own if wild is None else own[: wild.start()])
    return FilePattern(text, prefix, re.compile(glob.translate(text, recursive=True, include_hidden=True, seps="/")))


def _extension(name: str) -> str:
    stem, dot, extension = name.lower().rpartition(".")
    if extension == "gz":
        extension = f"{stem.rpartition('.')[2]}.gz"
    return f"{dot}{extension}"
