"""A `.files` list: patterns, one a line, and the blobs that they match, in order."""

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.blob_names import is_possible
from shared.domain.model import BlobInfo
from shared.prompt_file import form_of

_WILD: Final = re.compile(r"[*?\[]")
_HIDDEN: Final = ("_", ".")
_FOLDERS: Final = ("/", "_$folder$")
"""How the names of blobs end that only mark a folder."""

_SHOWN: Final = 3
_SHOWN_LENGTH: Final = 100


class InvalidPatternError(ValueError):
    """A line that is not a pattern; the text says why."""


@dataclass(frozen=True, slots=True)
class FilePattern:
    """One line of a list: the pattern from the container's root, and the literal beginning of all names it matches."""

    text: str
    prefix: str
    line: int
    _matches: re.Pattern[str]
    _matches_in_any_case: re.Pattern[str]

    def matches(self, name: str) -> bool:
        """Return whether the pattern takes a blob.

        Prompt files, and what begins with `_` or `.`, are taken only where the pattern spells that out: its last
        segment their extension or the character, another segment the folder's whole name.
        """
        return bool(self._matches.fullmatch(name)) and self._spells_out(name)

    def matches_in_any_case(self, name: str) -> bool:
        """Return whether the pattern would take a blob if capital and small letters were the same."""
        return bool(self._matches_in_any_case.fullmatch(name)) and self._spells_out(name)

    def _spells_out(self, name: str) -> bool:
        *folders, last = self.text.split("/")
        *its_folders, its_last = name.split("/")
        if name.endswith(_FOLDERS):
            return False
        if any(folder.startswith(_HIDDEN) and folder not in folders for folder in its_folders):
            return False
        if its_last.startswith(_HIDDEN) and not last.startswith(its_last[0]):
            return False
        return form_of(name) is None or last.lower().endswith(_extension(its_last))


class FileList:
    """The blobs that a list's patterns match, in the order of the patterns and then of names, each blob once."""

    def __init__(self, patterns: Sequence[FilePattern], blobs_under: Callable[[str], Iterable[BlobInfo]]) -> None:
        """`blobs_under` lists the blobs whose names have a beginning, by name."""
        self._patterns = patterns
        self._blobs_under = blobs_under
        self._idle: list[FilePattern] = []
        self._in_other_case: dict[str, None] = {}

    def blobs(self) -> Iterator[BlobInfo]:
        """List the blobs."""
        seen: set[str] = set()
        for pattern in self._patterns:
            is_idle = True
            for blob in self._blobs_under(pattern.prefix):
                if pattern.matches(blob.name):
                    is_idle = False
                    self._in_other_case.pop(blob.name, None)
                    if blob.name not in seen:
                        seen.add(blob.name)
                        yield blob
                elif blob.name not in seen and pattern.matches_in_any_case(blob.name):
                    self._in_other_case[blob.name] = None
            if is_idle:
                self._idle.append(pattern)

    @property
    def warnings(self) -> list[str]:
        """What was left out and hardly meant, once all blobs were listed."""
        found = []
        if self._idle:
            count = len(self._idle)
            lines = _some([str(pattern.line) for pattern in self._idle])
            hint = " A comment needs a line of its own." if any(" #" in pattern.text for pattern in self._idle) else ""
            which = f"line {lines}" if count == 1 else f"lines {lines}"
            found.append(f"{_count(count, 'pattern')} of the list matched no file: {which}.{hint}")
        if self._in_other_case:
            names = _some([f"/{name}" for name in self._in_other_case])
            count = len(self._in_other_case)
            found.append(
                f"{_count(count, 'file')} {'was' if count == 1 else 'were'} left out, as the list's patterns differ in "
                f"capital and small letters: {names}."
            )
        return found


def read_patterns(text: str, folder: str) -> list[FilePattern]:
    """Read a list's lines, relative to its folder or from the container's root with a leading `/`.

    Blank lines and those that begin with `#` are left out. Raises InvalidPatternError with the line's number.
    """
    lines = (line.strip() for line in text.split("\n"))
    return [_pattern(line, number, folder) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]


def _pattern(line: str, number: int, folder: str) -> FilePattern:
    segments = line.split("/")
    if ".." in segments:
        raise InvalidPatternError(f"line {number}: a pattern cannot contain .., but can begin with / for the root")
    if segments[-1] in ("", "."):
        raise InvalidPatternError(f"line {number}: the pattern names no file")
    if any("**" in segment and segment != "**" for segment in segments):
        raise InvalidPatternError(f"line {number}: ** must stand alone between slashes, as in **/*.pdf")
    if not is_possible(line):
        raise InvalidPatternError(f"line {number}: no file can have such a name: it is too long, or not a text")
    own = "/".join(segment for segment in segments if segment not in ("", "."))
    base = "" if line.startswith("/") or not folder else f"{folder.strip('/')}/"
    text = glob.escape(base) + own
    wild = _WILD.search(own)
    prefix = base + (own if wild is None else own[: wild.start()])
    expression = glob.translate(text, recursive=True, include_hidden=True, seps="/")
    return FilePattern(text, prefix, number, re.compile(expression), re.compile(expression, re.IGNORECASE))


def _extension(name: str) -> str:
    stem, dot, extension = name.lower().rpartition(".")
    if extension == "gz":
        extension = f"{stem.rpartition('.')[2]}.gz"
    return f"{dot}{extension}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[-_SHOWN_LENGTH:] for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
