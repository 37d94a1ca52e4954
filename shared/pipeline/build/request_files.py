"""The batches' input files and their lists of rows, while they are written, but for those that an earlier run wrote."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain import blob_names
from shared.domain.model import Batch, BatchState, Job, RequestBlock
from shared.domain.ports import App, BlobWriter, Container
from shared.job_settings.plan import JobPlan
from shared.requests.batch_cutter import BatchCutter
from shared.requests.batch_file import BatchFileWriter


class OutdatedError(Exception):
    """An earlier run, by another version of the app, cut the batches otherwise: all files have to be written anew."""


class RequestFiles:
    """Writes a job's requests into the files of its batches."""

    def __init__(self, app: App, job: Job, plan: JobPlan, there: Mapping[str, int]) -> None:
        """The plan has the limits of a batch; `there` has the size of each file that was written before, by its name.

        What an earlier run has written whole is counted, and not sent again: so a job that is too large for one run of
        the function comes further with each. Raises OutdatedError where it has another size.
        """
        self._app = app
        self._job = job
        self.there = there
        self._cutter = BatchCutter(plan.max_requests, plan.max_bytes, limits=plan.limits)
        self._open: dict[int, BatchFileWriter] = {}
        self._batches: list[Batch] = []
        self._notes: dict[int, BlobWriter] = {}
        self._there_before: set[int] = set()
        self.has_new = False
        """Whether there were requests that no earlier run had written."""

    def put(self, block: RequestBlock, image_note: bytes = b"", *, is_there: bool = False, pilot: bool = False) -> None:
        """Write requests into the files of their batches; those of the `pilot` have separate batches.

        `image_note` is what is noted of one with images. Where it `is_there`, in a batch that was written whole, only
        its size counts; raises OutdatedError where it would come into another.
        """
        for placement in self._cutter.place(block, pilot=pilot):
            for index in placement.closes:
                self._close(index)
            self._file(placement.index, block, pilot=pilot).add(placement.block)
            is_whole = placement.index in self._there_before
            self.has_new = self.has_new or not is_whole
            if is_there and not is_whole:
                raise OutdatedError
            if image_note and not is_whole:
                self._note(placement.index, image_note)

    def close(self) -> list[Batch]:
        """End the batches that are open, and make their files visible; give all batches so far, by index."""
        self._cutter.close()
        for index in list(self._open):
            self._close(index)
        return sorted(self._batches, key=lambda batch: batch.index)

    def _file(self, index: int, block: RequestBlock, *, pilot: bool) -> BatchFileWriter:
        file = self._open.get(index)
        if file is None:
            file = self._open[index] = self._new(index, block, pilot=pilot)
        return file

    def _new(self, index: int, block: RequestBlock, *, pilot: bool) -> BatchFileWriter:
        batch = Batch(
            job_id=self._job.job_id,
            index=index,
            attempt=1,
            state=BatchState.PREPARED,
            model=block.model,
            url=block.url,
            requests=0,
            pilot=pilot,
        )
        names_of_both = blob_names.batch_input(batch), blob_names.batch_rows(batch)
        is_there = all(name in self.there for name in names_of_both)
        lines, rows = [self._writer(name, is_there=is_there) for name in names_of_both]
        if is_there:
            self._there_before.add(index)
        return BatchFileWriter(batch, lines, rows)

    def _note(self, index: int, image_note: bytes) -> None:
        """Note a request with images, for a run that finds its batch whole."""
        if index not in self._notes:
            self._notes[index] = self._app.files.writer(
                Container.WORK, blob_names.batch_documents(self._open[index].batch)
            )
        self._notes[index].write(image_note)

    def _writer(self, name: str, *, is_there: bool) -> BlobWriter:
        return _Written(self.there[name]) if is_there else self._app.files.writer(Container.WORK, name)

    def _close(self, index: int) -> None:
        if index in self._notes:
            self._notes.pop(index).commit()  # First, as a batch that is whole must have its notes.
        self._batches.append(self._open.pop(index).commit())


@dataclass(slots=True)
class _Written:
    """A blob that was written before: it only has to have the size that it would get."""

    left: int

    def write(self, data: bytes) -> None:
        self.left -= len(data)

    def commit(self) -> str:
        if self.left:
            raise OutdatedError
        return ""
