"""Rows in which a column of the job's template is empty: sent all the same, with one warning for all of them."""

from collections.abc import Mapping

from shared.prompt_file.columns import listed
from shared.requests.messages import Conversation


class EmptyValues:
    """Counts them, and remembers the first row and which columns it was."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._columns: dict[str, None] = {}
        self._rows = self._first = 0

    def look(self, row: int, values: Mapping[str, object]) -> None:
        """Look at a row that was built by the template."""
        if empty := self._conversation.empty_in(values):
            self._columns.update(dict.fromkeys(empty))
            self._rows += 1
            self._first = self._first or row

    def warning(self) -> list[str]:
        """Return the warning, none where no value was empty."""
        if not self._rows:
            return []
        if self._rows == 1:
            which, rest = f"Row {self._first} has", ""
        else:
            which, rest = f"{self._rows:,} rows have", f"; the first is row {self._first}"
        return [f"{which} nothing in a column that the job's template names, {listed(tuple(self._columns))}{rest}."]
