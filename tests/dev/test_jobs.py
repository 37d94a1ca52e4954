"""`jobs` and `results`: what is listed, which job a word means, and what is fetched; with real jobs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from local.commands import jobs, results
from local.commands.job_names import NoSuchJobError, Page, find_job
from local.commands.place import Place
from testing.world import World

TABLE = "Prompt,Required\nfirst,Name\nsecond,Name\nthird,Name\n"


@pytest.fixture
def desk(new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the commands see; its time passes while they wait."""
    world = new_world(AZURE_OPENAI_DEPLOYMENT="gpt-4o-batch")

    def check() -> None:
        world.tick()
        world.clock.advance(120)

    place = Place(world.app, "", 0.01, check, lambda: True)
    monkeypatch.setattr("local.commands.running.interrupt_on_signals", lambda: None)
    monkeypatch.setattr(jobs, "place_of", lambda _: place)
    monkeypatch.setattr(results, "place_of", lambda _: place)
    return world


def test_jobs_are_listed_newest_first_with_what_to_know(desk: World, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(desk.drop("good.csv", TABLE))
    desk.clock.advance(5)
    desk.run(desk.drop("trial/tried.csv", TABLE, limit=1))
    desk.clock.advance(5)
    desk.run(desk.drop("bad.csv", "Prompt,Required\n"))
    assert jobs.main(["jobs"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("bad.csv") < printed.index("trial/tried.csv") < printed.index("good.csv")
    assert "trial run, 2 rows not sent" in printed
    assert "The file has no rows." in printed
    assert "3/3" in printed
    assert jobs.main(["jobs", "--limit", "1", "--state", "completed"]) == 0
    printed = capsys.readouterr().out
    assert "tried.csv" in printed
    assert "good.csv" not in printed
    assert "Older ones: --limit 2" in printed


def test_failed_rows_of_a_listed_job_are_told_from_those_that_succeeded(
    desk: World, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.run(desk.drop("mixed.csv", f"{TABLE},Name\n,Name\n"))
    desk.clock.advance(5)
    desk.run(desk.drop("trial/tried.csv", TABLE, limit=1))
    assert jobs.main(["jobs"]) == 0
    header, _, *lines = capsys.readouterr().out.strip().splitlines()
    assert header.split()[:5] == ["job", "state", "succeeded", "failed", "cost"]
    tried, mixed = (line.split() for line in lines if "completed" in line)
    assert mixed[2:4] == ["3/5", "2"]
    assert tried[2] == "1/1"
    assert "$" in tried[3]


def test_targets_are_shown_below_the_jobs_while_one_is_left_alone(
    desk: World, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.service.quota("gpt-4o-batch", 1)
    desk.event(desk.drop("full.csv", TABLE))
    desk.clock.advance(70)
    desk.tick()
    assert jobs.main(["jobs"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "last refusal" in printed
    assert "has no quota of enqueued tokens left" in printed
    assert jobs.main(["jobs", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (target,) = [line for line in lines if line["event"] == "target"]
    assert target["target"].endswith("/gpt-4o-batch")
    assert target["waiting_until"] is not None


def test_where_a_jobs_batches_went_is_told_where_they_went_to_several_places(
    new_world: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="a", MAX_REQUESTS_PER_BATCH="2")
    status = world.run(world.drop("two.csv", "Prompt,Required,Model\none,Name,a\ntwo,Name,b\nthree,Name,b\n"))
    monkeypatch.setattr("local.commands.running.interrupt_on_signals", lambda: None)
    monkeypatch.setattr(results, "place_of", lambda _: Place(world.app, "", 0.01, lambda: None, lambda: True))
    assert results.main(["results", status["job_id"], "--out", str(tmp_path)]) == 0
    host = world.service.url.removeprefix("http://")
    assert f"batches: 1 at {host}/a, 1 at {host}/b" in capsys.readouterr().out


def test_reused_rows_are_told_of_a_listed_job(desk: World, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(desk.drop("again/good.csv", TABLE, reuse=True))
    desk.clock.advance(5)
    desk.run(desk.drop("again/good.csv", TABLE))
    assert jobs.main(["jobs"]) == 0
    printed = capsys.readouterr().out
    assert "3 rows reused" in printed
    again = next(line.split() for line in printed.splitlines() if "completed" in line)
    assert again[2:4] == ["3/3", "$0"]


def test_jobs_for_machines_are_their_statuses(desk: World, capsys: pytest.CaptureFixture[str]) -> None:
    status = desk.run(desk.drop("good.csv", TABLE))
    assert jobs.main(["jobs", "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["event"] == "job"
    assert (found["job_id"], found["state"], found["rows"]) == (status["job_id"], "completed", status["rows"])


def test_where_there_are_no_jobs_the_way_to_the_first_is_told(desk: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs.main(["jobs"]) == 0
    assert "python3 dev.py drop FILE" in capsys.readouterr().out


def test_a_state_that_there_is_not_is_refused(desk: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs.main(["jobs", "--state", "runing"]) == 2
    assert "Did you mean running?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "word", ["inbox-trial-5/a.csv", "a.csv", "inbox/a.csv", "samples/inbox/a.csv", "samples\\inbox\\a.csv"]
)
def test_a_job_is_found_by_its_prompt_files_name_however_it_is_said(word: str) -> None:
    newest = {"prompt_file": "inbox-trial-5/a.csv", "job_id": "2"}
    pages: dict[str, Page] = {"": ([{"prompt_file": "b.csv", "job_id": "3"}], "next"), "next": ([newest], "")}
    assert find_job(word, lambda cursor: pages[cursor]) == newest


def test_a_lone_files_trial_goes_by_its_name() -> None:
    trial = {"prompt_file": "trial-5/a.csv", "job_id": "2"}
    assert find_job("a.csv", lambda _: ([trial], "")) == trial


@pytest.mark.parametrize("word", ["tikets.csv", "nothing/like/it/tikets.csv"])
def test_a_mistyped_job_is_told_from_the_one_that_was_meant(word: str) -> None:
    with pytest.raises(NoSuchJobError, match=r"There is no job .*tikets.csv. Did you mean inbox/tickets.csv\?"):
        find_job(word, lambda _: ([{"prompt_file": "inbox/tickets.csv", "job_id": "20261130T183036Z-7c9f43ce"}], ""))


def test_results_of_an_ended_job_are_fetched_by_id_and_by_name(
    desk: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = desk.run(desk.drop("good.csv", TABLE))
    for word in (status["job_id"], "good.csv"):
        assert results.main(["results", word, "--out", str(tmp_path / word)]) == 0
        folder = tmp_path / word / "good.csv" / status["job_id"]
        printed = capsys.readouterr().out
        assert f"Results: {folder}\n" in printed
        assert "row-3" in printed
        assert json.loads((folder / "status.json").read_text("utf-8"))["state"] == "completed"
        assert len((folder / "results.jsonl").read_text("utf-8").splitlines()) == 3


def test_results_of_a_job_that_runs_are_waited_for(
    desk: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = desk.event(desk.drop("slow.csv", TABLE))
    assert job is not None
    assert results.main(["results", job.job_id, "--out", str(tmp_path), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in lines} == {"status", "results"}
    assert lines[-1]["status"]["rows"]["succeeded"] == 3
    assert "results.csv" in lines[-1]["files"]


def test_an_unknown_job_is_refused_by_name(desk: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert results.main(["results", "20261130T183036Z-7c9f43ce"]) == 1
    assert "There is no job 20261130T183036Z-7c9f43ce" in capsys.readouterr().err
