"""Table rows and work files of version 1.0.0, in every state a job can stand in, are read and finished by today's code.

The files under tests/data/version-1.0.0 were written by that version: each row of the table as Azure holds it, each
blob, and what the batch service knew then. They are never written anew by later code.
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from shared.adapters.table_store import TableJobStore
from shared.domain import blob_names
from shared.domain.lifecycle import is_held
from shared.domain.model import Job, JobState
from shared.domain.ports import App, Container, Message, Step
from shared.pipeline import job_control, steps
from shared.web import api
from testing.fakes import Plan, _Blob, _Made
from testing.paths import DATA
from testing.world import World
from tests.reliability.simulation import Simulation, check_payment

SAVED = DATA / "version-1.0.0"
ROWS_FAILED = {"missing_prompt": 1, "duplicate_custom_id": 1}
OPEN = {
    "preparing": ROWS_FAILED,
    "held": ROWS_FAILED,
    "waiting": ROWS_FAILED,
    "creation-in-doubt": ROWS_FAILED,
    "running": {**ROWS_FAILED, "refusal": 1},
    "ended": {**ROWS_FAILED, "request_failed": 1, "refusal": 1},
    "collecting": {**ROWS_FAILED, "request_failed": 1, "refusal": 1},
    "collected": {**ROWS_FAILED, "request_failed": 1, "refusal": 1},
    "retry": ROWS_FAILED,
}
"""The jobs that go on, and the rows that fail in each by code; four of its six rows were sent."""


@pytest.fixture
def restore(world: World, azurite: str) -> Callable[[str], Simulation]:
    """Put the rows of one saved state into a table of their own, and the rest into memory."""

    def restored(state: str) -> Simulation:
        simulation = Simulation()
        service = TableServiceClient.from_connection_string(azurite)
        table = service.create_table_if_not_exists(world.app.settings.jobs_table)
        for entity in _load(state, "table"):
            table.upsert_entity(entity)
        simulation.store = TableJobStore(table)  # type: ignore[assignment]
        _restore_blobs(simulation, _load(state, "blobs"))
        _restore_service(simulation, _load(state, "service"))
        return simulation

    return restored


def _load(state: str, what: str) -> Any:
    return json.loads(Path(SAVED / state / f"{what}.json").read_text("utf-8"))


def _restore_blobs(simulation: Simulation, blobs: list[dict[str, Any]]) -> None:
    for blob in blobs:
        stored = _Blob(blob["text"].encode(), blob["etag"], datetime.fromisoformat(blob["modified"]))
        simulation.files._blobs[Container(blob["container"]), blob["name"]] = stored
    simulation.files._versions = iter(range(1000, 10**6))  # type: ignore[assignment]


def _restore_service(simulation: Simulation, saved: dict[str, Any]) -> None:
    simulation.clock.time = datetime.fromisoformat(saved["now"])
    service = simulation.service
    service._numbers = iter(range(1000, 10**6))  # type: ignore[assignment]
    service.rows = saved["rows"]
    service._runs.update(saved["runs"])
    for file in saved["files"]:
        service._stored[file["id"]] = (file["text"].encode(), file["name"], datetime.fromisoformat(file["at"]))
    for number, made in enumerate(saved["batches"]):
        times: dict[str, Any] = {"created_at": datetime.fromisoformat(made["created_at"]), "plan": Plan(**made["plan"])}
        known: dict[str, Any] = {
            key: made[key] for key in ("batch_id", "input_file_id", "lines", "metadata", "outputs", "executed")
        }
        service._made[made["batch_id"]] = _Made(
            number=number,
            quota_checked=True,
            delivered=made["delivered"],
            failures=made["failures"],
            **times,
            **known,
        )
    for message in saved["messages"]:
        step = Message(Step(message["step"]), message["job_id"], message["index"], message["attempt"])
        simulation.queues.waiting.append((datetime.fromisoformat(message["due"]), step))


def _finish(simulation: Simulation) -> Job:
    app = simulation.host()
    (entry,) = [listed.entry for listed in app.store.all_listed()]
    job = app.store.job(entry.job_id)
    assert job is not None
    if is_held(job):
        job_control.release(app, entry.job_id)
        steps.queue_due(app, entry.job_id)
    simulation.go_on(app)
    ended = app.store.job(entry.job_id)
    assert ended is not None
    return ended


def _lines(app: App, job: Job, name: str) -> list[dict[str, Any]]:
    data = b"".join(app.files.read(Container.RESULTS, blob_names.results_folder(job) + name))
    return [json.loads(line) for line in data.split(b"\n") if line]


@pytest.mark.parametrize("state", OPEN)
def test_a_job_of_version_1_0_0_is_finished(state: str, restore: Callable[[str], Simulation]) -> None:
    simulation = restore(state)
    batches_before = len(simulation.service.created())

    job = _finish(simulation)

    app = simulation.host()
    errors = _lines(app, job, "errors.jsonl")
    results = _lines(app, job, "results.jsonl")
    assert job.state is JobState.COMPLETED
    assert Counter(line["error"]["code"] for line in errors) == OPEN[state] == job.errors
    assert sorted([*(line["row"] for line in results), *(line["error"]["row"] for line in errors)]) == [*range(1, 7)]
    assert all(line["output"] and "Note" in line["input"] for line in results)
    status = simulation.status(job)
    assert (status["state"], status["rows"]["succeeded"]) == ("completed", len(results))
    assert len(simulation.service.created()) == batches_before + (state in ("preparing", "held", "waiting"))
    check_payment(simulation)


@pytest.mark.parametrize("state", OPEN)
def test_a_job_of_version_1_0_0_is_listed(state: str, restore: Callable[[str], Simulation]) -> None:
    simulation = restore(state)

    listed = api.list_response(simulation.host, {})

    assert (listed.status, listed.body["targets"]) == (200, [])
    # The job that a retry belongs to has ended and is listed, too.
    assert len(listed.body["jobs"]) == (2 if state == "retry" else 1)


def test_a_job_of_version_1_0_0_that_is_being_cancelled_ends_as_cancelled(
    restore: Callable[[str], Simulation],
) -> None:
    job = _finish(restore("being-cancelled"))
    assert job.state is JobState.CANCELLED
    assert job.rows_total == 6


def test_a_file_that_version_1_0_0_found_faulty_ends_its_job(restore: Callable[[str], Simulation]) -> None:
    job = _finish(restore("faulty"))
    assert (job.state, job.code) == (JobState.FAILED, "invalid_file")


def test_a_job_that_version_1_0_0_ended_is_listed_and_retried(restore: Callable[[str], Simulation]) -> None:
    simulation = restore("completed")
    simulation.service.rows = {}
    app = simulation.host()
    ((ended, status),) = app.store.history(after="", limit=10, state="completed", prefix="folder/")
    assert status is not None
    assert (ended.state, status["rows"]["failed"]) == (JobState.COMPLETED, 4)

    retry = job_control.retry(app, ended.job_id)

    job = _finish(simulation)
    assert (job.job_id, job.rows_succeeded, job.errors) == (retry.job_id, 4, ROWS_FAILED)
    assert [line["row"] for line in _lines(app, job, "results.jsonl")] == [1, 2, 4, 5]
