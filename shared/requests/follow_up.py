"""Requests that are sent once more: those of the rows worth asking again, truncated ones with a higher token cap."""

from collections.abc import Container, Iterable, Iterator
from itertools import repeat
from typing import Final

from shared import json_codec
from shared.domain.model import RequestBlock
from shared.requests.request_lines import block_of

_CAPS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def follow_up(
    blocks: Iterable[RequestBlock], keep: Container[int], *, raised: Container[int] = frozenset()
) -> Iterator[RequestBlock]:
    """Take those requests of a batch whose rows are to be tried again, in the batch's order.

    `keep` holds rows of the file, `raised` those of them whose token cap is doubled: they are left out where no cap
    was set.
    """
    for block in blocks:
        chosen: list[tuple[int, str, bytes, int, int]] = []
        images = block.image_tokens or repeat(0, len(block.ids))
        for row, custom_id, line, schema, tokens in zip(
            block.rows, block.ids, block.lines, block.schemas, images, strict=True
        ):
            if row in keep:
                again = raise_cap(line) if row in raised else line
                if again is not None:
                    chosen.append((row, custom_id, again, schema, tokens))
        if chosen:
            rows, ids, lines, schemas, of_images = zip(*chosen, strict=True)
            yield block_of(rows, ids, block.model, block.url, lines, schemas, of_images if any(of_images) else ())


def raise_cap(line: bytes) -> bytes | None:
    """Double the token cap of a request whose answer was cut off; None where it has none."""
    request = json_codec.loads(line)
    body = request.get("body") if isinstance(request, dict) else None
    if not isinstance(body, dict):
        return None
    caps = [cap for cap in _CAPS if type(body.get(cap)) is int]
    for cap in caps:
        body[cap] *= 2
    return json_codec.dumps(request) if caps else None
