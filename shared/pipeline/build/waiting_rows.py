"""Rows on their way to the batches' files, in order, while the documents of some of them are fetched."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.documents.references import Reference
from shared.domain.model import Fault, Record
from shared.pipeline.build.built_documents import BuiltRow
from shared.pipeline.build.prefetch import AHEAD, Prefetcher, RowFiles

MOST_ROWS: Final = 256
"""Rows that wait at most, those without documents among them."""

MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""Characters of their texts, as data URLs may be long."""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row with all that settles what becomes of it: its fault, or its documents; None where it has none."""

    record: Record
    custom_id: str
    fault: Fault | None = None
    files: RowFiles | None = None
    built: BuiltRow | None = None
    """What an earlier run has noted, whose request is written already."""
    has_documents: bool = False
    """Whether it names some, at hand or not."""
    request: bytes = b""
    """The hash of its request, if an earlier run has seen that it was answered before."""


class WaitingRows:
    """Keeps rows until their documents are at hand, and as many more as are fetched ahead."""

    def __init__(self, prefetcher: Prefetcher) -> None:
        self._prefetcher = prefetcher
        self._rows: deque[WaitingRow] = deque()
        self._documents = 0
        self._characters = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        record: Record,
        custom_id: str,
        fault: Fault | None,
        references: Sequence[Reference],
        built: BuiltRow | None = None,
        request: bytes = b"",
    ) -> None:
        """Let a row wait, and order its documents, unless it has a fault or an earlier run has had them."""
        is_new = built is None and fault is None and not request
        files = self._prefetcher.order(references) if references and is_new else None
        self._rows.append(WaitingRow(record, custom_id, fault, files, built, bool(references), request))
        self._documents += len(files or ())
        self._characters += _characters(record.values)

    def take(self, *, all_rows: bool = False) -> Iterator[WaitingRow]:
        """Take the first rows, in order: those behind which enough documents are on their way, or all."""
        while self._rows and (all_rows or self._are_many()):
            row = self._rows.popleft()
            yield row
            self._characters -= _characters(row.record.values)
            if row.files is not None:
                self._documents -= len(row.files)
                row.files.close()

    def _are_many(self) -> bool:
        return self._documents > AHEAD or len(self._rows) > MOST_ROWS or self._characters > MOST_CHARACTERS


def _characters(value: object) -> int:
    """Count the characters of all texts in a row's values."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0
