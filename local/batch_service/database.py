"""What survives a restart: a small SQLite database of documents, calls, billed rows and settings."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from local.batch_service import json_text

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, doc BLOB, UNIQUE (kind, id));
CREATE TABLE IF NOT EXISTS calls (seq INTEGER PRIMARY KEY, at REAL, method TEXT, path TEXT, status INTEGER, fault TEXT);
CREATE TABLE IF NOT EXISTS billed (
    seq INTEGER PRIMARY KEY, batch_id TEXT, custom_id TEXT, row_hash TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER
);
CREATE TABLE IF NOT EXISTS tries (rule TEXT, custom_id TEXT, tries INTEGER, PRIMARY KEY (rule, custom_id));
"""


class Database:
    """The service's state on disk. Every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A laptop's tool: a lost power supply may cost the last second, a killed process costs nothing.
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(SCHEMA)
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the file; nothing may be called after that."""
        with self._lock:
            self._connection.close()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for table in ("documents", "calls", "billed", "tries"):
                self._connection.execute(f"DELETE FROM {table}")

    def put(self, kind: str, identifier: str, doc: dict[str, Any]) -> None:
        """Store a document under its kind and id, in place of an earlier one."""
        with self._lock:
            self._connection.execute(
                "INSERT INTO documents (kind, id, doc) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET doc = excluded.doc",
                (kind, identifier, json_text.write(doc)),
            )

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """Return all documents of a kind in the order in which they were first stored."""
        with self._lock:
            rows = self._connection.execute("SELECT doc FROM documents WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
        return [json_text.read(doc) for (doc,) in rows]

    def log_call(self, at: float, method: str, path: str, status: int | None, fault: str | None) -> None:
        """Write one call into the journal; a status of None is a call whose answer never left."""
        with self._lock:
            self._connection.execute(
                "INSERT INTO calls (at, method, path, status, fault) VALUES (?, ?, ?, ?, ?)",
                (at, method, path, status, fault),
            )

    def put_batch(self, identifier: str, doc: dict[str, Any], billed: Iterable[tuple[str, str, str, int, int]]) -> None:
        """Store a batch's progress and the rows it was billed for, both or neither."""
        with self._lock:
            self._connection.execute("BEGIN")
            self.put("batch", identifier, doc)
            self._connection.executemany(
                "INSERT INTO billed (batch_id, custom_id, row_hash, prompt_tokens, completion_tokens) "
                "VALUES (?, ?, ?, ?, ?)",
                billed,
            )
            self._connection.execute("COMMIT")

    def count_try(self, rule: str, custom_id: str) -> int:
        """Count one more use of a row rule on this row, and return how many there were before."""
        with self._lock:
            (tries,) = self._connection.execute(
                "INSERT INTO tries VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET tries = tries + 1 RETURNING tries",
                (rule, custom_id),
            ).fetchone()
        return int(tries) - 1

    def calls(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` calls whose number is above `after`."""
        return self._page("SELECT * FROM calls WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)

    def billed(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` billed rows whose number is above `after`."""
        return self._page("SELECT * FROM billed WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)

    def totals(self) -> dict[str, int]:
        """Return the sums of the journal: calls, billed rows, their tokens, and rows that were billed again."""
        with self._lock:
            (calls,) = self._connection.execute("SELECT count(*) FROM calls").fetchone()
            rows, tokens, distinct = self._connection.execute(
                "SELECT count(*), coalesce(sum(prompt_tokens + completion_tokens), 0), count(DISTINCT row_hash) "
                "FROM billed"
            ).fetchone()
        return {"calls": calls, "billed": rows, "tokens": tokens, "billed_again": rows - distinct}

    def _page(self, query: str, after: int, limit: int) -> list[dict[str, Any]]:
        return list(self._rows(query, (after, limit)))

    def _rows(self, query: str, values: tuple[int, int]) -> Iterator[dict[str, Any]]:
        with self._lock:
            cursor = self._connection.execute(query, values)
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        return (dict(zip(names, row, strict=True)) for row in rows)
