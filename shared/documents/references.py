"""Which document a row means: an address that is sent unchanged, or a path in the container of prompt files."""

from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit


class ReferenceKind(StrEnum):
    """Where a document comes from, and whether it is sent as images or as text."""

    WEB = "web"
    DATA = "data"
    BLOB = "blob"
    TEXT = "text"


class Reference(NamedTuple):
    """A document of a row: `address` is what is sent (WEB, DATA), or a blob's full name; `page` of a PDF, 0 for all."""

    kind: ReferenceKind
    address: str
    page: int = 0


class InvalidReferenceError(ValueError):
    """A cell that names no image; the text says why."""


def read_reference(cell: str, folder: str) -> Reference:
    """Read an image cell of a prompt file in `folder` (empty for the container's root).

    A path is taken literally, relative to the folder, or from the root with a leading `/`. Raises InvalidReferenceError
    for other schemes, addresses with credentials, and paths that leave the container.
    """
    text = cell.strip()
    scheme = _scheme(text)
    if scheme == "data":
        return Reference(ReferenceKind.DATA, text)
    if scheme == "https":
        return Reference(ReferenceKind.WEB, _without_credentials(text))
    if scheme == "blob":
        return read_blob_address(text)
    if scheme:
        raise InvalidReferenceError(f"its address begins with {scheme}:, but only https:, data: and paths are read")
    return Reference(ReferenceKind.BLOB, _resolved(text, folder))


def read_blob_address(address: str) -> Reference:
    """Read `blob:/path` or `blob:/path#page=3`, as `blob_address` writes it."""
    path, _, fragment = address.removeprefix("blob:").partition("#")
    if not path.startswith("/"):
        raise InvalidReferenceError("its address must have the form blob:/path or blob:/path#page=3")
    page = 0
    if fragment:
        number = fragment.removeprefix("page=")
        if number == fragment or not (number.isascii() and number.isdigit()) or not 0 < int(number[:9]) < 10**6:
            raise InvalidReferenceError("what follows # in its address must have the form page=3")
        page = int(number)
    try:
        name = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidReferenceError("its address is not valid UTF-8") from None
    return Reference(ReferenceKind.BLOB, _resolved(name, ""), page)


def blob_address(name: str, page: int = 0) -> str:
    """Write the address of a blob, or of one page of it: `blob:/path#page=3`; `#` and `%` are percent-encoded."""
    path = name.replace("%", "%25").replace("#", "%23")
    return f"blob:/{path}#page={page}" if page else f"blob:/{path}"


def _scheme(text: str) -> str:
    head, colon, _ = text.partition(":")
    is_scheme = bool(colon) and len(head) > 1 and head[0].isalpha() and all(c.isalnum() or c in "+-." for c in head)
    return head.lower() if is_scheme and head.isascii() else ""


def _without_credentials(address: str) -> str:
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        raise InvalidReferenceError("its address cannot be read") from None
    if not host:
        raise InvalidReferenceError("its address names no host")
    if parts.username is not None or parts.password is not None:
        raise InvalidReferenceError("its address holds credentials")
    return address


def _resolved(path: str, folder: str) -> str:
    """Resolve `.` and `..` of a path against a folder; raise InvalidReferenceError where it leaves the container."""
    segments = [] if path.startswith("/") or not folder else folder.strip("/").split("/")
    for segment in path.removeprefix("/").split("/"):
        if segment == "..":
            if not segments:
                raise InvalidReferenceError("its path leaves the container")
            segments.pop()
        elif segment != ".":
            segments.append(segment)
    if not segments or not segments[-1]:
        raise InvalidReferenceError("its path names no file")
    return "/".join(segments)
