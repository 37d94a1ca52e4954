"""How building goes on over several runs, where documents take longer than one may: at its end, a run ends its batches.

So nothing that it built is lost, and each run comes further, however little room the batches have been filled. Beside
the row that it had come to stand the rows whose documents it fetched and did not send, so that it is done once.
"""

import heapq
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from shared.domain import blob_names
from shared.domain.model import Fault, Job, RowCode
from shared.domain.ports import App, Container
from shared.pipeline.outcome_files import work_lines

RUN: Final = timedelta(minutes=8)
"""How long one run builds a job whose documents have to be fetched; with other work, it must fit the host's limit."""

COUNTING: Final = timedelta(minutes=15)
"""How long documents are fetched before that, to count the rows that no earlier job has answered; likewise."""

type _SettledRow = tuple[int, str, str]
"""A row, and the code and message of its fault; or no code, and the hash of its request, which was answered before."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[int, str, str]).decode


class UnfinishedError(Exception):
    """The run's time is over; what it has built stays."""


class EarlierRuns:
    """What the runs before have left, taken in the order of the file."""

    def __init__(self, app: App, there: Mapping[str, int]) -> None:
        """`there` has the names of all files of the job's batches."""
        ends = {name: row for name in there if (row := blob_names.row_of_run_end(name)) is not None}
        self._ends = frozenset(ends.values())
        self._settled = heapq.merge(*(map(_decode, work_lines(app, name)) for name in ends))
        self._next: _SettledRow | None = next(self._settled, None)

    def ended_at(self, row: int) -> bool:
        """Return whether one of them ended behind a row."""
        return row in self._ends

    def fault(self, row: int) -> Fault | None:
        """Return why a row's documents could not be sent, None where that is to be seen."""
        _, code, message = self._of(row)
        return Fault(RowCode(code), message) if code else None

    def request(self, row: int) -> bytes:
        """Return the hash of a row's request if it was answered before, nothing where that is to be seen."""
        _, code, text = self._of(row)
        return b"" if code else bytes.fromhex(text)

    def _of(self, row: int) -> _SettledRow:
        while self._next is not None and self._next[0] < row:
            self._next = next(self._settled, None)
        return (row, "", "") if self._next is None or self._next[0] != row else self._next


class Run:
    """One run that builds a job: its time, and the rows whose documents it fetched and did not send."""

    def __init__(self, app: App, job: Job, *, counting: bool) -> None:
        self._app = app
        self._job = job
        self._until = app.now() + COUNTING if counting else None
        self._settled: list[bytes] = []

    @property
    def is_over(self) -> bool:
        """Whether the run must end as soon as the next can go on behind it."""
        return self._until is not None and self._app.now() > self._until

    def count(self, *, has_new: bool = True) -> None:
        """Count the run's time from its first new row: else a run that has much to read again never comes further."""
        if has_new and self._until is None:
            self._until = self._app.now() + RUN

    def note(self, row: int, fault: Fault) -> None:
        """Note a row whose documents could not be sent."""
        self.count()
        self._settled.append(_encode((row, fault.code.value, fault.message)) + b"\n")

    def note_answered(self, row: int, request: bytes) -> None:
        """Note a row whose request was answered before, by its hash."""
        self.count()
        self._settled.append(_encode((row, "", request.hex())) + b"\n")

    def write_end(self, row: int) -> None:
        """Write down that the run ends behind a row."""
        self._app.files.write(Container.WORK, blob_names.run_end(self._job, row), b"".join(self._settled))
