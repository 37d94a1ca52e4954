"""The documents of rows, fetched beside the work: some ahead of the row that is built, in the order of the rows."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from shared.documents.image_files import MAX_BYTES, UnsupportedDocumentError
from shared.documents.pictures import MAX_TEXT, Picture, picture_of, text_of
from shared.documents.references import Reference, ReferenceKind
from shared.domain.blob_names import is_possible
from shared.domain.errors import Conflict, NotFound, Unavailable, UnsendableError
from shared.domain.model import RowCode
from shared.domain.ports import App, Container, RenderingError
from shared.job_settings import Images
from shared.json_codec import encode

AHEAD: Final = 8
"""Documents that are fetched before their turn. Of each, 8 MB are held at most: 64 MB together."""

MOST_BYTES: Final = 200_000_000
"""Bytes that the images of one row may have, whatever the limit of a batch."""


@dataclass(slots=True, eq=False)
class _Fetch:
    """A document that was asked for; `wait` is there once it was begun."""

    name: str
    most: int
    wait: Callable[[], bytes] | None = None
    is_over: bool = False


class Prefetcher:
    """Fetches the documents of one job, at most AHEAD at a time, those that were ordered first before the others."""

    def __init__(self, app: App, images: Images, max_bytes: int) -> None:
        self.app = app
        self.images = images
        self.max_bytes = min(max_bytes, MOST_BYTES)
        self._unbegun: deque[_Fetch] = deque()
        self._in_hand = 0

    def order(self, references: Iterable[Reference]) -> "RowFiles":
        """Fetch a row's documents as soon as those ordered before leave room."""
        found: dict[Reference, _Fetch] = {}
        for reference in references:
            most = MAX_TEXT if reference.kind is ReferenceKind.TEXT else MAX_BYTES
            found[reference] = _Fetch(reference.address, most + 1)
        self._unbegun.extend(found.values())
        self._begin_more()
        return RowFiles(self, found)

    def take(self, fetch: _Fetch) -> bytes:
        """Wait for a document; raises NotFound."""
        if fetch.wait is None:
            self._unbegun.remove(fetch)
            self._begin(fetch)
        assert fetch.wait is not None
        try:
            return fetch.wait()
        finally:
            self.drop(fetch)

    def drop(self, fetch: _Fetch) -> None:
        """Forget a document that was taken, or is not wanted any more."""
        if fetch.is_over:
            return
        fetch.is_over = True
        if fetch.wait is None:
            self._unbegun.remove(fetch)
        else:
            self._in_hand -= 1
            fetch.wait = None
        self._begin_more()

    def _begin_more(self) -> None:
        while self._unbegun and self._in_hand < AHEAD:
            self._begin(self._unbegun.popleft())

    def _begin(self, fetch: _Fetch) -> None:
        self._in_hand += 1
        if is_possible(fetch.name):
            fetch.wait = self.app.files.fetch(Container.PROMPTS, fetch.name, fetch.most)
        else:
            fetch.wait = partial(_missing, fetch.name)


def _missing(name: str) -> bytes:
    raise NotFound(name)


class RowFiles:
    """The documents of one row: each is waited for when it is first asked for."""

    def __init__(self, prefetcher: Prefetcher, fetches: dict[Reference, _Fetch]) -> None:
        self._prefetcher = prefetcher
        self._fetches = fetches
        self._found: dict[Reference, Sequence[Picture]] = {}
        self._pages: dict[Reference, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._fetches)

    @property
    def pages(self) -> list[int]:
        """How many images each PDF became, in the order in which documents were ordered; 0 for other documents."""
        return [self._pages.get(reference, 0) for reference in self._fetches]

    def pictures(self, reference: Reference) -> Sequence[Picture]:
        """Return an image, or the pages of a PDF; raises UnsendableError."""
        if reference.kind is not ReferenceKind.BLOB:
            return (Picture(encode(reference.address)),)
        if reference not in self._found:
            self._found[reference] = self._pictures(reference)
        self._size += sum(len(picture.url) for picture in self._found[reference])
        if self._size > self._prefetcher.max_bytes:
            raise UnsendableError(
                RowCode.ROW_TOO_LARGE,
                f"The row's images make a request of more than {self._prefetcher.max_bytes} bytes, and a batch has no "
                "room for it: send fewer or smaller images.",
            )
        return self._found[reference]

    def text(self, reference: Reference) -> str:
        """Return a text document; raises UnsendableError."""
        name = reference.address
        try:
            return text_of(self._data(reference))
        except NotFound:
            raise UnsendableError(RowCode.DOCUMENT_UNSUPPORTED, f"There is no file /{name} any more.") from None
        except UnsupportedDocumentError as error:
            raise UnsendableError(RowCode.DOCUMENT_UNSUPPORTED, f"The file /{name} cannot be sent: {error}.") from None

    def close(self) -> None:
        """Forget what was not asked for."""
        for fetch in self._fetches.values():
            self._prefetcher.drop(fetch)
        self._found.clear()

    def _pictures(self, reference: Reference) -> Sequence[Picture]:
        name, page = reference.address, reference.page
        try:
            data = self._data(reference)
            if len(data) > MAX_BYTES:
                raise UnsupportedDocumentError("it has more than 20 MB")
            if data.startswith(b"%PDF-") or name.lower().endswith(".pdf"):
                pictures = self._rendered(data, page)
                self._pages[reference] = len(pictures)
                return pictures
            if page:
                raise UnsupportedDocumentError(f"only a PDF has a page {page}")
            return (picture_of(data),)
        except NotFound:
            raise UnsendableError(
                RowCode.IMAGE_MISSING, f"There is no image /{name}. Upload it before the prompt file."
            ) from None
        except (UnsupportedDocumentError, RenderingError) as error:
            raise UnsendableError(RowCode.IMAGE_UNSUPPORTED, f"The image /{name} cannot be sent: {error}.") from None

    def _rendered(self, data: bytes, page: int) -> Sequence[Picture]:
        images = self._prefetcher.images
        pages = self._prefetcher.app.renderer.render(data, dpi=images.dpi, page=page, most=images.pages)
        return [picture_of(image) for image in pages]

    def _data(self, reference: Reference) -> bytes:
        try:
            return self._prefetcher.take(self._fetches[reference])
        except Conflict as error:
            raise Unavailable(f"The file /{reference.address} was changed while it was read") from error
