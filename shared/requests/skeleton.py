"""Requests that differ only in their texts: what they share is serialised once, and the texts are spliced in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.job_settings.templates import Template
from shared.json_codec import encode


class Slot:
    """The place of a row's own prompt."""


class ImagesSlot:
    """The place of a row's images, within a list of parts."""


SLOT = Slot()
IMAGES = ImagesSlot()

type Text = Template | Slot | ImagesSlot


@dataclass(frozen=True, slots=True)
class RequestSkeleton:
    """A request without its custom id and its texts.

    `parts` are the bytes around the texts, one more than there are texts; the first follows the custom id.
    """

    model: str
    url: str
    schema: int
    parts: tuple[bytes, ...]
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class RawJson:
    """A value that is serialised already."""

    text: bytes


def skeleton_of(url: str, body: Mapping[str, object], schema: int) -> RequestSkeleton:
    """Serialise a request around its texts: Template, SLOT and IMAGES stand for these, at any depth."""
    parts = [b""]
    texts: list[Text] = []
    for piece in _pieces({"method": "POST", "url": url, "body": body}):
        if isinstance(piece, bytes):
            parts[-1] += piece
        else:
            texts.append(piece)
            parts.append(b"")
    parts[0] = b"," + parts[0].removeprefix(b"{")
    return RequestSkeleton(str(body["model"]), url, schema, tuple(parts), tuple(texts))


def serialised(value: Mapping[str, object]) -> bytes:
    """Write a value in which RawJson stands for what is serialised already."""
    return b"".join(piece for piece in _pieces(value) if isinstance(piece, bytes))


def _pieces(value: object) -> Iterator[bytes | Text]:
    if isinstance(value, Template | Slot | ImagesSlot):
        yield value
    elif isinstance(value, RawJson):
        yield value.text
    elif isinstance(value, Mapping):
        yield from _members(value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield b"["
        for number, item in enumerate(value):
            yield b"," if number else b""
            yield from _pieces(item)
        yield b"]"
    else:
        yield encode(value)


def _members(value: Mapping[str, object]) -> Iterator[bytes | Text]:
    yield b"{"
    for number, (key, item) in enumerate(value.items()):
        yield (b"," if number else b"") + encode(key) + b":"
        yield from _pieces(item)
    yield b"}"
