"""The child process that renders PDFs: `python -m shared.documents.render_pages`, by way of its standard streams.

Once it is ready it says so, `{"ready": true}`. It reads a line of JSON, `{"size", "dpi", "page", "most"}`, and so many
bytes of a PDF. It writes `{"size"}` and the bytes of an image for each page, then `{"end": true}`, or `{"error"}` where
the PDF cannot be sent. Whatever happens in the renderer, and whatever it takes, ends this process alone.
"""

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final

import pypdfium2
from pypdfium2 import raw

SECONDS: Final = 60
"""How long one PDF may take."""

MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of address space, where the system lets a process limit itself."""

MAX_PIXELS: Final = 16_000_000
"""Pixels of a page; a larger one is rendered at a lower resolution."""

MAX_SIDE: Final = 16_000
MAX_BYTES: Final = 20 * 1024 * 1024
JPEG_QUALITY: Final = 88
_DEPTH: Final = 4


class UnusablePdfError(Exception):
    """A PDF that cannot be sent; the text says why."""


def images_of(data: bytes, dpi: int, page: int, most: int) -> Iterator[bytes]:
    """Render a PDF's pages, or only the one of the number `page`; raises UnusablePdfError."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        protected = getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD or "password" in str(error).lower()
        raise UnusablePdfError("it is protected by a password" if protected else "it is damaged") from None
    count = len(document)
    if page > count:
        raise UnusablePdfError(f"it has {_pages(count)}, and no page {page}")
    if not page and count > most:
        raise UnusablePdfError(f"it has {_pages(count)}; {most} are allowed")
    if not count:
        raise UnusablePdfError("it has no pages")
    with suppress(pypdfium2.PdfiumError):
        document.init_forms()  # Else what was filled into a form would not be seen.
    for place in [page - 1] if page else range(count):
        try:
            yield _image_of(document[place], dpi)
        except pypdfium2.PdfiumError:
            raise UnusablePdfError(f"its page {place + 1} is damaged") from None


def _image_of(page: Any, dpi: int) -> bytes:
    """Render a page: as JPEG where it holds pictures, as scans do, else as PNG, which keeps every letter sharp."""
    width, height = (max(side, 1.0) for side in page.get_size())
    scale = min(dpi / 72, (MAX_PIXELS / (width * height)) ** 0.5, MAX_SIDE / max(width, height))
    image = page.render(scale=scale).to_pil().convert("RGB")
    holds_pictures = any(True for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH))
    forms = [("JPEG", {"quality": JPEG_QUALITY})]
    if not holds_pictures:
        forms.insert(0, ("PNG", {}))
    for form, options in forms:
        file = io.BytesIO()
        image.save(file, form, **options)
        if file.tell() <= MAX_BYTES:
            return file.getvalue()
    raise UnusablePdfError("a page of it has more than 20 MB as an image")


def _pages(count: int) -> str:
    return f"{count} page" if count == 1 else f"{count} pages"


def _answer(ask: dict[str, Any], data: bytes, out: BinaryIO) -> None:
    watch = threading.Timer(SECONDS, os._exit, (3,))
    watch.daemon = True
    watch.start()
    try:
        for image in images_of(data, ask["dpi"], ask["page"], ask["most"]):
            _write(out, {"size": len(image)}, image)
        _write(out, {"end": True})
    except UnusablePdfError as error:
        _write(out, {"error": str(error)})
    except MemoryError:
        _write(out, {"error": "it takes too much memory to render"})
    finally:
        watch.cancel()


def _write(out: BinaryIO, line: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(line).encode() + b"\n" + data)
    out.flush()


def _limit_memory() -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer until the other side closes the stream."""
    _limit_memory()
    source, out = sys.stdin.buffer, sys.stdout.buffer
    _write(out, {"ready": True})
    while line := source.readline():
        ask = json.loads(line)
        _answer(ask, source.read(ask["size"]), out)


if __name__ == "__main__":
    main()
