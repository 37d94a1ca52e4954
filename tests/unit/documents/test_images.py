"""Images: their kind and size from their bytes, why some cannot be sent, and what they cost."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.image_files import MAX_BYTES, ImageInfo, UnsupportedDocumentError, inspect_image
from shared.documents.image_tokens import image_tokens


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 3, height: int = 2, *between: bytes) -> bytes:
    """A PNG with further chunks before its pixels."""
    pixels = zlib.compress(b"".join(b"\0" + b"\0" * width for _ in range(height)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(between) + chunk(b"IDAT", pixels) + chunk(b"IEND")


def jpeg(width: int = 3, height: int = 2, marker: int = 0xC0) -> bytes:
    """The segments of a JPEG, without its pixels."""
    size = struct.pack(">BBHBHHB3x", 0xFF, marker, 11, 8, height, width, 1)
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xdb\x00\x04ab" + size + b"\xff\xda\x00\x02" + b"pixels" + b"\xff\xd9"


def gif(frames: int = 1) -> bytes:
    """A GIF with so many frames."""
    frame = b"!\xf9\x04\0\0\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 3, 2, 0) + b"\x02\x02ab\0"
    return b"GIF89a" + struct.pack("<HHBBB", 3, 2, 0x80, 0, 0) + b"\0" * 6 + frame * frames + b";"


LOSSY = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 3, 2)
LOSSLESS = b"\x2f" + struct.pack("<I", 2 | 1 << 14)


def webp(*kinds_and_bodies: bytes) -> bytes:
    """A WebP of chunks, each given as its kind and its body."""
    chunks = b""
    for kind, body in zip(kinds_and_bodies[::2], kinds_and_bodies[1::2], strict=True):
        chunks += kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _told(data: bytes) -> str:
    """Why an image is refused; `read` where it is not."""
    try:
        inspect_image(data)
    except UnsupportedDocumentError as error:
        return str(error)
    return "read"


GOOD = {
    "png": (png(), "image/png"),
    "jpeg": (jpeg(), "image/jpeg"),
    "progressive jpeg": (jpeg(marker=0xC2), "image/jpeg"),
    "gif": (gif(), "image/gif"),
    "webp lossy": (webp(b"VP8 ", LOSSY), "image/webp"),
    "webp lossless": (webp(b"VP8L", LOSSLESS), "image/webp"),
    "webp extended": (
        webp(b"VP8X", b"\0\0\0\0" + b"\x02\0\0" + b"\x01\0\0", b"ALPH", b"odd", b"VP8L", LOSSLESS),
        "image/webp",
    ),
}


@pytest.mark.parametrize("kind", GOOD)
def test_an_images_kind_and_size_are_read_from_its_bytes(kind: str) -> None:
    data, media_type = GOOD[kind]
    assert inspect_image(data) == ImageInfo(media_type, 3, 2)


@pytest.mark.parametrize("kind", GOOD)
def test_an_image_that_is_cut_off_anywhere_is_refused_or_read_and_never_crashes(kind: str) -> None:
    data, _ = GOOD[kind]
    for end in range(len(data)):
        assert _told(data[:end]) in ("read", "it is empty") or "damaged" in _told(data[:end]) or end < 16


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (png(3, 2, chunk(b"acTL", b"\0" * 8)), "animated"),
        (gif(2), "animated"),
        (webp(b"VP8X", b"\x02\0\0\0" + b"\x02\0\0" + b"\x01\0\0"), "animated"),
        (png()[:-12], "ends early"),
        (png()[:-20] + b"x" + png()[-19:], "checksum"),
        (png().replace(b"IHDR", b"IDHR"), "header cannot be read"),
        (png()[:33] + png()[-12:], "no pixels"),
        (jpeg()[:-2], "ends early"),
        (jpeg()[:2] + b"\xff\xe1\x00\x06ab\xff\xd9" + jpeg()[2:-2], "ends early"),
        (jpeg()[:-2] + b"\0" * 100_000, "ends early"),
        (b"\xff\xd8\xff\xda\x00\x02pixels\xff\xd9", "header cannot be read"),
        (b"\xff\xd8\xff\xe0\x00\x04ab", "header cannot be read"),
        (jpeg().replace(b"\xff\xdb", b"\0\0"), "header cannot be read"),
        (jpeg(0, 3), "no pixels"),
        (gif(0), "no pixels"),
        (webp(b"VP8 ", LOSSY)[:-2], "ends early"),
        (webp(b"VP8 ", b"\0" * 10), "no pixels"),
        (webp(b"VP8X", b"\0\0\0\0" + b"\x02\0\0" + b"\x01\0\0"), "no pixels"),
        (png(0, 2), "no pixels"),
        (b"%PDF-1.7", "a PDF under another name"),
        (b"II*\0", "TIFF"),
        (b"BM", "BMP"),
        (b"<svg xmlns=''/>", "SVG"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"hello", "another kind of file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * MAX_BYTES, "20 MB"),
    ],
)
def test_what_the_service_would_refuse_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnsupportedDocumentError, match=reason):
        inspect_image(data)


@given(
    st.sampled_from([data for data, _ in GOOD.values()]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=8),
)
def test_no_damage_to_an_images_bytes_ends_in_anything_but_a_reason(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    assert _told(bytes(damaged))


def test_what_follows_an_images_end_does_not_matter() -> None:
    film = b"\0\0\0\x18ftypmp42" + b"\0" * 200_000  # As phones append one to a photo.
    for data in (png(), jpeg(), gif(), webp(b"VP8L", LOSSLESS)):
        assert inspect_image(data + film) == inspect_image(data)


def test_what_stands_between_the_segments_of_a_jpeg_does_not_matter() -> None:
    assert inspect_image(jpeg()[:8] + b"\0\0ab\xff\0\xff\xff" + jpeg()[8:]) == inspect_image(jpeg())


def test_damage_to_what_no_decoder_needs_does_not_matter() -> None:
    note = bytearray(chunk(b"tEXt", b"note\0text"))
    note[-1] ^= 1
    assert _told(png(3, 2, bytes(note))) == "read"


def test_real_libraries_images_are_read() -> None:
    image_module = pytest.importorskip("PIL.Image")
    for form, media_type in (
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
    ):
        buffer = io.BytesIO()
        image_module.new("RGB", (321, 123), "teal").save(buffer, form)
        assert inspect_image(buffer.getvalue()) == ImageInfo(media_type, 321, 123)


@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "tokens"),
    [
        ("gpt-4o", 1024, 1024, "high", 765),
        ("gpt-4o-2024-08-06", 2048, 4096, "high", 1105),
        ("gpt-4o", 4096, 8192, "low", 85),
        ("gpt-4o", 512, 512, "auto", 255),
        ("gpt-4.1", 1024, 1024, "high", 765),
        ("gpt-4o-mini", 512, 512, "high", 2833 + 5667),
        ("gpt-4.1-mini", 1024, 1024, "high", 1659),
        ("gpt-4.1-mini", 1800, 2400, "high", 2353),
        ("gpt-5.4-mini-2026-03-17", 1024, 1024, "auto", 1659),
        ("gpt-5-nano", 1024, 1024, "low", 2520),
        ("o4-mini", 1024, 1024, "high", 1762),
        ("gpt-5", 1024, 1024, "high", 70 + 4 * 140),
        ("gpt-5.4", 1600, 1600, "high", 3000),
        ("o3", 512, 512, "high", 225),
        ("my-deployment", 512, 512, "high", 255),
    ],
)
def test_an_image_costs_what_the_published_formula_says(
    model: str, width: int, height: int, detail: str, tokens: int
) -> None:
    assert image_tokens(model, width, height, detail) == tokens


@given(st.integers(1, 65_000), st.integers(1, 65_000), st.sampled_from(["gpt-4o", "gpt-4.1-mini", "gpt-5.4", "o3"]))
def test_no_size_costs_more_than_the_models_budget(width: int, height: int, model: str) -> None:
    assert 1 <= image_tokens(model, width, height, "high") <= 3_000
