"""The lines of a RequestBlock: put together, taken apart, and a part of them."""

from collections.abc import Sequence

from shared.domain.model import RequestBlock
from shared.requests.limits import BYTES_PER_TOKEN


def block_of(
    rows: Sequence[int], ids: Sequence[str], model: str, url: str, lines: Sequence[bytes], schemas: Sequence[int]
) -> RequestBlock:
    """Put requests of one model and url together; `lines` are theirs, without line ends."""
    tokens = sum([len(line) // BYTES_PER_TOKEN for line in lines]) + len(lines)
    return RequestBlock(rows, ids, model, url, b"\n".join((*lines, b"")), schemas, tokens)


def lines_of(block: RequestBlock) -> list[bytes]:
    """Return a block's requests as lines, without line ends."""
    return block.text.split(b"\n")[:-1]


def part_of(block: RequestBlock, start: int, end: int) -> RequestBlock:
    """Return the requests of a block from one place to before another."""
    return block_of(
        block.rows[start:end],
        block.ids[start:end],
        block.model,
        block.url,
        lines_of(block)[start:end],
        block.schemas[start:end],
    )
