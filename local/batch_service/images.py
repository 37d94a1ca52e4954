"""The images of a request: what the service refuses of them, and what their file may be called."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]

MAX_IMAGES = 50
MAX_BYTES = 20 * 1024 * 1024
KINDS = ("png", "jpeg", "gif", "webp")
FORMATS = (
    f"You uploaded an unsupported image. Please make sure your image has of one the following formats: {list(KINDS)}."
)


def addresses(body: Body, responses: bool) -> list[object]:
    """Return the addresses of all images in the messages."""
    return list(_addresses(body, responses))


def fault(body: Body, responses: bool) -> tuple[str, str] | None:
    """Return the text and the code of the first fault of a request's images, or None."""
    found = addresses(body, responses)
    if len(found) > MAX_IMAGES:
        return f"Too many images in request. Max is {MAX_IMAGES}.", "BadRequest"
    return next((wrong for address in found if (wrong := _fault_of(address)) is not None), None)


def file_words(custom_id: str) -> str:
    """Return a file's name as words, for answers about a document: `in/acme-trading-0815.pdf` is `Acme Trading`."""
    stem, dot, _ = custom_id.rpartition("/")[2].rpartition(".")
    words = stem.replace("-", " ").replace("_", " ").split() if dot else []
    return " ".join(word.title() for word in words if word.isalpha())


def _addresses(body: Body, responses: bool) -> Iterator[object]:
    messages = body.get("input" if responses else "messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") in ("image_url", "input_image"):
                given = part.get("image_url")
                yield given.get("url") if isinstance(given, dict) else given


def _fault_of(address: object) -> tuple[str, str] | None:
    if not isinstance(address, str) or not address:
        return "Missing required parameter: 'image_url'.", "missing_required_parameter"
    if address.startswith(("https://", "http://")):
        return None
    head, comma, text = address.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64") or not comma:
        return "Invalid image URL: it must be an http(s) address or a data URL in base64.", "invalid_image_url"
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "Invalid base64 image_url.", "invalid_base64"
    if len(data) > MAX_BYTES:
        return f"The image has more than {MAX_BYTES} bytes.", "image_too_large"
    kind = _kind_of(data)
    if kind is None:
        return FORMATS, "invalid_image_format"
    return None if _is_whole(kind, data) else ("Invalid image data.", "BadRequest")


def _kind_of(data: bytes) -> str | None:
    starts = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in starts.items() if data.startswith(start)), None)


def _is_whole(kind: str, data: bytes) -> bool:
    """Tell whether a file has its end, which is all that is looked at: no pixel is decoded."""
    if kind == "webp":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return {"png": b"IEND", "jpeg": b"\xff\xd9", "gif": b";"}[kind] in data[-64 * 1024 :]
