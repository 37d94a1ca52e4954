"""All batch records, in memory and on disk."""

import threading
from collections.abc import Iterable

from local.batch_service.batch_record import ADAPTER, StoredBatch
from local.batch_service.database import Database
from local.batch_service.errors import not_found
from local.batch_service.execution import Billed


class BatchTable:
    """The batch records in the order of their creation. Hold `lock` where a decision rests on what was read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lock = threading.RLock()
        self._waiting: set[str] = set()
        self._batches = {batch.id: batch for batch in map(ADAPTER.validate_python, database.documents("batch"))}
        self._waiting.update(batch.id for batch in self._batches.values() if batch.quota is not None)

    def all(self) -> list[StoredBatch]:
        """Return every batch, the oldest first."""
        with self.lock:
            return list(self._batches.values())

    def find(self, batch_id: str) -> StoredBatch:
        """Return the batch; raises ServiceError 404 where there is none."""
        batch = self._batches.get(batch_id)
        if batch is None:
            raise not_found("batch", batch_id)
        return batch

    def save(self, batch: StoredBatch, billed: Iterable[Billed] = ()) -> None:
        """Store the batch, together with the rows that it was billed for since the last time."""
        rows = [(batch.id, row.custom_id, row.row_hash, row.prompt_tokens, row.completion_tokens) for row in billed]
        with self.lock:
            self._batches[batch.id] = batch
            (self._waiting.discard if batch.quota is None else self._waiting.add)(batch.id)
            self._database.put_batch(batch.id, ADAPTER.dump_python(batch, mode="json"), rows)

    def clear(self) -> None:
        """Forget every batch."""
        with self.lock:
            self._batches.clear()
            self._waiting.clear()

    @property
    def any_waiting(self) -> bool:
        """Tell whether the end of validation has yet to look at some batch's quota."""
        return bool(self._waiting)
