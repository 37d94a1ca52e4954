"""The rows of one Azure table: each call of the client that the app makes, with the app's errors for storage's.

The table is made on first use; a row is replaced only if it has not changed since it was read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableTransactionError, UpdateMode

from shared.adapters.storage_errors import parent_is_missing, translate, translated, with_parent
from shared.adapters.table_entities import Entity, etag_of
from shared.domain.errors import Conflict

TRANSACTION_LIMIT: Final = 100
"""A transaction holds at most so many operations, all within one partition."""

type Operation = tuple[Any, ...]


class TableRows:
    """One table's rows. A `version` is the row's ETag; `what` names a row in messages. Raises AppErrors."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def get(self, partition: str, row: str) -> Any:
        """Return a row as an entity, None where there is none."""
        try:
            return self._client.get_entity(partition, row)
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise translate(error, f"row {row}") from error

    def query(self, where: str, values: Mapping[str, str], page: int = 1000) -> Iterator[Any]:
        """Read the rows that a filter takes, page by page; `values` are its @parameters."""
        try:
            yield from self._client.query_entities(where, parameters=dict(values), results_per_page=page)
        except HttpResponseError as error:
            if not parent_is_missing(error):
                raise translate(error, "the jobs table") from error
        except AzureError as error:
            raise translate(error, "the jobs table") from error

    def create(self, entity: Entity, what: str) -> str:
        """Write a new row and return its version. Raises Conflict where there is one already."""
        with translated(what):
            return etag_of(self._with_table(lambda: self._client.create_entity(entity)))

    def put(self, entity: Entity, mode: UpdateMode = UpdateMode.REPLACE) -> str:
        """Write a row, whatever is there, and return its version."""
        with translated(f"row {entity['RowKey']}"):
            return etag_of(self._with_table(lambda: self._client.upsert_entity(entity, mode=mode)))

    def replace(self, entity: Entity, version: str, what: str) -> str:
        """Write over a row as it was read, and return its new version.

        Raises Conflict where the row has changed since, or is gone.
        """
        try:
            done = self._client.update_entity(entity, **_unchanged(version))
        except ResourceNotFoundError as error:
            raise Conflict(f"{what} is gone") from error
        except AzureError as error:
            raise translate(error, what) from error
        return etag_of(done)

    def delete(self, partition: str, row: str) -> None:
        """Delete a row, where there is one."""
        with translated(f"row {row}"), suppress(ResourceNotFoundError):
            self._client.delete_entity(partition, row)

    def transaction(self, operations: Sequence[Operation], what: str) -> list[Mapping[str, Any]]:
        """Do all operations or none. Raises Conflict where a row of them has changed, or is there already."""
        try:
            done: list[Mapping[str, Any]] = self._with_table(lambda: self._client.submit_transaction(operations))
        except (TableTransactionError, ResourceExistsError) as error:
            if getattr(error, "status_code", None) in (404, 409, 412):
                raise Conflict(f"{what} changed meanwhile") from error
            raise translate(error, what) from error
        except AzureError as error:
            raise translate(error, what) from error
        return done

    def _with_table(self, call: Callable[[], Any]) -> Any:
        return with_parent(call, self._client.create_table)


def creation(entity: Entity) -> Operation:
    """Return the operation that writes a new row."""
    return ("create", entity)


def replacement(entity: Entity, version: str) -> Operation:
    """Return the operation that writes over a row as it was read; without a version it is a new one."""
    return ("update", entity, _unchanged(version)) if version else creation(entity)


def deletion(entity: Entity, version: str) -> Operation:
    """Return the operation that deletes a row as it was read."""
    return ("delete", entity, {"match_condition": MatchConditions.IfNotModified, "etag": version})


def _unchanged(version: str) -> dict[str, Any]:
    return {"mode": UpdateMode.REPLACE, "match_condition": MatchConditions.IfNotModified, "etag": version}
