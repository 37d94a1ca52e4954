"""Requests of rows with images: the row's text, and behind it the images, in the form of the request's route."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shared.documents.pictures import Picture
from shared.domain.model import CHAT_URLS, Fault, RequestBlock
from shared.job_settings.templates import Template
from shared.json_codec import encode
from shared.requests.blocks import START
from shared.requests.layout import Layout
from shared.requests.limits import BYTES_PER_TOKEN, check_size, check_text
from shared.requests.skeleton import SLOT, RequestSkeleton
from shared.requests.skeleton_cache import RequestSkeletons, RowImages

NO_IMAGES: Final = (b"null",)
"""Stands in a request's wording where its images are."""


class ImageRequests:
    """Builds the requests of rows that have images."""

    def __init__(
        self,
        skeletons: RequestSkeletons,
        url: str,
        detail: str,
        max_bytes: int,
        model_behind: Callable[[str], str],
    ) -> None:
        """`max_bytes` is what a whole batch file may have; `model_behind` names the model of a deployment."""
        self._model_behind = model_behind
        self._skeletons = skeletons
        self._is_chat = url in CHAT_URLS
        self._detail = detail
        self._max_bytes = max_bytes

    def build(
        self,
        row: int,
        custom_id: str,
        values: Mapping[str, object],
        layout: Layout,
        prompt: str,
        pictures: Sequence[Picture],
    ) -> RequestBlock | Fault:
        """Return one row's request; `prompt` is its own, blank without one. Raises UnsendableError, MissingValue."""
        has_prompt = prompt != "" and not prompt.isspace()
        skeleton = self._skeletons.of_row(values, layout, has_prompt, RowImages.BESIDE_TEXT)
        if isinstance(skeleton, Fault):
            return skeleton
        texts = self._texts(skeleton, prompt, values)
        if not any(text and not text.isspace() for text in texts):
            alone = self._skeletons.of_row(values, layout, has_prompt, RowImages.ALONE)
            assert isinstance(alone, RequestSkeleton)  # It differs from the other in its messages alone.
            skeleton, texts = alone, [None]
        line = _line(custom_id, skeleton, texts, self._pieces(pictures))
        check_size(line, self._max_bytes)
        wording = _line(custom_id, skeleton, texts, NO_IMAGES)
        model = self._model_behind(skeleton.model)
        tokens = sum(picture.tokens(model, self._detail) for picture in pictures)
        return request_with_images(row, custom_id, skeleton.model, skeleton.url, line, skeleton.schema, tokens, wording)

    def _pieces(self, pictures: Sequence[Picture]) -> list[bytes]:
        """Write images as parts of a message, in pieces: they are long, and should be copied once."""
        detail = encode(self._detail)
        if self._is_chat:
            before, after = b'{"type":"image_url","image_url":{"url":', b',"detail":' + detail + b"}}"
        else:
            before, after = b'{"type":"input_image","image_url":', b',"detail":' + detail + b"}"
        pieces = [piece for picture in pictures for piece in (b",", before, picture.url, after)]
        return pieces[1:]

    def _texts(self, skeleton: RequestSkeleton, prompt: str, values: Mapping[str, object]) -> list[str | None]:
        """Return a request's texts in their order, None for its images."""
        found: list[str | None] = []
        for place in skeleton.texts:
            if isinstance(place, Template):
                found.append(place.render(values))
            else:
                found.append(prompt if place is SLOT else None)
        for text in found:
            if text is not None and self._is_chat:
                check_text(text)
        return found


def request_with_images(
    row: int, custom_id: str, model: str, url: str, line: bytes, schema: int, tokens: int, wording: bytes
) -> RequestBlock:
    """Return one request as a block; `tokens` are those of its images, `wording` is its line without their bytes."""
    size, text_tokens = len(line) + 1, len(wording) // BYTES_PER_TOKEN + 1
    return RequestBlock(
        (row,), (custom_id,), model, url, (line,), (schema,), size, text_tokens + tokens, (tokens,), (wording,)
    )


def _line(custom_id: str, skeleton: RequestSkeleton, texts: Sequence[str | None], images: Sequence[bytes]) -> bytes:
    """Return a request's line, without its end."""
    line = [START, encode(custom_id), skeleton.parts[0]]
    for text, part in zip(texts, skeleton.parts[1:], strict=True):
        line += images if text is None else (encode(text),)
        line.append(part)
    return b"".join(line)
