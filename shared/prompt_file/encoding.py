"""Bytes → text: which encoding a prompt file has, and what to tell the person whose file has another.

UTF-8 with or without a byte order mark is read everywhere, UTF-16 with one in tables only.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode

REMEDY: Final = "Save the file again as UTF-8 (in Excel: Save As, CSV UTF-8)"

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def sniff(chunks: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
    """Tell a text file's encoding by its first bytes, and give its chunks without the byte order mark.

    Raises JobFault (`not_utf8`) for UTF-32, and for UTF-16 without a mark, which is valid UTF-8 full of NULs.
    """
    source = iter(chunks)
    head = b""
    while len(head) < 4 and (chunk := next(source, None)) is not None:
        head += chunk
    if head.startswith(codecs.BOM_UTF32_LE):
        raise JobFault(JobCode.NOT_UTF8, f"The file is UTF-32. {REMEDY}.")
    if _alternates_with_nul(head):
        raise JobFault(JobCode.NOT_UTF8, f"The file looks like UTF-16 without a byte order mark. {REMEDY}.")
    if encoding := _UTF16.get(head[:2]):
        return encoding, chain((head[2:],), source)
    return "utf-8", chain((head.removeprefix(codecs.BOM_UTF8),), source)


def sniff_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the chunks of a UTF-8 file without its byte order mark; JobFault (`not_utf8`) for another encoding."""
    encoding, body = sniff(chunks)
    if encoding != "utf-8":
        raise JobFault(JobCode.NOT_UTF8, f"The file is UTF-16, which is read in .csv and .tsv only. {REMEDY}.")
    return body


def decode(encoding: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """Decode chunks, however they are cut; what stands before a wrong byte is given before JobFault is raised."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    fed = line = 0
    for chunk in chain(chunks, (None,)):
        fed += len(chunk or b"")
        try:
            text = decoder.decode(chunk or b"", final=chunk is None)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(encoding)
            yield good
            raise _not_decodable(encoding, line + good.count("\n") + 1, fed - len(error.object) + error.start) from None
        line += text.count("\n")
        yield text


def _not_decodable(encoding: str, line: int, offset: int) -> JobFault:
    """Describe a byte that does not belong to the encoding; `line` counts from 1, `offset` from 0."""
    return JobFault(
        JobCode.NOT_UTF8,
        f"The file is not valid {encoding.upper().removesuffix('-LE').removesuffix('-BE')}:"
        f" line {line} holds a wrong byte (number {offset + 1} of the file, byte order mark not counted). {REMEDY}.",
    )


def _alternates_with_nul(head: bytes) -> bool:
    """Whether four bytes look like two ASCII characters in UTF-16."""
    if len(head) < 4:
        return False
    first, second, third, fourth = head[:4]
    return (bool(first and third) and not second and not fourth) or (
        bool(second and fourth) and not first and not third
    )
