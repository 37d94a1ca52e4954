"""Building that was cut off goes on: batches whose files are whole are not sent to storage again."""

import pytest

from shared.domain.model import Job
from shared.domain.ports import Container
from testing.fakes import FakeClock, MemoryBatchService, MemoryFiles
from tests.reliability.simulation import Killed, Simulation, check_balance, check_payment, table


class MortalFiles(MemoryFiles):
    """Blobs in memory; what is written is noted, and the process dies when a certain blob is."""

    def __init__(self, clock: FakeClock, dies_at: str) -> None:
        super().__init__(clock)
        self.dies_at = dies_at
        self.written: list[str] = []

    def write(self, container: Container, name: str, data: bytes, *, create_only: bool = False, etag: str = "") -> str:
        file = name.partition("/")[2]
        if file == self.dies_at:
            self.dies_at = ""
            raise Killed
        self.written.append(file)
        return super().write(container, name, data, create_only=create_only, etag=etag)


class Resumed(Simulation):
    """A simulation whose first host dies while it builds a job of four batches."""

    def __init__(self, dies_at: str) -> None:
        super().__init__(MAX_REQUESTS_PER_BATCH="2")
        self.files: MortalFiles = MortalFiles(self.clock, dies_at)
        self.service = MemoryBatchService(self.clock, self.files)
        with pytest.raises(Killed):
            self.event(self.host(), self.drop("table.csv", table("abcdefg")))
        self.files.written.clear()

    @property
    def job(self) -> Job:
        """The only job."""
        (job,) = self.jobs()
        return job

    def finish(self) -> set[int]:
        """Let another host take over, and check all accounts; gives the batches whose files it wrote."""
        self.go_on(self.host())
        check_balance(self)
        check_payment(self)
        assert self.status(self.job)["rows"] == {"total": 7, "succeeded": 7, "failed": 0, "pending": 0, "reused": 0}
        return {int(name[6:11]) for name in self.files.written if name.endswith(("/input.jsonl", "/rows.jsonl"))}


def test_batches_that_were_written_whole_are_not_written_again() -> None:
    simulation = Resumed("batch-00002-1/input.jsonl")

    assert simulation.finish() == {2, 3}


def test_a_batch_without_its_list_of_rows_is_written_again() -> None:
    simulation = Resumed("batch-00001-1/rows.jsonl")

    assert simulation.finish() == {1, 2, 3}


@pytest.mark.parametrize("file", ["input.jsonl", "rows.jsonl"])
def test_where_another_version_of_the_app_has_cut_the_batches_otherwise_all_are_written_anew(file: str) -> None:
    simulation = Resumed("batch-00002-1/input.jsonl")
    name = f"{simulation.job.job_id}/batch-00000-1/{file}"
    before = b"".join(simulation.files.read(Container.WORK, name))
    simulation.files.write(Container.WORK, name, before + b"[]\n")

    assert simulation.finish() == {0, 1, 2, 3}
    assert b"".join(simulation.files.read(Container.WORK, name)) == before
