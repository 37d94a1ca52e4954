"""Which rows take which answers of earlier jobs: a SQLite file on temporary disk, until their outcomes are written."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from shared.pipeline.build.answer_index import insert, open_database

DISK: Final = 48 * 1024 * 1024
"""Bytes that the file may take: room for half a million rows whose ids are short."""

_TABLES: Final = """
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE taken (
    place INTEGER PRIMARY KEY, row INTEGER, custom_id TEXT, schema INTEGER, request BLOB, job INTEGER, earlier INTEGER
);
"""
_FROM: Final = """
SELECT earlier, place, row, custom_id, schema, request FROM taken
WHERE job = ? AND place >= ? AND place < ? ORDER BY
"""

type Wanted = tuple[int, str, int, bytes, int, int]
"""A row, its custom_id, its schema's number and the hash of its request; number of the job and row of the answer."""


class Taken(NamedTuple):
    """An earlier job's row whose answer another row takes: that one's place among all these, number, id and schema."""

    earlier: int
    place: int
    row: int
    custom_id: str
    schema: int
    request: bytes


class TakenAnswers:
    """The file, open. Rows have places from 0, in the order in which they were added."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _TABLES, DISK)
        self._count = 0
        self._last: dict[int, int] = {}
        self.is_in_order = True
        """Whether the answers of each job are taken in the order of its rows."""

    def __len__(self) -> int:
        return self._count

    def add(self, some: Sequence[Wanted]) -> None:
        """Add rows; raises FullError, and adds none of them, where there is no room."""
        numbered = [(place, *one) for place, one in enumerate(some, self._count)]
        insert(self._db, "INSERT INTO taken VALUES (?, ?, ?, ?, ?, ?, ?)", numbered)
        self._count += len(some)
        for *_, job, earlier in some:
            self.is_in_order = self.is_in_order and self._last.get(job, 0) <= earlier
            self._last[job] = earlier

    def jobs(self, places: range) -> list[int]:
        """Return the numbers of the jobs from which something is taken for these places."""
        found = self._db.execute(
            "SELECT DISTINCT job FROM taken WHERE place >= ? AND place < ? ORDER BY job", (places.start, places.stop)
        )
        return [number for (number,) in found]

    def of_job(self, job: int, places: range) -> Iterator[Taken]:
        """Return what is taken of one job for these places, in the order of its rows."""
        order = "place" if self.is_in_order else "earlier, place"  # The first needs no sorting.
        return map(Taken._make, self._db.execute(f"{_FROM} {order}", (job, places.start, places.stop)))

    def clear(self) -> None:
        """Forget all rows; the next one's place is 0."""
        self._db.execute("DELETE FROM taken")
        self._count = 0
        self._last.clear()
        self.is_in_order = True

    def close(self) -> None:
        """Close the file."""
        self._db.close()
