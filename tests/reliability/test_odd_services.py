"""Services with habits of their own: nothing is lost, or asked for twice, because one says less, later or otherwise."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import blob_names
from shared.domain.errors import NotFound, Refused, Unavailable
from shared.domain.model import Batch, BatchState, Job, JobState, RemoteBatch, RemoteFile, RowCode
from shared.domain.ports import App, Container, Message, Step
from shared.pipeline import poison
from testing.fakes import PAGE, MemoryBatchService, MemoryQueues, Plan
from tests.reliability.simulation import Killed, Simulation, check_balance, check_payment, table


class OddService(MemoryBatchService):
    """The service in memory; a test says what is odd about it."""

    bare_lists = False
    """Whether its lists leave out the files of ended batches."""

    late_files = 0
    """How often an ended batch is shown before its files are."""

    oldest_first = False
    file_status: str | None = None
    ready_after = timedelta()
    larger_by = 0
    """How many bytes more than there are it says that its files have."""

    without_times = False
    unreadable = ""
    """The end of the ids of files that cannot be read."""

    gone_midway = 0
    """How often a file is gone after its first half."""

    while_reading: Callable[[bytes], object] | None = None
    """Called with a file's content before its last byte is given."""

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        if not self.oldest_first:
            page, following = super().page(after, status=status)
            return [self._odd(remote, bare=self.bare_lists) for remote in page], following
        made = sorted(self.statuses())
        start = made.index(after) + 1 if after else 0
        ids = made[start : start + PAGE]
        page = [remote for batch_id in ids if (remote := super(OddService, self).batch(batch_id)) is not None]
        return page, ids[-1] if len(made) > start + PAGE else ""

    def batch(self, batch_id: str) -> RemoteBatch | None:
        found = super().batch(batch_id)
        return None if found is None else self._odd(found)

    def create(self, batch: Batch, *, metadata: dict[str, str], output_folder: str = "") -> RemoteBatch:
        if batch.file_id in self._stored and self._clock.now() < self._stored[batch.file_id][2] + self.ready_after:
            raise Refused("the file is still being processed")
        return self._odd(super().create(batch, metadata=metadata, output_folder=output_folder))

    def file(self, file_id: str) -> RemoteFile | None:
        found = super().file(file_id)
        return found if found is None or self.file_status is None else replace(found, status=self.file_status)

    def read_file(self, file_id: str) -> Iterator[bytes]:
        if self.unreadable and file_id.endswith(self.unreadable):
            raise Unavailable("this file cannot be read")
        data = b"".join(super().read_file(file_id))
        yield data[: len(data) // 2]
        if self.gone_midway:
            self.gone_midway -= 1
            raise NotFound(f"no file {file_id}")
        if self.while_reading is not None:
            self.while_reading(data)
        yield data[len(data) // 2 :]

    def _file(self, file_id: str) -> RemoteFile:
        found = super()._file(file_id)
        return replace(found, size=found.size + self.larger_by)

    def _odd(self, remote: RemoteBatch, *, bare: bool = False) -> RemoteBatch:
        if self.without_times:
            remote = replace(remote, created_at=None)
        if remote.output_file_id and self.late_files:
            self.late_files -= 1
            bare = True
        return replace(remote, output_file_id="", error_file_id="") if bare else remote


class OddSimulation(Simulation):
    """A simulation with such a service."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.service: OddService = OddService(self.clock, self.files)

    def run(self, rows: str = "abc", minutes: int = 600) -> dict[str, Any]:
        """Drop a table, go on until its job has ended, check all accounts, and give its status."""
        app = self.host()
        self.event(app, self.drop("table.csv", table(rows)))
        self.go_on(app, minutes=minutes)
        check_balance(self)
        check_payment(self)
        return self.status(self.jobs()[0])


def test_a_list_that_shows_ended_batches_without_their_files_costs_no_answer() -> None:
    simulation = OddSimulation()
    simulation.service.bare_lists = True

    assert simulation.run()["rows"]["succeeded"] == 3
    assert len(simulation.service.billed) == 3


def test_a_file_that_is_gone_while_it_is_read_is_read_again() -> None:
    simulation = OddSimulation()
    simulation.service.gone_midway = 1

    assert simulation.run()["rows"]["succeeded"] == 3
    assert len(simulation.service.billed) == 3


@pytest.mark.parametrize("kinds", [["output"], ["output", "error"]])
def test_where_another_worker_has_copied_the_answers_meanwhile_its_copy_counts(kinds: list[str]) -> None:
    simulation = OddSimulation()
    left = [*kinds]

    def copy(data: bytes) -> None:
        if not left:
            return
        kind = left.pop(0)
        (job,) = simulation.jobs()
        (batch,) = simulation.store.batches(job.job_id)
        theirs = data.replace(b"gpt-4o", b"theirs")
        assert (theirs != data) is (kind == "output")
        simulation.files.write(Container.WORK, blob_names.batch_answers(batch, kind), theirs, create_only=True)

    simulation.service.while_reading = copy

    assert simulation.run()["rows"]["succeeded"] == 3
    results = simulation.result(simulation.jobs()[0], "results.jsonl").splitlines()
    assert {json.loads(line)["model"] for line in results} == {"theirs-2024-08-06"}
    assert left == []


def test_files_that_a_batch_names_only_after_its_end_are_waited_for() -> None:
    simulation = OddSimulation()
    simulation.service.late_files = 2

    assert simulation.run()["rows"]["succeeded"] == 3
    assert len(simulation.service.billed) == 3


def test_batches_are_asked_for_by_id_where_no_list_is_to_be_had() -> None:
    simulation = OddSimulation()
    simulation.service.fail("page", "before", times=10**9)

    assert simulation.run()["state"] == "completed"


def test_a_lost_creation_is_found_in_a_list_that_begins_with_the_oldest() -> None:
    simulation = OddSimulation()
    simulation.service.oldest_first = True
    _others(simulation, PAGE + 50)
    simulation.service.fail("create", "after")

    status = simulation.run()

    assert status["rows"]["succeeded"] == 3
    assert len(simulation.service.created()) == PAGE + 51


def _others(simulation: OddSimulation, count: int) -> None:
    """Somebody else's batches of yesterday."""
    simulation.service.plan_of = lambda metadata: Plan()
    file = simulation.service.upload("other.jsonl", io.BytesIO(b'{"custom_id": "x", "body": {}}\n'))
    batch = Batch(
        job_id="x", index=0, attempt=1, state=BatchState.UPLOADED, model="m", url="/", requests=1, file_id=file.file_id
    )
    simulation.service.rows = {"x": ["500"]}
    for number in range(count):
        simulation.service.create(batch, metadata={"job": "x", "index": str(number), "attempt": "1"})
    simulation.clock.advance(86_400)


@pytest.mark.parametrize("status", ["uploaded", ""])
def test_a_file_of_which_nobody_can_say_whether_it_is_processed_is_tried_until_it_is(status: str) -> None:
    simulation = OddSimulation()
    simulation.service.file_status = status
    simulation.service.ready_after = timedelta(minutes=10)

    assert simulation.run()["rows"]["succeeded"] == 3


def test_a_refusal_that_is_not_about_the_file_is_final_all_the_same() -> None:
    simulation = OddSimulation()
    simulation.service.file_status = "uploaded"
    simulation.service.ready_after = timedelta(days=1)

    status = simulation.run()

    assert (status["state"], status["code"]) == ("failed", "batch_failed")


def test_a_size_that_is_told_too_large_costs_no_answer_and_no_second_batch() -> None:
    simulation = OddSimulation()
    simulation.service.larger_by = 1

    assert simulation.run()["rows"]["succeeded"] == 3
    assert len(simulation.service.billed) == 3


def test_rows_are_not_called_missing_as_long_as_a_file_is_shorter_than_the_service_says() -> None:
    simulation = OddSimulation()
    simulation.service.fail("read_file", "short", times=6)

    assert simulation.run()["rows"]["succeeded"] == 3
    assert len(simulation.service.billed) == 3


def test_a_batch_without_a_time_is_shown_as_created_when_it_was() -> None:
    simulation = OddSimulation()
    simulation.service.without_times = True

    status = simulation.run()

    assert status["warnings"] == []
    assert status["batches"][0]["created_at"] == status["created_at"]


def test_a_job_that_gives_up_keeps_the_answers_that_can_be_read() -> None:
    simulation = OddSimulation(MAX_WAIT_HOURS="2")
    simulation.service.rows = {"a": ["400"]}
    simulation.service.unreadable = "-error"

    status = simulation.run()

    assert status["state"] == "completed"
    assert (status["rows"]["succeeded"], status["errors"]) == (2, {"gave_up": 1})


def test_a_batch_that_failed_but_names_answers_has_them_read() -> None:
    simulation = OddSimulation()
    simulation.service.plan_of = lambda metadata: Plan(ends="expired", share=0.7)
    app = simulation.host()
    simulation.event(app, simulation.drop("table.csv", table("abc")))
    simulation.clock.advance(3600)
    (job,) = simulation.jobs()
    remote = simulation.service.batch(simulation.store.batches(job.job_id)[0].batch_id)
    assert remote is not None
    failed = replace(remote, status="failed", errors=(("invalid_json_line", "no JSON", "3"),))
    simulation.service.page = lambda after, *, status="": ([failed], "")  # type: ignore[method-assign]
    simulation.go_on(app)

    status = simulation.status(job)
    assert status["state"] == "completed"
    assert (status["rows"]["succeeded"], status["errors"]) == (2, {"batch_failed": 1})


def test_a_batch_whose_answers_the_app_cannot_read_ends_with_its_job_all_the_same() -> None:
    simulation = OddSimulation(MAX_WAIT_HOURS="2")
    app = simulation.host()
    simulation.event(app, simulation.drop("table.csv", table("abc")))
    simulation.clock.advance(3600)
    simulation.service.unreadable = "-output"
    simulation.tick(app)
    simulation.deliver(app)
    job = simulation.store.save_job(replace(simulation.jobs()[0], gave_up_at=app.now() - timedelta(hours=2)))

    poison.record(app, Message(Step.COLLECT, job.job_id, 0, 1))

    (batch,) = simulation.store.batches(job.job_id)
    assert batch.failure is RowCode.GAVE_UP
    simulation.go_on(app)
    assert simulation.status(job)["errors"] == {"gave_up": 3}
    check_balance(simulation)


def test_a_refusal_at_creation_for_want_of_a_deployment_is_waited_for() -> None:
    simulation = OddSimulation()
    tries = iter([True, True, False])
    create = simulation.service.create

    def without_deployment(batch: Batch, *, metadata: dict[str, str], output_folder: str = "") -> RemoteBatch:
        if next(tries, False):
            raise Refused("The batch service refuses it (400 model_not_found no such model)", "model_not_found")
        return create(batch, metadata=metadata, output_folder=output_folder)

    simulation.service.create = without_deployment  # type: ignore[method-assign]
    assert simulation.run()["rows"]["succeeded"] == 3


def test_answers_elsewhere_than_in_the_work_container_are_not_asked_for_again() -> None:
    simulation = OddSimulation(BATCH_TRANSFER="storage", MAX_WAIT_HOURS="2")
    elsewhere = "https://elsewhere.blob.core.windows.net/out/results.jsonl"
    batch = simulation.service.batch

    def odd(remote: RemoteBatch) -> RemoteBatch:
        return replace(remote, output_blob=elsewhere) if remote.output_blob else remote

    page = simulation.service.page
    simulation.service.page = lambda after, *, status="": (  # type: ignore[method-assign]
        [odd(remote) for remote in page(after)[0]],
        "",
    )
    simulation.service.batch = lambda batch_id: odd(batch(batch_id))  # type: ignore[method-assign, arg-type]
    app = simulation.host()
    simulation.event(app, simulation.drop("table.csv", table("abc")))
    simulation.clock.advance(3600)
    for _ in range(3):
        simulation.tick(app)
        simulation.deliver(app)

    (job,) = simulation.jobs()
    assert job.state is JobState.WAITING
    assert "WORK_CONTAINER" in job.message
    simulation.go_on(app)
    assert len(simulation.service.billed) == 3


def test_a_schema_that_no_answer_fits_in_hundreds_of_batches_leaves_the_job_small_enough() -> None:
    simulation = OddSimulation(MAX_REQUESTS_PER_BATCH="20", MAX_ATTEMPTS="1")
    rows = [f"r{number}" for number in range(20 * 50)]
    simulation.service.rows = {row: ["bad"] for row in rows}
    app = simulation.host()
    simulation.event(app, simulation.drop("table.csv", table(rows)))
    simulation.go_on(app)

    warnings = simulation.status(simulation.jobs()[0])["warnings"]
    assert len(warnings) == 40
    assert warnings[-1].startswith("There are more warnings about batches")


@pytest.mark.parametrize("kept_back", ["completed", "held"])
def test_a_notice_that_a_crash_kept_back_is_sent_later(kept_back: str) -> None:
    limit = {"MAX_JOB_INPUT_TOKENS": "1"} if kept_back == "held" else {}
    simulation = OddSimulation(NOTIFY_URL="https://hook.example", **limit)
    name = simulation.drop("table.csv", table("abc"))
    with pytest.raises(Killed):
        _run_until_killed(simulation, name)

    simulation.clock.advance(660)
    app = simulation.host()
    for _ in range(15):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)

    assert [json.loads(body)["state"] for body in simulation.hook.bodies] == [kept_back]


def _run_until_killed(simulation: Simulation, name: str) -> None:
    app = _dying_at_notices(simulation)
    simulation.event(app, name)
    simulation.go_on(app)


def _dying_at_notices(simulation: Simulation) -> App:
    def dying(message: Message, delay: timedelta = timedelta()) -> None:
        if message.step is Step.NOTIFY:
            raise Killed
        simulation.queues.send(message, delay)

    queues = MemoryQueues(simulation.clock)
    queues.send = dying  # type: ignore[method-assign]
    queues.take = simulation.queues.take  # type: ignore[method-assign]
    return replace(simulation.host(), queues=queues)


def test_a_step_that_was_overtaken_before_it_wrote_its_files_writes_none() -> None:
    """With storage transfer, a batch fails whose input is written again while it runs."""
    simulation = OddSimulation()
    slow, quick = simulation.host(), simulation.host(ahead=700)
    name = simulation.drop("table.csv", table("abc"))
    written: list[str] = []

    read = simulation.files.read

    def stalling(container: Container, blob: str, *, etag: str = "") -> Iterator[bytes]:
        yield from read(container, blob, etag=etag)
        if container is Container.PROMPTS and blob == name and not written:
            written.append(blob)
            simulation.clock.advance(700)
            simulation.event(quick, name)
            written.extend(_versions(simulation, simulation.jobs()[0]))

    simulation.files.read = stalling  # type: ignore[method-assign, assignment]
    simulation.event(slow, name)

    assert written[1:]
    assert _versions(simulation, simulation.jobs()[0]) == written[1:]


def _versions(simulation: Simulation, job: Job) -> list[str]:
    batch = simulation.store.batches(job.job_id)[0]
    found = [
        simulation.files.info(Container.WORK, name(batch)) for name in (blob_names.batch_input, blob_names.batch_rows)
    ]
    return [info.etag for info in found if info is not None]
