"""The package of an `.xlsx`: a zip of XML parts, whose directory is not believed before a part was read to its end."""

import copy
import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

MAX_UNPACKED: Final = 2 * 1024 * 1024 * 1024
"""Bytes of all that a workbook holds, unpacked: enough for a million rows of text, too few for a zip bomb."""
MAX_SMALL_PART: Final = 16 * 1024 * 1024
"""Bytes of a part that is no table: the list of sheets, the styles, and the like."""

SHARED_STRINGS: Final = "xl/sharedstrings.xml"

_BOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_BLOCK: Final = 1024 * 1024


class PackageTooLargeError(Exception):
    """The package, or one of its parts, is larger than it may be; the text says what it does."""


class Package:
    """An open package. Every method may raise whatever a damaged zip or XML makes Python's modules raise."""

    def __init__(self, data: bytes) -> None:
        """Read the directory; raises PackageTooLargeError."""
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        entries = self._zip.infolist()
        # Excel and the reader of cells don't mind the case of a name, nor Windows' separators.
        self._entries = {entry.filename.replace("\\", "/").casefold(): entry for entry in entries}
        if len(self._entries) < len(entries):
            raise ValueError("a part is there twice")
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise PackageTooLargeError("unpacks to more than 2 GB")
        for name, entry in self._entries.items():
            small = posixpath.dirname(name) in ("", "_rels", "xl", "xl/_rels") and name != SHARED_STRINGS
            if small and name.endswith((".xml", ".rels")) and entry.file_size > MAX_SMALL_PART:
                raise PackageTooLargeError(f"has a part {name} of more than {MAX_SMALL_PART // 2**20} MB")

    def blocks(self, name: str) -> Iterator[bytes]:
        """Unpack a part, a block at a time; raises BadZipFile where it is not as long as the directory says.

        Gives nothing for a part that is not there: a workbook of numbers only has no shared texts.
        """
        found = self._entries.get(name.casefold())
        if found is None:
            return
        entry = copy.copy(found)
        said = entry.file_size
        # One byte more is asked for, so that a part that goes on is found out.
        entry.file_size = said + 1
        read = 0
        with self._zip.open(entry) as part:
            while block := part.read(_BLOCK):
                read += len(block)
                if read > said:
                    raise zipfile.BadZipFile("a part is longer than the directory says")
                yield block

    def path_of_sheet(self, index: int) -> str:
        """Find the part that holds a sheet (ECMA-376, part 1, 12.3.24: through its relationship)."""
        book = ElementTree.fromstring(b"".join(self.blocks(_BOOK)))
        sheets = [element for element in book.iter() if element.tag.endswith("}sheet")]
        relation = next(value for key, value in sheets[index].attrib.items() if key.endswith("}id"))
        relations = ElementTree.fromstring(b"".join(self.blocks(_RELATIONS)))
        target = next(element.attrib["Target"] for element in relations if element.attrib.get("Id") == relation)
        return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
