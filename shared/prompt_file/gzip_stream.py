"""gzip, as a stream: members that follow each other are read like one, as `gzip -d` does."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode

STEP: Final = 1024 * 1024
"""Bytes decompressed at a time: a small file that unpacks to a huge one meets the readers' limits, not memory's."""


def decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress chunks of any size; everything before damaged bytes is yielded before JobFault is raised."""
    member = _Member()
    for chunk in chunks:
        rest = chunk
        while rest:
            if member.ended:
                # Some tools pad the end of a member with zeros.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member = _Member()
            yield from member.feed(rest)
            rest = member.unused
    if member.begun and not member.ended:
        raise JobFault(JobCode.INVALID_FILE, "The compressed file ends too early. Upload it again, whole.")


class _Member:
    """One gzip member that is being decompressed."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.begun = False

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    @property
    def unused(self) -> bytes:
        return self._inflate.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes unpack to, in steps."""
        self.begun = True
        while data:
            before = self._inflate.copy()
            try:
                text = self._inflate.decompress(data, STEP)
            except zlib.error:
                # zlib drops what it unpacked before the damage: do it again, so that chunk sizes make no difference.
                yield from _up_to_damage(before, data)
                raise JobFault(
                    JobCode.INVALID_FILE,
                    "The file is not valid gzip: it is damaged, or not compressed at all. "
                    "Compress it again, or upload it without .gz in its name.",
                ) from None
            if text:
                yield text
            data = self._inflate.unconsumed_tail


def _up_to_damage(inflate: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    for place in range(len(data)):
        try:
            text = inflate.decompress(data[place : place + 1])
        except zlib.error:
            return
        if text:
            yield text
