"""Prompt files with names that nobody would choose: each has its own job and its own results, in its own place."""

import json
from collections.abc import Callable

import pytest

from shared.domain import blob_names
from shared.domain.model import JobState
from shared.domain.ports import Container
from testing.fakes import LONGEST_NAME
from testing.world import World
from tests.reliability.simulation import Simulation, table

TABLE = table("ab")
LONG = ["x" * 1020 + ".csv", "x/" * 300 + "a.csv", "\U0001f600" * 500 + ".csv"]
HOSTILE = [
    "a#b?c&d=e.csv",
    "encoded%2Fslash%2e%2e.csv",
    "tab\tand\nline.csv",
    "double//slash.csv",
    "/lead.csv",
    " spaces and 'quotes' \" <b>.csv",
    "ünï\u2028cödé-\U0001f600.csv",
    "results/status.json/latest.json.csv",
    *LONG,
]


def test_files_with_hostile_names_have_results_each_in_its_own_place(world: World) -> None:
    for name in HOSTILE:
        world.put(name, TABLE)
    world.put("_job.json", json.dumps({"model": "m"}))
    for name in HOSTILE:
        world.event(name)

    for _ in range(12):
        world.clock.advance(300)
        world.tick()
        if not list(world.app.store.all_listed()):
            break

    folders = set()
    for listed in world.app.store.history(after="", limit=100, state="", prefix=""):
        job = listed[0]
        folders.add(blob_names.results_folder(job))
        results = b"".join(world.app.files.read(Container.RESULTS, f"{blob_names.results_folder(job)}results.jsonl"))
        assert (job.state, results.count(b"\n")) == (JobState.COMPLETED, 2), job.prompt_file
        status = json.loads(
            b"".join(world.app.files.read(Container.RESULTS, blob_names.status_file(job.prompt_file, job.job_id)))
        )
        assert status["prompt_file"] == job.prompt_file
        assert bool(status["warnings"]) == (job.prompt_file in LONG)
        assert world.app.files.info(Container.RESULTS, blob_names.latest_file(job)) is not None
    assert len(folders) == len(HOSTILE)


@pytest.mark.parametrize("name", ["../x.csv", "a/../b.csv", "a/./b.csv", ".x.csv", "a/_b/c.csv", "a/", "_job.json"])
def test_names_that_leave_their_folder_or_are_hidden_are_no_prompt_files(name: str) -> None:
    simulation = Simulation()
    simulation.files.write(Container.PROMPTS, name, TABLE.encode())

    simulation.event(simulation.host(), name)

    assert simulation.jobs() == []


@pytest.mark.parametrize("name", ["trailing.csv.", "trailing.csv ", "no-extension", "x.exe", "\x01.bin"])
def test_a_file_that_cannot_be_read_says_so_in_its_status(name: str) -> None:
    simulation = Simulation()
    app = simulation.host()
    simulation.event(app, simulation.drop(name, TABLE))
    simulation.go_on(app)

    (job,) = simulation.jobs()
    assert simulation.status(job)["code"] == "unsupported_format"


@pytest.mark.parametrize("length", [*range(955, 966), 1000, 1023, 1024])
def test_every_name_that_a_blob_can_have_has_names_for_its_results(length: int) -> None:
    name = "x" * (length - 4) + ".csv"
    simulation = Simulation()
    app = simulation.host()
    simulation.event(app, simulation.drop(name, TABLE))
    simulation.go_on(app)

    (job,) = simulation.jobs()
    assert job.rows_succeeded == 2
    assert max(len(found) for found in simulation.result_names()) <= LONGEST_NAME - len("-r1234")


def test_two_long_names_that_begin_alike_do_not_share_a_place() -> None:
    assert blob_names.results_name("x" * 1000 + "1.csv") != blob_names.results_name("x" * 1000 + "2.csv")


def test_a_file_that_storage_refuses_does_not_hide_the_others_from_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = Simulation()
    app = simulation.host()
    simulation.tick(app)
    simulation.drop("a.csv", TABLE)
    simulation.drop("b.csv", TABLE)
    shorter: Callable[[str], str] = blob_names.results_name
    monkeypatch.setattr(blob_names, "results_name", lambda name: "x" * 1025 if name == "a.csv" else shorter(name))
    simulation.clock.advance(150)

    simulation.tick(app)

    assert "b.csv" in {job.prompt_file for job in simulation.jobs()}
