"""The lines of a batch's output and error files, matched to its rows, in the rows' order and in flat memory.

The service keeps no order, may repeat, drop or break lines, and the files may be larger than memory and disk. One pass
over them puts the lines into a temporary file and notes where those of each custom_id lie; then the rows are walked in
order, each finding its lines. Where the files don't fit into the temporary file, that is done for one window of rows
after another, with one more pass over the files for each. Lines end at `\\n` bytes only: U+2028 and the like are data.
"""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import islice
from typing import Final

from shared import exact_json
from shared.answer_shelf import MEMORY_LIMIT, AnswerShelf
from shared.answers import Answer, answer_in, custom_id_of, judged
from shared.checks import Checks
from shared.model import Fault, Outcome, SentRow
from shared.outcomes import best

SCRATCH_LIMIT: Final = 192 * 1024 * 1024
"""Bytes of the temporary file: the disk of the smallest instances is below 1 GB, and shared."""

_LINE_FEED: Final = ord("\n")

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
        memory: int = MEMORY_LIMIT,
    ) -> None:
        """`files` give chunks of any size; `absent` is what a row without a readable line gets.

        Answers take at most `memory` bytes of memory and `scratch` bytes of temporary disk.
        """
        self._rows = rows
        self._files = files
        self._absent = absent
        self._attempts = attempts
        self._checks = checks
        self._scratch = scratch
        self._memory = memory
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
            shelf = AnswerShelf(scratch, self._memory, self._scratch)
            for custom_id, answer in self._answers():
                shelf.put(custom_id, answer)
                self.unknown += 1
            shelf.finish()
            if shelf.overflown:
                yield from self._in_windows(shelf)
            else:
                yield from self._walked(self._rows(), shelf)

    def _in_windows(self, sizes: AnswerShelf) -> Iterator[Outcome]:
        """Walk as many rows at a time as the temporary file can hold the answers of."""
        ahead, behind = (sent.custom_id for sent in self._rows()), self._rows()
        while window := sizes.next_window(ahead):
            with tempfile.TemporaryFile(buffering=0) as scratch:
                shelf = AnswerShelf(scratch, self._memory)
                for custom_id, answer in self._answers(frozenset(window)):
                    shelf.put(custom_id, answer)
                shelf.finish()
                yield from self._walked(islice(behind, len(window)), shelf)

    def _walked(self, rows: Iterable[SentRow], shelf: AnswerShelf) -> Iterator[Outcome]:
        for sent in rows:
            answers = shelf.take(sent.custom_id)
            if len(answers) == 1:
                self.unknown -= 1
                yield self._judged(answers[0], sent)
            elif answers:
                self.unknown -= len(answers)
                self.repeated += len(answers) - 1
                yield best([self._judged(answer, sent) for answer in answers])
            else:
                self.missing += 1
                yield self._absence(sent)

    def _judged(self, answer: Answer, sent: SentRow) -> Outcome:
        check = self._checks.check(sent.schema) if sent.schema >= 0 else None
        return judged(answer, sent=sent, attempts=self._attempts, check=check)

    def _absence(self, sent: SentRow) -> Outcome:
        return Outcome(
            row=sent.row,
            custom_id=sent.custom_id,
            code=self._absent.code,
            message=self._absent.message,
            attempts=self._attempts,
            schema=sent.schema,
        )

    def _answers(self, wanted: Set[str] | None = None) -> Iterator[tuple[str, Answer]]:
        """Read all files' answers, or the wanted ones, with their custom_id; faults are counted the first time."""
        for file in self._files:
            for line in lines_of(file()):
                if wanted is not None and custom_id_of(line) not in wanted:
                    continue
                try:
                    parsed = exact_json.loads_line(line)
                except ValueError:
                    parsed = None
                custom_id = parsed.get("custom_id") if isinstance(parsed, dict) else None
                if isinstance(parsed, dict) and isinstance(custom_id, str):
                    yield custom_id, answer_in(parsed)
                elif wanted is None:
                    self._count_fault(line, cut=parsed is None and not line.endswith(b"\n"))

    def _count_fault(self, line: bytes, *, cut: bool) -> None:
        if line.strip():
            self.cut |= cut
            self.broken_lines += not cut


def match(
    rows: Open[SentRow],
    files: Sequence[Open[bytes]],
    *,
    absent: Fault,
    attempts: int,
    checks: Checks,
    scratch: int = SCRATCH_LIMIT,
    memory: int = MEMORY_LIMIT,
) -> Matching:
    """Match the lines of `files`, the output file and the error file, to the batch's `rows`."""
    return Matching(rows, files, absent=absent, attempts=attempts, checks=checks, scratch=scratch, memory=memory)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks into lines with their ends, which are `\\n` bytes only; the last line may have none."""
    unfinished: list[bytes] = []
    for chunk in chunks:
        for line in io.BytesIO(chunk):
            if line[-1] != _LINE_FEED:
                unfinished.append(line)
            elif unfinished:
                yield b"".join((*unfinished, line))
                unfinished.clear()
            else:
                yield line
    if unfinished:
        yield b"".join(unfinished)
