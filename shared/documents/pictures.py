"""Documents as requests carry them: images by their addresses, and texts."""

import re
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import pybase64

from shared.documents.image_files import MAX_BYTES, UnsupportedDocumentError, inspect_image
from shared.documents.image_tokens import image_tokens
from shared.documents.references import Reference, ReferenceKind, blob_address
from shared.json_codec import encode

MAX_TEXT: Final = 1024 * 1024
"""Bytes of a text document."""

_DATA_URL: Final = re.compile(r"data:image/(png|jpe?g|gif|webp);base64,")

_UNKNOWN_SIDE: Final = 1_024
"""Pixels of each side of an image that is not at hand, for the estimate."""


class Picture(NamedTuple):
    """One image of a request: its address as JSON text, and its size in pixels, 0 where that is not known."""

    url: bytes
    width: int = 0
    height: int = 0

    def tokens(self, model: str, detail: str) -> int:
        """Estimate the image's input tokens."""
        return image_tokens(model, self.width or _UNKNOWN_SIDE, self.height or _UNKNOWN_SIDE, detail)


class Documents(Protocol):
    """The blobs and web addresses that rows refer to; it raises what keeps a row from being sent."""

    def pictures(self, reference: Reference) -> Sequence[Picture]:
        """Return an image, or the pages of a PDF."""

    def text(self, reference: Reference) -> str:
        """Return a text document."""


@dataclass(frozen=True, slots=True)
class ByAddress:
    """Shows images of blobs by their addresses, as outcomes and errors.jsonl carry them, and texts not at all.

    `pages` has the number of images of each PDF that was sent.
    """

    pages: Mapping[Reference, int] = field(default_factory=dict)

    def pictures(self, reference: Reference) -> Sequence[Picture]:
        """Return an image's address, or one for each page of a PDF whose pages are known."""
        kind, address, page = reference
        if kind is not ReferenceKind.BLOB:
            return (Picture(encode(address)),)
        count = 0 if page else self.pages.get(reference, 0)
        numbers = range(1, count + 1) if count else (page,)
        return [Picture(encode(blob_address(address, number))) for number in numbers]

    def text(self, reference: Reference) -> str:
        """Return the text document's address."""
        return blob_address(reference.address)


def picture_of(data: bytes) -> Picture:
    """Return an image file as a data URL; raises UnsupportedDocumentError where it cannot be sent."""
    info = inspect_image(data)
    encoded = pybase64.b64encode(data)  # In a thirtieth of the standard library's time.
    return Picture(b"".join((b'"data:', info.media_type.encode(), b";base64,", encoded, b'"')), info.width, info.height)


def picture_of_url(url: str) -> Picture:
    """Return an image that is given as a data URL; raises UnsupportedDocumentError where it cannot be sent."""
    head = _DATA_URL.match(url)
    if head is None:
        raise UnsupportedDocumentError(
            "it does not begin as the data: URL of an image does, with data:image/png;base64, (or jpeg, gif, webp)"
        )
    if len(url) > MAX_BYTES // 3 * 4 + 100:
        raise UnsupportedDocumentError("it has more than 20 MB")
    try:
        data = a2b_base64(url[head.end() :], strict_mode=True)
    except ValueError:
        raise UnsupportedDocumentError("it is damaged: what follows base64, is not valid base64") from None
    info = inspect_image(data)
    return Picture(encode(url), info.width, info.height)


def text_of(data: bytes) -> str:
    """Return a text document's text; raises UnsupportedDocumentError where it is empty, too long or not UTF-8."""
    if len(data) > MAX_TEXT:
        raise UnsupportedDocumentError("it has more than 1 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnsupportedDocumentError(f"it is not UTF-8 (byte {error.start + 1} is wrong)") from None
    if not text or text.isspace():
        raise UnsupportedDocumentError("it is empty")
    return text
