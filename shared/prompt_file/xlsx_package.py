"""The package of an `.xlsx`: a zip of XML parts that name each other (ECMA-376, part 2).

The sizes in the zip's directory are checked against what each part really unpacks to.
"""

import copy
import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree

MAX_UNPACKED: Final = 2 * 1024 * 1024 * 1024
"""Bytes of all that a workbook holds, unpacked: enough for a million rows of text, too few for a zip bomb."""
MAX_SMALL_PART: Final = 16 * 1024 * 1024
"""Bytes of a part that is read whole: the list of sheets, the styles, and the like."""

_BLOCK: Final = 256 * 1024


class PackageTooLargeError(Exception):
    """The package, or one of its parts, is larger than it may be; the text says what it does."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One part that another names: by what id, as what kind (`worksheet`, `styles`, …), and its path."""

    id: str
    kind: str
    path: str


class Package:
    """An open package. Every method may raise whatever a damaged zip or XML makes Python's modules raise."""

    def __init__(self, data: bytes) -> None:
        """Read the directory; raises PackageTooLargeError."""
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        entries = self._zip.infolist()
        # Excel doesn't mind the case of a name, nor Windows' separators.
        self._entries = {_key(entry.filename): entry for entry in entries}
        if len(self._entries) < len(entries):
            raise ValueError("a part is there twice")
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise PackageTooLargeError("unpacks to more than 2 GB")

    def __contains__(self, path: str) -> bool:
        return _key(path) in self._entries

    def blocks(self, path: str) -> Iterator[bytes]:
        """Unpack a part, a block at a time; raises BadZipFile where it is not as long as the directory says.

        Gives nothing for a part that is not there: a workbook of numbers only has no shared texts.
        """
        found = self._entries.get(_key(path))
        if found is None:
            return
        entry = copy.copy(found)
        said = entry.file_size
        # Ask for one byte more, to notice a part that is longer than the directory says.
        entry.file_size = said + 1
        read = 0
        with self._zip.open(entry) as part:
            while block := part.read(_BLOCK):
                read += len(block)
                if read > said:
                    raise zipfile.BadZipFile("a part is longer than the directory says")
                yield block

    def xml(self, path: str) -> ElementTree.Element:
        """Read a small part whole; raises PackageTooLargeError, and KeyError where it is not there."""
        entry = self._entries[_key(path)]
        if entry.file_size > MAX_SMALL_PART:
            raise PackageTooLargeError(f"has a part {path} of more than {MAX_SMALL_PART // 2**20} MB")
        return ElementTree.fromstring(b"".join(self.blocks(path)))

    def relations(self, path: str) -> list[Relation]:
        """List the parts that a part names, those of the package itself for the path "" (part 2, 6.5.3)."""
        folder, name = posixpath.split(path)
        own = posixpath.join(folder, "_rels", f"{name}.rels")
        if own not in self:
            return []
        return [
            Relation(
                element.attrib.get("Id", ""),
                element.attrib.get("Type", "").rpartition("/")[2],
                _resolved(folder, element.attrib.get("Target", "")),
            )
            for element in self.xml(own)
            if element.attrib.get("TargetMode") != "External"
        ]


def _key(path: str) -> str:
    return path.replace("\\", "/").lstrip("/").casefold()


def _resolved(folder: str, target: str) -> str:
    """Resolve a relative reference to a part against the folder of the part that holds it."""
    return posixpath.normpath(posixpath.join("/", folder, unquote(target.replace("\\", "/")))).lstrip("/")
