"""The images in ready-made requests: those of blobs are found by their `blob:` addresses, and put in their places."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from shared.documents.image_files import UnsupportedDocumentError
from shared.documents.pictures import Picture, picture_of_url
from shared.documents.references import InvalidReferenceError, Reference, read_blob_address
from shared.domain.errors import UnsendableError
from shared.domain.model import CHAT_URLS, RowCode
from shared.json_codec import encode
from shared.requests.skeleton import RawJson

_SCHEME: Final = "blob:"
_TYPES: Final = ("image_url", "input_image")
_NOTHING: Final = Picture(b"null")

type Part = Mapping[str, object]


def blob_images(body: Mapping[str, object], url: str) -> list[Reference]:
    """List the images of blobs in a request's messages; raises UnsendableError for an invalid address."""
    return [_reference(address) for part in _images(body, url) if (address := _blob_address(part))]


def has_images(body: Mapping[str, object], url: str) -> bool:
    """Return whether there are images in a request's messages."""
    return any(True for _ in _images(body, url))


def pictures_of(
    body: Mapping[str, object], url: str, of_blobs: Sequence[Sequence[Picture]]
) -> list[tuple[Picture, str]]:
    """Return all images of a request, each with its detail; those of blobs are given in the order of `blob_images`."""
    following = iter(of_blobs)
    return [
        (picture, _detail(part))
        for part in _images(body, url)
        for picture in (next(following) if _blob_address(part) else [_as_given(part)])
    ]


def with_pictures(body: Mapping[str, object], url: str, of_blobs: Sequence[Sequence[Picture]]) -> dict[str, object]:
    """Return the body with the pictures of each blob in its place; those of a PDF's pages follow one another.

    The body is to be written with `skeleton.serialised`.
    """
    following = iter(of_blobs)
    return _changed(
        body,
        url,
        lambda part: [_at(part, picture) for picture in next(following)] if _blob_address(part) else [part],
    )


def without_pictures(body: Mapping[str, object], url: str) -> dict[str, object]:
    """Return the body with nothing where an image's address is, to be written with `skeleton.serialised`."""
    return _changed(body, url, lambda part: [_at(part, _NOTHING)] if _address(part) else [part])


def _changed(body: Mapping[str, object], url: str, change: Callable[[Part], Sequence[Part]]) -> dict[str, object]:
    """Return the body with each part of its messages changed into some others."""
    key = _messages_key(url)
    return {**body, key: [_with_parts(message, change) for message in _list(body.get(key))]}


def _with_parts(message: object, change: Callable[[Part], Sequence[Part]]) -> object:
    if not isinstance(message, Mapping) or not isinstance(content := message.get("content"), list):
        return message
    parts = [one for part in content for one in (change(part) if isinstance(part, Mapping) else [part])]
    return {**message, "content": parts}


def _at(part: Part, picture: Picture) -> Part:
    """Return an image's part with another address."""
    given = part["image_url"]
    url = RawJson(picture.url)
    return {**part, "image_url": {**given, "url": url} if isinstance(given, Mapping) else url}


def _as_given(part: Part) -> Picture:
    """Return an image that is in the request already; of unknown size where that cannot be read."""
    address = _address(part)
    try:
        return picture_of_url(address)
    except UnsupportedDocumentError:
        return Picture(encode(address))


def _images(body: Mapping[str, object], url: str) -> Iterator[Part]:
    for message in _list(body.get(_messages_key(url))):
        content = message.get("content") if isinstance(message, Mapping) else None
        for part in _list(content):
            if isinstance(part, Mapping) and part.get("type") in _TYPES:
                yield part


def _address(part: Part) -> str:
    """Return an image's address, empty where the part is something else."""
    given = part.get("image_url") if part.get("type") in _TYPES else None
    address = given.get("url") if isinstance(given, Mapping) else given
    return address if isinstance(address, str) else ""


def _blob_address(part: Part) -> str:
    """Return an image's address where it is that of a blob, else nothing."""
    address = _address(part)
    return address if address[: len(_SCHEME)].lower() == _SCHEME else ""


def _detail(part: Part) -> str:
    given = part.get("image_url")
    detail = given.get("detail") if isinstance(given, Mapping) else part.get("detail")
    return detail if isinstance(detail, str) else "auto"


def _reference(address: str) -> Reference:
    try:
        return read_blob_address(_SCHEME + address[len(_SCHEME) :])
    except InvalidReferenceError as error:
        raise UnsendableError(RowCode.IMAGE_UNSUPPORTED, f"An image of the request cannot be sent: {error}.") from None


def _messages_key(url: str) -> str:
    return "messages" if url in CHAT_URLS else "input"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
