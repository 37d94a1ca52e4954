"""RowBlocks of plain rows, each with its own prompt: their requests are built in one step."""

from collections.abc import Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Final, NamedTuple, TypeGuard, cast

from shared.domain.model import CHAT_URLS, RequestBlock, RowBlock
from shared.json_codec import encode
from shared.requests.custom_ids import ID_LENGTH, id_of_row
from shared.requests.layout import Layout
from shared.requests.limits import TEXT_LENGTH
from shared.requests.request_lines import block_of
from shared.requests.skeleton import RequestSkeleton
from shared.requests.skeleton_cache import RequestSkeletons

START: Final = b'{"custom_id":'
"""What all requests begin with."""

_TEXT_OR_NONE: Final = frozenset({str, type(None)})

type Kind = tuple[object, ...]


class PlainRows(NamedTuple):
    """Rows from `row` on that have a custom id and a prompt each.

    `kinds` are what RequestSkeletons tells them apart by: one for each row, or a single one for all of them.
    """

    row: int
    layout: Layout
    ids: Sequence[str]
    prompts: Sequence[str]
    kinds: Sequence[Kind]


def plain_rows(row_block: RowBlock, layout: Layout) -> PlainRows | None:
    """Take the columns that make requests; None where any row is not plain, and is to be looked at by itself."""
    if layout.fault is not None or not layout.prompt_counts:
        return None
    ids = _column(row_block, layout.custom_id) or [
        id_of_row(row) for row in range(row_block.row, row_block.row + len(row_block.rows))
    ]
    prompts = _column(row_block, layout.prompt)
    kinds = _kinds(row_block, layout)
    if prompts is None or kinds is None or not _are_texts(ids) or not _are_texts(prompts):
        return None
    if max(map(len, ids)) > ID_LENGTH:
        return None
    return PlainRows(row_block.row, layout, ids, prompts, kinds)


def build_plain(rows: PlainRows, skeletons: RequestSkeletons, max_bytes: int) -> RequestBlock | None:
    """Build the requests of plain rows; None where one cannot be sent, or where they differ in model or url."""
    found = {kind: skeletons.of_kind(kind, rows.layout) for kind in dict.fromkeys(rows.kinds)}
    usable = {kind: skeleton for kind, skeleton in found.items() if isinstance(skeleton, RequestSkeleton)}
    routes = {(skeleton.model, skeleton.url) for skeleton in usable.values()}
    if len(usable) < len(found) or len(routes) != 1:
        return None
    ((model, url),) = routes
    if url in CHAT_URLS and max(map(len, rows.prompts)) > TEXT_LENGTH:
        return None
    of_rows = [usable[kind] for kind in rows.kinds] * (len(rows.ids) // len(rows.kinds))
    lines = _lines(rows, of_rows)
    if not lines or max(map(len, lines)) >= max_bytes:
        return None
    schemas = [skeleton.schema for skeleton in of_rows]
    return block_of(range(rows.row, rows.row + len(lines)), rows.ids, model, url, lines, schemas)


def _lines(rows: PlainRows, skeletons: Sequence[RequestSkeleton]) -> list[bytes]:
    """Return the requests as lines; none where a text cannot be written as JSON."""
    try:
        ids, prompts = _as_json(rows.ids), _as_json(rows.prompts)
    except UnicodeEncodeError:
        return []
    before, after = [skeleton.parts[0] for skeleton in skeletons], [skeleton.parts[1] for skeleton in skeletons]
    return list(map(b"".join, zip(repeat(START), ids, before, prompts, after, strict=False)))


def _as_json(texts: Sequence[str]) -> list[bytes]:
    return list(map(encode, texts))


def _column(row_block: RowBlock, header: str) -> list[object] | None:
    if header not in row_block.keys:
        return None
    return list(map(itemgetter(row_block.keys.index(header)), row_block.rows))


def _are_texts(values: Sequence[object]) -> TypeGuard[Sequence[str]]:
    """Return whether all values are texts, and none of them is blank."""
    return set(map(type, values)) == {str} and all(values) and not any(map(str.isspace, cast("Sequence[str]", values)))


def _kinds(row_block: RowBlock, layout: Layout) -> list[Kind] | None:
    """Return what else makes the requests, for of_kind; None where a JSON value is neither text nor null."""
    nothing: list[object] = [None] * len(row_block.rows)
    columns = [_column(row_block, header) or nothing for header in layout.kind]
    given = chain.from_iterable(column for column in columns if column is not nothing)
    if not layout.all_texts and not _TEXT_OR_NONE.issuperset(map(type, given)):
        return None
    if all(column.count(column[0]) == len(column) for column in columns):
        return [tuple(column[0] for column in columns)]
    return list(zip(*columns, strict=True))
