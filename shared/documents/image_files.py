"""What an image file is, read from its bytes without decoding a pixel: its kind, its size, and whether it can be sent.

Damage is found where it costs little: by checksums (PNG), and by what the parts of a file say about their own lengths.

Sources: PNG (W3C), JPEG (ITU-T T.81), GIF89a, WebP (RFC 9649).
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 20 * 1024 * 1024
"""The largest image that the service takes."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_NEEDED: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
"""The chunks without which a PNG cannot be shown; decoders pass over damage in the others."""

_JPEG_SIZES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_TABLES: Final = 0xDB
"""Quantization tables, without which no pixel can be computed."""

_JPEG_BARE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})


class UnsupportedDocumentError(ValueError):
    """A document that cannot be sent; the text says why, and names no content."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image's media type, and its size in pixels."""

    media_type: str
    width: int
    height: int


def inspect_image(data: bytes) -> ImageInfo:
    """Read an image's kind and size; raise UnsupportedDocumentError where it cannot be sent.

    It is refused where it is another kind of file, animated, larger than 20 MB, without pixels, cut off or damaged.
    """
    if len(data) > MAX_BYTES:
        raise UnsupportedDocumentError(f"it has {len(data):,} bytes; 20 MB are allowed")
    if not data:
        raise UnsupportedDocumentError("it is empty")
    try:
        info = _inspected(data)
    except (struct.error, IndexError):
        raise UnsupportedDocumentError("it is damaged: it ends early") from None
    if not info.width or not info.height:
        raise UnsupportedDocumentError("it is damaged: it has no pixels")
    return info


def _inspected(data: bytes) -> ImageInfo:
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return _gif(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    raise UnsupportedDocumentError(f"{_other_kind(data)}; PNG, JPEG, WebP, GIF and PDF can be sent")


def _png(data: bytes) -> ImageInfo:
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR":
        raise UnsupportedDocumentError("it is damaged: its header cannot be read")
    view = memoryview(data)
    position, has_pixels = 8, False
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind == b"acTL":
            raise UnsupportedDocumentError("it is animated")
        if end > len(data):
            raise UnsupportedDocumentError("it is damaged: it ends early")
        if kind in _PNG_NEEDED and view[end - 4 : end] != zlib.crc32(view[position + 4 : end - 4]).to_bytes(4):
            raise UnsupportedDocumentError("it is damaged: a checksum in it is wrong")
        has_pixels = has_pixels or kind == b"IDAT"
        if kind == b"IEND":
            return ImageInfo("image/png", width, height) if has_pixels else ImageInfo("image/png", 0, 0)
        position = end


def _jpeg(data: bytes) -> ImageInfo:
    position, height, width = 2, 0, 0
    has_tables = is_sound = False
    while True:
        # What stands between segments is passed over, as decoders do.
        position = data.find(b"\xff", position)
        kind = data[position + 1] if position >= 0 else 0xD9
        if kind == 0xFF:
            position += 1
            continue
        if kind in _JPEG_BARE:
            position += 2
            continue
        if kind in (0xD9, 0xDA):  # The pixels begin, or the file is over without any.
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        if kind in _JPEG_SIZES:
            height, width, components = struct.unpack_from(">HHB", data, position + 5)
            is_sound = length == 8 + 3 * components
        has_tables = has_tables or kind == _JPEG_TABLES
        position += 2 + length
    if not (has_tables and is_sound):
        raise UnsupportedDocumentError("it is damaged: its header cannot be read")
    # The end mark mostly is at the end, but some phones append a film.
    if data.rfind(b"\xff\xd9", max(position, len(data) - 1024)) < 0 and data.find(b"\xff\xd9", position) < 0:
        raise UnsupportedDocumentError("it is damaged: it ends early")
    return ImageInfo("image/jpeg", width, height)


def _gif(data: bytes) -> ImageInfo:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    frames = 0
    while data[position] != 0x3B:
        if data[position] == 0x21:
            position += 2
        elif data[position] == 0x2C:
            frames += 1
            if frames > 1:
                raise UnsupportedDocumentError("it is animated")
            local = data[position + 9]
            position += 11 + (3 << ((local & 7) + 1) if local & 0x80 else 0)
        else:
            raise UnsupportedDocumentError("it is damaged: its blocks cannot be read")
        while data[position]:  # Sub-blocks, each after its length.
            position += 1 + data[position]
        position += 1
    return ImageInfo("image/gif", width, height) if frames else ImageInfo("image/gif", 0, 0)


def _webp(data: bytes) -> ImageInfo:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise UnsupportedDocumentError("it is damaged: it ends early")
    width = height = 0
    position = 12
    while position + 8 <= size + 8:
        kind, length = struct.unpack_from("<4sI", data, position)
        start = position + 8
        position = start + length + length % 2
        if start + length > len(data):
            raise UnsupportedDocumentError("it is damaged: it ends early")
        if kind == b"VP8X" and data[start] & 0x02:
            raise UnsupportedDocumentError("it is animated")
        if kind == b"VP8 " and data[start + 3 : start + 6] == b"\x9d\x01\x2a":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, start + 6))
        elif kind == b"VP8L" and data[start] == 0x2F:
            (bits,) = struct.unpack_from("<I", data, start + 1)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return ImageInfo("image/webp", width, height)


def _other_kind(data: bytes) -> str:
    """Say what a file is instead, as far as its first bytes tell."""
    for start, name in _OTHERS:
        if data.startswith(start):
            return f"it is {name}"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return "it is a HEIC or AVIF image"
    return "it is another kind of file"


_OTHERS: Final = (
    (b"%PDF-", "a PDF under another name"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"BM", "a BMP image"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
)
