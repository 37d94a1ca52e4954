"""The lines of a batch's output and error files, matched to its rows, in the rows' order and in flat memory.

The service keeps no order, may repeat, drop or break lines, and the files may be larger than memory and disk. One pass
over them puts the lines into a temporary file and notes where those of each custom_id lie; then the rows are walked in
order, each finding its lines. Where the files don't fit into the temporary file, that is done for one window of rows
after another, with one more pass over the files for each. Lines end at `\\n` bytes only: U+2028 and the like are data.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from shared import exact_json
from shared.answers import custom_id_of, outcome_of
from shared.checks import Checks
from shared.line_shelf import Shelf
from shared.model import Fault, Outcome, SentRow
from shared.outcomes import best

SCRATCH_LIMIT: Final = 192 * 1024 * 1024
"""Bytes of the temporary file: the disk of the smallest instances is below 1 GB, and shared."""

type Open[T] = Callable[[], Iterator[T]]
"""Opens something to be read from its beginning, as often as needed."""


class Matching:
    """One matching: take `outcomes()` to its end, then read the counts."""

    def __init__(
        self,
        rows: Open[SentRow],
        files: Sequence[Open[bytes]],
        *,
        absent: Fault,
        attempts: int,
        checks: Checks,
        scratch: int = SCRATCH_LIMIT,
    ) -> None:
        """`files` give chunks of any size; `absent` is what a row without a readable line gets."""
        self._rows = rows
        self._files = files
        self._absent = absent
        self._attempts = attempts
        self._checks = checks
        self._limit = scratch
        self.missing = 0
        """Rows without a readable line."""
        self.unknown = 0
        """Lines whose custom_id no row has."""
        self.repeated = 0
        """Lines beyond the first of a row."""
        self.broken_lines = 0
        """Lines that are no JSON object with a custom_id."""
        self.cut = False
        """Whether a file ends within a line: it should be fetched again."""

    def outcomes(self) -> Iterator[Outcome]:
        """Give exactly one outcome for each row, in the rows' order."""
        with tempfile.TemporaryFile(buffering=0) as scratch:
            shelf = Shelf(scratch, self._limit)
            for custom_id, line in self._lines():
                shelf.put(hash(custom_id), line)
            self.unknown = shelf.lines
            if not shelf.finish():
                yield from self._in_windows(shelf)
            else:
                yield from self._walked(self._rows(), shelf)

    def _in_windows(self, sizes: Shelf) -> Iterator[Outcome]:
        """Walk as many rows at a time as the temporary file can hold the lines of."""
        ahead, behind = self._rows(), self._rows()
        while window := sizes.next_window(ahead):
            wanted = frozenset(window)
            with tempfile.TemporaryFile(buffering=0) as scratch:
                shelf = Shelf(scratch)
                for custom_id, line in self._lines(again=True):
                    if (key := hash(custom_id)) in wanted:
                        shelf.put(key, line)
                shelf.finish()
                yield from self._walked(islice(behind, len(window)), shelf)

    def _walked(self, rows: Iterable[SentRow], shelf: Shelf) -> Iterator[Outcome]:
        for sent in rows:
            lines = shelf.take(hash(sent.custom_id))
            self.unknown -= len(lines)
            found = [outcome for line in lines if (outcome := self._outcome(line, sent))]
            self.repeated += max(len(found) - 1, 0)
            self.missing += not found
            yield best(found) if found else self._absence(sent)

    def _outcome(self, line: bytes, sent: SentRow) -> Outcome | None:
        try:
            parsed = exact_json.loads_line(line)
        except ValueError:
            self.broken_lines += 1
            return None
        if not isinstance(parsed, dict) or parsed.get("custom_id") != sent.custom_id:
            self.unknown += 1
            return None
        check = self._checks.check(sent.schema) if sent.schema >= 0 else None
        return outcome_of(parsed, sent=sent, attempts=self._attempts, check=check)

    def _absence(self, sent: SentRow) -> Outcome:
        return Outcome(
            row=sent.row,
            custom_id=sent.custom_id,
            code=self._absent.code,
            message=self._absent.message,
            attempts=self._attempts,
            schema=sent.schema,
        )

    def _lines(self, *, again: bool = False) -> Iterator[tuple[str, bytes]]:
        """Read all files' lines with their custom_id; what is wrong with them is counted the first time only."""
        for file in self._files:
            for lines, ended in _blocks(file()):
                for line in lines:
                    custom_id = custom_id_of(line)
                    if not ended and line.strip() and not _is_json(line):
                        self.cut = True
                    elif custom_id is not None:
                        yield custom_id, line
                    elif line.strip() and not again:
                        self.broken_lines += 1


def match(
    rows: Open[SentRow],
    files: Sequence[Open[bytes]],
    *,
    absent: Fault,
    attempts: int,
    checks: Checks,
    scratch: int = SCRATCH_LIMIT,
) -> Matching:
    """Match the lines of `files`, the output file and the error file, to the batch's `rows`."""
    return Matching(rows, files, absent=absent, attempts=attempts, checks=checks, scratch=scratch)


def _blocks(chunks: Iterator[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """Cut chunks into lists of lines, at `\\n` bytes only; False marks a last line without its end."""
    unfinished: list[bytes] = []
    for chunk in chunks:
        whole, newline, rest = chunk.rpartition(b"\n")
        if newline:
            yield b"".join((*unfinished, whole)).split(b"\n"), True
            unfinished = [rest]
        else:
            unfinished.append(chunk)
    yield [b"".join(unfinished)], False


def _is_json(line: bytes) -> bool:
    try:
        exact_json.loads_line(line)
    except ValueError:
        return False
    return True
