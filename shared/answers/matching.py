"""The lines of a batch's output and error files, matched to its rows, in the rows' order and in flat memory.

The service keeps no order, may repeat, drop or break lines, and the files may be larger than memory and disk. One pass
over them checks each answer and stores its outcome at its row's place; then the outcomes are yielded in the rows'
order. If they fit neither into memory nor onto the disk, this is done for one window of rows after another, with
another pass over the files for each. Lines end at `\\n` bytes only: U+2028 and the like are data.
"""

import io
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from shared import json_codec
from shared.answers import common_case
from shared.answers.common_case import CommonAnswer
from shared.answers.lines import Answer, answer_in, outcome_of, parse_and_check
from shared.answers.outcomes import best_line, result_line, to_line
from shared.answers.spilled_lines import MEMORY_LIMIT, SpilledLines
from shared.answers.validation import Checks
from shared.domain.model import Fault, Outcome, RowCode, SentRow, Usage

SCRATCH_LIMIT: Final = 192 * 1024 * 1024
"""Bytes of the temporary file: the smallest instances have less than 1 GB of disk, for all functions."""

BLOCK: Final = 512
"""Rows yielded at a time."""

_UNRUN: Final = frozenset({RowCode.CANCELLED, RowCode.EXPIRED})
"""Codes for rows that the service never ran; it may write lines with them, or leave the rows out."""

_LINE_FEED: Final = ord("\n")

type Open[T] = Callable[[], Iterator[T]]
"""Opens something to be read from its beginning, as often as needed."""


class Matching:
    """The matching of one batch: exhaust `lines()`, then read the counts."""

    def __init__(
        self,
        rows: Iterable[SentRow],
        files: Sequence[Open[bytes]],
        *,
        absent: Fault,
        attempts: int,
        checks: Checks,
        scratch: int = SCRATCH_LIMIT,
        memory: int = MEMORY_LIMIT,
    ) -> None:
        """Match the lines of `files`, which yield chunks of any size, to `rows`.

        A row without a readable line gets the fault `absent`; if that is `gave_up`, so does a row whose line says that
        it was never run. Outcomes take at most `memory` bytes of memory and `scratch` bytes of temporary disk.
        """
        sent = list(rows)
        # Columns instead of records: they are compact in memory, and rows are looked up in random order.
        self._numbers = array("Q", [row.row for row in sent])
        self._ids = [row.custom_id for row in sent]
        self._schemas = array("q", [row.schema for row in sent])
        self._places = {custom_id: place for place, custom_id in enumerate(self._ids)}
        self._files = files
        self._absent = absent
        self._attempts = attempts
        self._checks = checks
        self._scratch = scratch
        self._memory = memory
        self.missing = 0
        """Rows without a readable line."""
        self.unknown = 0
        """Lines with a custom_id that no row has."""
        self.repeated = 0
        """Lines beyond the first one for the same row."""
        self.broken_lines = 0
        """Lines that are not a JSON object with a custom_id."""
        self.cut = False
        """Whether a file ends in the middle of a line: it should be fetched again."""

    def lines(self) -> Iterator[list[bytes]]:
        """Yield exactly one outcome per row, in the rows' order, as blocks of lines without line ends."""
        with tempfile.TemporaryFile(buffering=0) as scratch:
            spilled = SpilledLines(len(self._ids), scratch, self._memory, self._scratch)
            self._fill(spilled)
            if not spilled.overflown:
                yield from self._taken(spilled, range(len(self._ids)))
                return
            windows = spilled.windows()
        for window in windows:
            with tempfile.TemporaryFile(buffering=0) as scratch:
                spilled = SpilledLines(len(self._ids), scratch, self._memory)
                self._fill(spilled, window)
                yield from self._taken(spilled, window)

    def _taken(self, spilled: SpilledLines, places: range) -> Iterator[list[bytes]]:
        """Yield the outcomes of these places."""
        for start in range(places.start, places.stop, BLOCK):
            end = min(start + BLOCK, places.stop)
            yield [
                found if isinstance(found, bytes) else self._chosen(place, found)
                for place, found in enumerate(spilled.take(start, end), start)
            ]

    def _chosen(self, place: int, lines: Sequence[bytes]) -> bytes:
        if not lines:
            self.missing += 1
            return self._absent_line(place)
        self.repeated += len(lines) - 1
        return lines[0] if len(lines) == 1 else best_line(lines)

    def _absent_line(self, place: int) -> bytes:
        row, custom_id, schema, _image_tokens = self._sent(place)
        return to_line(
            Outcome(
                row=row,
                custom_id=custom_id,
                code=self._absent.code,
                message=self._absent.message,
                attempts=self._attempts,
                schema=schema,
            )
        )

    def _fill(self, spilled: SpilledLines, window: range | None = None) -> None:
        """Store the outcomes of all lines, or of those in a window; only a pass without a window counts faults."""
        read, place_of = common_case.read, self._places.get
        for file in self._files:
            for line in lines_of(file()):
                try:
                    answer = read(line)
                except common_case.UNUSUAL:
                    self._put_unusual(spilled, line, window)
                    continue
                place = place_of(answer.custom_id)
                if place is None:
                    self.unknown += window is None
                elif window is None or place in window:
                    spilled.put(place, self._common_line(place, answer))
        spilled.finish()

    def _common_line(self, place: int, answer: CommonAnswer) -> bytes:
        schema, body = self._schemas[place], answer.response.body
        text, usage = body.choices[0].message.content, body.usage
        complaint, output = parse_and_check(text, None if schema < 0 else self._checks.check(schema))
        paid = usage.prompt_tokens, usage.completion_tokens
        details = usage.prompt_tokens_details
        cached = 0 if details is None else details.cached_tokens
        if complaint:
            unfit = Answer(None, "", text, text, "stop", body.model, Usage(*paid, cached), 200)
            return self._outcome_line(place, unfit)
        return result_line(
            self._numbers[place], answer.custom_id, output, body.model, paid, self._attempts, schema, cached
        )

    def _put_unusual(self, spilled: SpilledLines, line: bytes, window: range | None) -> None:
        try:
            parsed = json_codec.loads(line)
        except ValueError:
            parsed = None
        custom_id = parsed.get("custom_id") if isinstance(parsed, dict) else None
        if not isinstance(parsed, dict) or not isinstance(custom_id, str):
            if window is None:
                self._count_fault(line, cut=parsed is None and not line.endswith(b"\n"))
            return
        place = self._places.get(custom_id)
        if place is None:
            self.unknown += window is None
        elif window is None or place in window:
            spilled.put(place, self._outcome_line(place, answer_in(parsed)))

    def _outcome_line(self, place: int, answer: Answer) -> bytes:
        sent = self._sent(place)
        if answer.code in _UNRUN and self._absent.code is RowCode.GAVE_UP:
            return self._absent_line(place)
        check = None if sent.schema < 0 else self._checks.check(sent.schema)
        return to_line(outcome_of(answer, sent=sent, attempts=self._attempts, check=check))

    def _sent(self, place: int) -> SentRow:
        return SentRow(self._numbers[place], self._ids[place], self._schemas[place])

    def _count_fault(self, line: bytes, *, cut: bool) -> None:
        if line.strip():
            self.cut |= cut
            self.broken_lines += not cut


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks into lines with their line ends, `\\n` bytes only; the last line may have none."""
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
