"""Custom ids: what a row's is, and which have been used before in a file."""

from array import array
from collections.abc import Sequence
from typing import Final

from shared.domain.errors import UnsendableError
from shared.domain.model import Record, RowCode
from shared.requests.layout import text_of

ID_LENGTH: Final = 512
"""Characters of a custom id; the service names no limit."""


def id_of_row(row: int) -> str:
    """Return the custom id of a row that has none itself."""
    return f"row-{row}"


def custom_id_of(record: Record, value: object) -> str:
    """Return a row's custom id, or one made of its number; raises UnsendableError for a value that cannot be one."""
    custom_id = value if type(value) is str else text_of(value, "The custom id")
    if len(custom_id) > ID_LENGTH:
        raise UnsendableError(
            RowCode.INVALID_REQUEST, f"The custom id has {len(custom_id)} characters; {ID_LENGTH} are allowed."
        )
    return custom_id if custom_id and not custom_id.isspace() else record.custom_id or id_of_row(record.row)


def custom_id_or_number(record: Record, value: object) -> str:
    """Return a row's custom id, or one made of its number where the value cannot be one."""
    try:
        return custom_id_of(record, value)
    except UnsendableError:
        return record.custom_id or id_of_row(record.row)


class CustomIds:
    """Remembers which custom ids a file has used, in 11 to 22 bytes each.

    It keeps 64-bit hashes: among ten million rows, the chance that two different ids count as the same is 3 in a
    million. They are Python's own hashes of texts, keyed anew in each process, so that ids cannot be made to
    collide; none is kept, and building again begins with an empty list.
    """

    _PARTS: Final = 256
    # A part is never full while all together are three quarters full: that is nine standard deviations away. With
    # parts of a few dozen it would happen, and looking for a free place in one would not end.
    _FIRST_SIZE: Final = 1_024
    _FULL: Final = 0.75

    def __init__(self) -> None:
        # In small parts, as what grows is in memory twice for a moment, and leaves its place to the next.
        self._tables = [array("q", (0,)) * self._FIRST_SIZE for _ in range(self._PARTS)]
        self._count = 0

    def repeated(self, ids: Sequence[str]) -> list[int]:
        """Add ids, none of them empty; give the places of those that were used before, by an earlier place or call."""
        self._make_room(len(ids))
        tables, last = self._tables, len(self._tables[0]) - 1
        again: list[int] = []
        for number, key in enumerate(map(hash, ids)):
            # The upper eight bits, -128 to 127, choose the table, the lower ones where to look first; 0 is free.
            table = tables[key >> 56]
            place = key & last
            while found := table[place]:
                if found == key:
                    again.append(number)
                    break
                place = (place + 1) & last
            else:
                table[place] = key
        self._count += len(ids) - len(again)
        return again

    def _make_room(self, more: int) -> None:
        while self._count + more > self._FULL * self._PARTS * len(self._tables[0]):
            for number, table in enumerate(self._tables):
                self._tables[number] = _twice_as_large(table)

    @property
    def memory(self) -> int:
        """Bytes held for the ids."""
        return sum(len(table) * table.itemsize for table in self._tables)


def _twice_as_large(table: "array[int]") -> "array[int]":
    larger = array("q", (0,)) * (2 * len(table))
    last = len(larger) - 1
    for key in filter(None, table):
        place = key & last
        while larger[place]:
            place = (place + 1) & last
        larger[place] = key
    return larger
