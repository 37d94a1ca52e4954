"""Images and PDFs made up for tests and benchmarks."""

import io
from typing import Any

from PIL import Image, PngImagePlugin


def image(form: str = "PNG", size: tuple[int, int] = (60, 40), color: str = "teal", **options: Any) -> bytes:
    """Return a picture of one color."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, form, **options)
    return file.getvalue()


def pdf(pages: int = 1, size: tuple[int, int] = (60, 40)) -> bytes:
    """Return a PDF with a picture on each page."""
    others = [Image.new("RGB", size, "olive") for _ in range(pages - 1)]
    return image("PDF", size, save_all=True, append_images=others)


def png_note(text: str) -> PngImagePlugin.PngInfo:
    """Return a text to be written into a PNG."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("note", text)
    return notes


def large_png(size: int) -> bytes:
    """Return a small picture that takes so many bytes, about."""
    notes = PngImagePlugin.PngInfo()
    notes.add(b"teSt", bytes(size))
    return image(pnginfo=notes)
