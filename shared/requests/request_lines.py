"""Requests put together to a RequestBlock, and a part of one."""

import re
from collections.abc import Sequence
from typing import Final

from shared.domain.model import RequestBlock
from shared.requests.limits import BYTES_PER_TOKEN

LONG: Final = 1_024
"""Bytes of a line below which images are not looked for."""

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
    size = sum(map(len, lines)) + len(lines)
    wordings = _without_images(lines) if image_tokens else ()
    tokens = sum([len(line) // BYTES_PER_TOKEN for line in wordings or lines]) + len(lines) + sum(image_tokens)
    return RequestBlock(rows, ids, model, url, lines, schemas, size, tokens, image_tokens, wordings)


def _without_images(lines: Sequence[bytes]) -> list[bytes]:
    """Take the bytes of images out of requests."""
    return [_IMAGE.sub(b"", line) if len(line) >= LONG else line for line in lines]


def part_of(block: RequestBlock, start: int, end: int) -> RequestBlock:
    """Return the requests of a block from one place to before another."""
    if end - start == len(block.rows):
        return block
    return block_of(
        block.rows[start:end],
        block.ids[start:end],
        block.model,
        block.url,
        block.lines[start:end],
        block.schemas[start:end],
        block.image_tokens[start:end],
    )
