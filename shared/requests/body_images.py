"""The images of blobs in ready-made requests: found by their `blob:` addresses, and put in their places."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from shared.documents.pictures import Picture
from shared.documents.references import InvalidReferenceError, Reference, read_blob_address
from shared.domain.errors import UnsendableError
from shared.domain.model import CHAT_URLS, RowCode
from shared.requests.skeleton import RawJson

_SCHEME: Final = "blob:"
_TYPES: Final = ("image_url", "input_image")

type Part = Mapping[str, object]


def blob_images(body: Mapping[str, object], url: str) -> list[Reference]:
    """List the images of blobs in a request's messages; raises UnsendableError for an invalid address."""
    return [_reference(address) for part in _parts(body, url) if (address := _address_of(part))]


def count_images(body: Mapping[str, object], url: str) -> int:
    """Count all images in a request's messages."""
    return sum(part.get("type") in _TYPES for part in _parts(body, url))


def with_pictures(body: Mapping[str, object], url: str, pictures: Sequence[Sequence[Picture]]) -> dict[str, object]:
    """Return the body with the pictures of each blob in its place; those of a PDF's pages follow one another.

    `pictures` are given in the order of `blob_images`. The body is to be written with `skeleton.serialised`.
    """
    following = iter(pictures)
    key = _messages_key(url)
    messages = [_with_pictures(message, following) for message in _list(body.get(key))]
    return {**body, key: messages}


def _with_pictures(message: object, following: Iterator[Sequence[Picture]]) -> object:
    if not isinstance(message, Mapping) or not isinstance(content := message.get("content"), list):
        return message
    parts: list[object] = []
    for part in content:
        if isinstance(part, Mapping) and _address_of(part):
            parts += [_at(part, picture) for picture in next(following)]
        else:
            parts.append(part)
    return {**message, "content": parts}


def _at(part: Part, picture: Picture) -> Part:
    """Return an image's part with another address."""
    given = part["image_url"]
    url = RawJson(picture.url)
    return {**part, "image_url": {**given, "url": url} if isinstance(given, Mapping) else url}


def _parts(body: Mapping[str, object], url: str) -> Iterator[Part]:
    for message in _list(body.get(_messages_key(url))):
        content = message.get("content") if isinstance(message, Mapping) else None
        yield from (part for part in _list(content) if isinstance(part, Mapping))


def _address_of(part: Part) -> str:
    """Return an image's `blob:` address, empty where the part is something else."""
    given = part.get("image_url") if part.get("type") in _TYPES else None
    address = given.get("url") if isinstance(given, Mapping) else given
    return address if isinstance(address, str) and address[:5].lower() == _SCHEME else ""


def _reference(address: str) -> Reference:
    try:
        return read_blob_address(_SCHEME + address[len(_SCHEME) :])
    except InvalidReferenceError as error:
        raise UnsendableError(RowCode.IMAGE_UNSUPPORTED, f"An image of the request cannot be sent: {error}.") from None


def _messages_key(url: str) -> str:
    return "messages" if url in CHAT_URLS else "input"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
