"""The first rows of results.csv or pilot.csv as a table in the terminal: own columns, answers, three lines a cell."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from local.commands.job_words import NOT_SENT, counted

SHOWN_ROWS = 20
SHOWN_COLUMNS = 8
_OWN_COLUMNS = 2
_CELL_LINES = 3
_CELL_WIDTH = 48
_NARROWEST = 14
_FIXED = ("status", "error_code", "error_message")
_LINES = ("results.jsonl", "errors.jsonl")


@dataclass(frozen=True)
class Cell:
    """A text of three lines at most; the rest is cut, and said to be by `…`."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines that fit."""
        lines = Text(self.text).wrap(console, options.max_width, overflow="fold")
        for line in lines[:_CELL_LINES]:
            line.rstrip()
        if len(lines) > _CELL_LINES:
            last = lines[_CELL_LINES - 1]
            last.truncate(max(1, options.max_width - 1))
            last.append("…")
        yield from lines[:_CELL_LINES]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell how narrow and how wide the text can be."""
        widest = Measurement.get(console, options, Text(self.text)).maximum
        words = max((len(word) for word in self.text.split()), default=1)
        return Measurement(min(words, _NARROWEST), min(widest, _CELL_WIDTH)).with_maximum(options.max_width)


def results_table(path: Path, title: str, width: int) -> Table:
    """Build a table of the first rows that were sent: custom_id, own columns, the answer's fields, errors if any."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=_separator(path))
        sent = (row for row in reader if row["error_code"] != NOT_SENT)
        rows = list(islice(sent, SHOWN_ROWS))
        more = sum(1 for _ in sent)
    names = list(reader.fieldnames or ())
    columns = _chosen(names, _own_columns(path.parent), rows, width)
    hidden = len([name for name in names if name not in (*columns, *_FIXED)])
    left_out = [counted(number, f"more {noun}") for number, noun in ((more, "row"), (hidden, "column")) if number]
    table = Table(title=escape(title), caption=f"and {', '.join(left_out)}" if left_out else None)
    for name in columns:
        table.add_column(Cell(name))
    for row in rows:
        table.add_row(*(_cell(row, name) for name in columns))
    return table


def _separator(path: Path) -> str:
    """Return the separator of the file, which follows the prompt file's."""
    with path.open(encoding="utf-8-sig") as file:
        return ";" if file.readline().startswith(("custom_id;", '"custom_id";')) else ","


def _chosen(names: Sequence[str], own: set[str] | None, rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """Choose as many columns as fit: custom_id, the first of the user's own, the answer's fields, errors if any."""
    known = own or ()
    mine = [name for name in names if name in known and any(row[name] != row["custom_id"] for row in rows)]
    answer = [name for name in names if name not in known and name not in (*_FIXED, "custom_id")]
    last = ["error_code"] if any(row["status"] != "ok" for row in rows) else []
    chosen = ["custom_id", *mine[:_OWN_COLUMNS], *answer]
    room = SHOWN_COLUMNS
    while chosen and (len(chosen) > room or _least_width([*chosen, *last], rows) > width):
        # The second own column goes first, then the answer's last fields; of columns not told apart, the first ones.
        last_resort = chosen[1] if own is None and len(chosen) > 2 else chosen[-1]
        chosen.remove(mine[1] if len(mine) > 1 and mine[1] in chosen else last_resort)
    return [*chosen, *last]


def _least_width(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> int:
    """Return how many characters a table of these columns takes where its cells are still easy to read."""
    cells = ([name, *(row[name] or "" for row in rows)] for name in columns)
    return 1 + sum(3 + min(max(map(len, column)), _NARROWEST) for column in cells)


def _cell(row: Mapping[str, str], name: str) -> Cell | Text:
    text = " ".join((row[name] or "").split())
    return Text(text, style="red") if name == "error_code" else Cell(text)


def _own_columns(folder: Path) -> set[str] | None:
    """Return the names of the user's own columns as far as the first rows show; None beside a pilot.csv alone."""
    if not any((folder / name).exists() for name in _LINES):
        return None
    own = {name for line in _first_lines(folder) for name in json.loads(line).get("input") or {}}
    return own | {f"input.{name}" for name in own}


def _first_lines(folder: Path) -> Iterator[bytes]:
    for name in _LINES:
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                yield from islice(file, SHOWN_ROWS)
