"""Bytes → text: UTF-8 with or without a byte order mark, or UTF-16 with one; other encodings get a clear error."""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.prompt_file.look_alikes import check_magic

REMEDY: Final = "Save the file again as UTF-8 (in Excel: Save As, CSV UTF-8)"

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def sniff(chunks: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
    """Find a text file's encoding by its first bytes; return it and the chunks without the byte order mark.

    Raises JobFault (`not_utf8`) for UTF-32, for UTF-16 without a mark, which is valid UTF-8 full of NULs, and for
    binary forms.
    """
    source = iter(chunks)
    head = b""
    while len(head) < 8 and (chunk := next(source, None)) is not None:
        head += chunk
    if head.startswith(codecs.BOM_UTF32_LE):
        raise JobFault(JobCode.NOT_UTF8, f"The file is UTF-32. {REMEDY}.")
    if _alternates_with_nul(head):
        raise JobFault(JobCode.NOT_UTF8, f"The file looks like UTF-16 without a byte order mark. {REMEDY}.")
    check_magic(head)
    if encoding := _UTF16.get(head[:2]):
        return encoding, chain((head[2:],), source)
    return "utf-8", chain((head.removeprefix(codecs.BOM_UTF8),), source)


def as_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the chunks of a text file in UTF-8, without a byte order mark; UTF-8 itself is not checked."""
    encoding, body = sniff(chunks)
    return body if encoding == "utf-8" else (text.encode() for text in decode(encoding, body))


def decode(encoding: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """Decode chunks of any size; the text before a wrong byte is yielded before JobFault is raised."""
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
    """Return whether four bytes look like two ASCII characters in UTF-16."""
    if len(head) < 4:
        return False
    first, second, third, fourth = head[:4]
    return (bool(first and third) and not second and not fourth) or (
        bool(second and fourth) and not first and not third
    )
