"""The first rows that failed with each code, as lines for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.commands.job_words import one_line

SHOWN = 5
"""Rows of each code that are shown."""

FAULTS_OF_ROWS = ("no_valid_rows", "invalid_row")
"""Codes of jobs that failed for what single rows hold; all others are said in the job's own message."""


@dataclass
class FirstFaults:
    """Collects the first rows that failed with each code, and what is wrong with them."""

    counts: Mapping[str, int]
    """How many rows failed, by code; rows of other codes are passed over."""
    rows: dict[str, list[tuple[object, str]]] = field(default_factory=dict)
    """By code: the rows' numbers and messages."""

    @property
    def are_complete(self) -> bool:
        """Whether further rows would change nothing."""
        return all(len(self.rows.get(code, ())) >= min(count, SHOWN) for code, count in self.counts.items())

    def add(self, code: object, row: object, message: str) -> None:
        """Take a row that failed."""
        if isinstance(code, str) and code in self.counts:
            found = self.rows.setdefault(code, [])
            if len(found) < SHOWN:
                found.append((row, one_line(message)))

    def lines(self, said: str = "") -> list[str]:
        """Return a line for each code, and below it one for each message with its rows, and how many more there are.

        `said` is the job's own message: what it holds is not told again.
        """
        lines = []
        for code, found in self.rows.items():
            rows_of: dict[str, list[str]] = {}
            for row, message in found:
                rows_of.setdefault(message, []).append(str(row))
            untold = {message: rows for message, rows in rows_of.items() if message.rstrip("…") not in said}
            if untold:
                lines.append(f"{self.counts[code]:,} {code}:")
                lines += [f"  row{'s' * (len(rows) > 1)} {', '.join(rows)}: {text}" for text, rows in untold.items()]
                more = self.counts[code] - len(found)
                lines += [f"  and {more:,} more"] * (more > 0)
        return lines
