"""The table of results: its header, and the rows' values by column, from which each kind of table is written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from shared import json_codec
from shared.answers.outcomes import OutcomeLine
from shared.domain.model import FailedRow
from shared.results.answer_columns import Field, by_column

FIRST: Final = ("custom_id",)
LAST: Final = ("status", "error_code", "error_message")

type Own = Sequence[Mapping[str, object]]
"""The own columns of some rows."""
type Columns = list[Sequence[object]]
"""The values of some rows, a list for each column; what is absent or null is None."""


def header(own: Sequence[str], fields: Sequence[Field]) -> list[str]:
    """Name the columns: custom_id, the user's own, the answer's fields, status, error_code, error_message.

    An answer's field that is named like a fixed column is prefixed `output.`, an own column that is named like a field
    or a fixed column `input.`; more than once where that name is taken too. Case does not count, as many readers of
    tables know none.
    """
    outputs = unique_names("output.", [field.name for field in fields], (*FIRST, *LAST))
    inputs = unique_names("input.", own, (*FIRST, *LAST, *outputs))
    return [*FIRST, *inputs, *outputs, *LAST]


def unique_names(prefix: str, names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Prefix the names that are taken, or stand here twice, until each is the only one whatever its case."""
    used = {name.casefold() for name in taken}
    free = {key for name in names if (key := name.casefold()) not in used}
    result = []
    for name in names:
        unique = name
        while (key := unique.casefold()) in used or (unique is not name and key in free):
            unique = prefix + unique
        used.add(key)
        result.append(unique)
    return result


class TableColumns:
    """Takes the rows' values under that header."""

    def __init__(self, own: Sequence[str], fields: Sequence[Field]) -> None:
        self._own = own
        self._fields = fields

    def of_answers(self, some: Sequence[OutcomeLine]) -> Columns:
        """Take the answers of rows that succeeded, in their fields' columns."""
        answers = json_codec.loads(b"[%b]" % b",".join([line.output for line in some]))
        return by_column(cast("list[object]", answers), self._fields)

    def of_results(self, some: Sequence[OutcomeLine], own: Own, answers: Columns) -> Columns:
        """Take all values of rows that succeeded."""
        return [
            [line.custom_id for line in some],
            *[[values.get(name) for values in own] for name in self._own],
            *answers,
            ["ok"] * len(some),
            [None] * len(some),
            [None] * len(some),
        ]

    def of_error(self, row: FailedRow, own: Mapping[str, object]) -> Columns:
        """Take the values of a row that failed."""
        code = row.outcome.code and row.outcome.code.value
        nothing = [None] * len(self._fields)
        values = (row.custom_id, *map(own.get, self._own), *nothing, "error", code, row.outcome.message)
        return [[value] for value in values]
