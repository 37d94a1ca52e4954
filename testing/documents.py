"""Images and PDFs made up for tests and benchmarks."""

import io
import os
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


def noise(size: tuple[int, int]) -> bytes:
    """Return a PNG that no other is like, of three bytes for each pixel."""
    file = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1])).save(file, "PNG", compress_level=0)
    return file.getvalue()


def animation() -> bytes:
    """Return a GIF of two pictures that differ."""
    return image("GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "olive")])


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
