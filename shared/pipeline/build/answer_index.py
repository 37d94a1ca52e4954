"""Which earlier job answered which request: a SQLite file on temporary disk, kept in the work container afterwards."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

DISK: Final = 112 * 1024 * 1024
"""Bytes that the file may take: room for about three million answers."""

_PAGE: Final = 4096
_CACHE: Final = 16 * 1024
"""KiB of the file that are kept in memory."""

_PENDING: Final = 32_768
"""Answers that are put into the file at a time: in the order of their hashes, so that each page is written once."""

_TABLES: Final = """
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY, job_id TEXT);
CREATE TABLE IF NOT EXISTS answers (request BLOB PRIMARY KEY, paid_at INTEGER, job INTEGER, row INTEGER) WITHOUT ROWID;
"""
_ADD: Final = """
INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT (request) DO UPDATE
SET paid_at = excluded.paid_at, job = excluded.job, row = excluded.row WHERE excluded.paid_at > paid_at
"""


class FullError(Exception):
    """The file may not grow any more."""


class Answered(NamedTuple):
    """An answer of an earlier job: the hash of its request, when it was paid for (seconds), job number and row."""

    request: bytes
    paid_at: int
    job: int
    row: int


class AnswerIndex:
    """The file, open. Of several answers to the same request, the one that was paid for last counts."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _TABLES, DISK)
        self._pending: list[Answered] = []
        self.added = 0
        """How many answers were put into the file, one after another to the same request included."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def __len__(self) -> int:
        """Count the requests that are answered."""
        (count,) = self._db.execute("SELECT count(*) FROM answers").fetchone()
        return int(count)

    @property
    def has_any(self) -> bool:
        """Whether any request is answered."""
        return self._db.execute("SELECT 1 FROM answers LIMIT 1").fetchone() is not None

    def add_job(self, job_id: str) -> int:
        """Number an earlier job; raises FullError."""
        numbered = len(self.jobs()) + 1
        insert(self._db, "INSERT INTO jobs VALUES (?, ?)", [(numbered, job_id)])
        return numbered

    def jobs(self) -> Mapping[int, str]:
        """Return the earlier jobs by number."""
        return dict(self._db.execute("SELECT number, job_id FROM jobs ORDER BY number"))

    def add(self, some: Iterable[Answered]) -> None:
        """Add answers of an earlier job; raises FullError where there is no room for them."""
        self._pending += some
        if len(self._pending) >= _PENDING:
            self.flush()

    def flush(self) -> None:
        """Put what was added last into the file; raises FullError, and puts none of it, where there is no room."""
        pending, self._pending = self._pending, []
        insert(self._db, _ADD, sorted(pending))
        self.added += len(pending)

    def find(self, requests: Sequence[bytes]) -> Mapping[bytes, tuple[int, int]]:
        """Find the answers to requests: the number of the job and its row, by hash."""
        marks = ",".join("?" * len(requests))
        found = self._db.execute(f"SELECT request, job, row FROM answers WHERE request IN ({marks})", requests)
        return {request: (job, row) for request, job, row in found}

    @property
    def left_out(self) -> int:
        """How many answers had no room, at most: it is known to whoever opens the file later, too."""
        (count,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(count)

    @left_out.setter
    def left_out(self, answers: int) -> None:
        self._db.execute(f"PRAGMA user_version = {min(answers, 2**31 - 1)}")


def open_database(path: Path, tables: str, size: int) -> sqlite3.Connection:
    """Open a file of temporary data, which may take so many bytes."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")  # Nothing else opens it, which saves a tenth of the time.
    db.executescript(tables)
    db.execute(f"PRAGMA max_page_count = {size // _PAGE}")
    db.execute(f"PRAGMA cache_size = -{_CACHE}")
    return db


def insert(db: sqlite3.Connection, statement: str, some: Sequence[tuple[object, ...]]) -> None:
    """Insert rows; raises FullError, and inserts none of them, where there is no room."""
    db.execute("BEGIN")
    try:
        db.executemany(statement, some)
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise FullError from error
