"""Which earlier job answered which request, and which of these answers a job takes: in a file on temporary disk."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

DISK: Final = 160 * 1024 * 1024
"""Bytes that the file may take: room for about two million answers, found and taken."""

_PAGE: Final = 4096
_CACHE: Final = 16 * 1024
"""KiB of the file that are kept in memory."""

_TABLES: Final = """
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY, job_id TEXT);
CREATE TABLE IF NOT EXISTS answers (request BLOB PRIMARY KEY, paid_at INTEGER, job INTEGER, row INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (
    place INTEGER PRIMARY KEY, row INTEGER, custom_id TEXT, schema INTEGER, request BLOB, job INTEGER, earlier INTEGER
);
"""
_ADD: Final = """
INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT (request) DO UPDATE
SET paid_at = excluded.paid_at, job = excluded.job, row = excluded.row WHERE excluded.paid_at > paid_at
"""
_TAKEN_FROM: Final = """
SELECT earlier, place, row, custom_id, schema, request FROM taken
WHERE job = ? AND place >= ? AND place < ? ORDER BY earlier
"""


class FullError(Exception):
    """The file may not grow any more."""


class Answered(NamedTuple):
    """An answer of an earlier job: the hash of its request, when it was paid for (seconds), job number and row."""

    request: bytes
    paid_at: int
    job: int
    row: int


class Taken(NamedTuple):
    """An earlier job's row whose answer another row takes: that one's place among all these, number, id and schema."""

    earlier: int
    place: int
    row: int
    custom_id: str
    schema: int
    request: bytes


class AnswerIndex:
    """The file, open. Of several answers to the same request, the one that was paid for last counts."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_TABLES)
        self._db.execute(f"PRAGMA max_page_count = {DISK // _PAGE}")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE}")
        self.taken = 0
        """How many answers are taken."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add_job(self, job_id: str) -> int:
        """Number an earlier job."""
        found = self._db.execute("INSERT INTO jobs (job_id) VALUES (?)", (job_id,))
        assert found.lastrowid is not None
        return found.lastrowid

    def jobs(self) -> Mapping[int, str]:
        """Return the earlier jobs by number."""
        return dict(self._db.execute("SELECT number, job_id FROM jobs ORDER BY number"))

    def add(self, some: Iterable[Answered]) -> None:
        """Add answers of an earlier job; raises FullError, and adds none of them, where there is no room."""
        self._write(_ADD, sorted(some))

    def find(self, requests: Sequence[bytes]) -> Mapping[bytes, tuple[int, int]]:
        """Find the answers to requests: the number of the job and its row, by hash."""
        marks = ",".join("?" * len(requests))
        found = self._db.execute(f"SELECT request, job, row FROM answers WHERE request IN ({marks})", requests)
        return {request: (job, row) for request, job, row in found}

    def take(self, some: Sequence[tuple[int, str, int, bytes, int, int]]) -> None:
        """Take answers for rows: row, custom_id, schema and hash of the request; job number and row of the answer.

        Raises FullError, and takes none of them, where there is no room.
        """
        numbered = [(self.taken + place, *one) for place, one in enumerate(some)]
        self._write("INSERT INTO taken VALUES (?, ?, ?, ?, ?, ?, ?)", numbered)
        self.taken += len(some)

    def jobs_taken_from(self, places: range) -> list[int]:
        """Return the numbers of the jobs from which something is taken for these places."""
        found = self._db.execute(
            "SELECT DISTINCT job FROM taken WHERE place >= ? AND place < ? ORDER BY job", (places.start, places.stop)
        )
        return [number for (number,) in found]

    def taken_from(self, job: int, places: range) -> Iterator[Taken]:
        """Return what is taken of one job for these places, in the order of its rows."""
        return map(Taken._make, self._db.execute(_TAKEN_FROM, (job, places.start, places.stop)))

    def _write(self, statement: str, some: Sequence[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN")
        try:
            self._db.executemany(statement, some)
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise FullError from error
