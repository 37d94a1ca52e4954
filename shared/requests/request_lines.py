"""The lines of a RequestBlock: put together, taken apart, and a part of them."""

import re
from collections.abc import Sequence
from typing import Final

from shared.domain.model import RequestBlock
from shared.requests.limits import BYTES_PER_TOKEN

LONG: Final = 1_024
"""Bytes of a line below which images are not looked for."""

_BASE64: Final = b";base64,"
_IMAGE: Final = re.compile(rb'data:[^";]{0,64};base64,[^"]*')


def block_of(
    rows: Sequence[int],
    ids: Sequence[str],
    model: str,
    url: str,
    lines: Sequence[bytes],
    schemas: Sequence[int],
    image_tokens: Sequence[int] = (),
) -> RequestBlock:
    """Put requests of one model and url together; `lines` are theirs, without line ends.

    `image_tokens` are those of each one's images, empty where none has images.
    """
    text = b"\n".join((*lines, b""))
    wordings = _without_images(lines) if _BASE64 in text else lines
    tokens = sum([len(line) // BYTES_PER_TOKEN for line in wordings]) + len(lines) + sum(image_tokens)
    wording = b"" if wordings is lines else b"\n".join((*wordings, b""))
    return RequestBlock(rows, ids, model, url, text, schemas, tokens, image_tokens, wording)


def _without_images(lines: Sequence[bytes]) -> list[bytes]:
    """Take the bytes of images out of requests."""
    return [_IMAGE.sub(b"", line) if len(line) >= LONG else line for line in lines]


def lines_of(block: RequestBlock) -> list[bytes]:
    """Return a block's requests as lines, without line ends."""
    return block.text.split(b"\n")[:-1]


def part_of(block: RequestBlock, start: int, end: int) -> RequestBlock:
    """Return the requests of a block from one place to before another."""
    if end - start == len(block.rows):
        return block
    return block_of(
        block.rows[start:end],
        block.ids[start:end],
        block.model,
        block.url,
        lines_of(block)[start:end],
        block.schemas[start:end],
        block.image_tokens[start:end],
    )
