"""The schemas that answers are checked with, where these ask for more than the requests show.

A line of errors.jsonl carries such a schema, so that dropped again its answer is checked as the first time.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from shared import answer_schema, json_codec
from shared.answer_schema.schema_list import SchemaList, StoredSchemas
from shared.json_codec import mapping
from shared.requests.response_format import asked_in, format_of

_KEPT: Final = 256


class UnshownSchemas:
    """Remembers the schemas of requests that are built once more; `schemas` is the list for their builder."""

    def __init__(self) -> None:
        self._stored = StoredSchemas(())
        self.schemas = SchemaList(self._stored.add)
        self._find = lru_cache(_KEPT)(self._uncached)

    def of(self, request: Mapping[str, object], number: int) -> Mapping[str, object] | None:
        """Return the schema of this number if it asks for more than the request, which was built with it, shows."""
        if number < 0:
            return None
        url = str(request["url"])
        given = asked_in(mapping(format_of(mapping(request["body"]), url)), url)
        return self._find(number, json_codec.dumps(mapping(given).get("schema")))

    def _uncached(self, number: int, sent: bytes) -> Mapping[str, object] | None:
        checked, shown = self._stored[number].checked, json_codec.loads(sent)
        return checked if isinstance(shown, dict) and answer_schema.checks_more(checked, shown) else None
