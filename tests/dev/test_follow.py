"""Following jobs to their end, against Azurite: what is told, and when following stops."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local.commands import follow as following
from local.commands.follow import NO_FUNCTIONS, follow
from local.commands.job_words import describe, describe_state, rows_done
from local.commands.place import Place
from local.commands.prompt_paths import plan_drops
from local.commands.screen import Screen
from local.commands.uploading import Dropped, upload
from shared.domain.ports import App
from tests.dev.conftest import Shown, place_of, put_result, status


@pytest.mark.parametrize(
    ("given", "rows", "text"),
    [
        (status("preparing"), (0, 4), "preparing"),
        (
            status(
                "running", batches=[{"status": "in_progress", "completed": 2, "failed": 1, "state": "submitted"}] * 1
            ),
            (3, 4),
            "running · batch in_progress",
        ),
        (status("running", answered=3), (3, 4), "running"),
        (
            status(
                "waiting",
                message="no quota",
                batches=[
                    {"status": "completed", "completed": 3, "failed": 0, "state": "collected"},
                    {"status": "completed", "completed": 3, "failed": 0, "state": "collected"},
                    {"status": None, "completed": None, "failed": None, "state": "prepared"},
                ],
            ),
            (4, 4),
            "waiting · batch 2 completed, prepared · no quota",
        ),
        (status("completed", 3, 1, batches=[{"status": "completed", "state": "collected"}]), (4, 4), "completed"),
        ({**status("failed"), "rows": {"total": None, "succeeded": 0, "failed": 0}}, (0, None), "failed"),
    ],
)
def test_a_status_in_a_few_words(given: dict[str, Any], rows: tuple[int, int | None], text: str) -> None:
    assert rows_done(given) == rows
    assert describe_state(given) == text.removesuffix(" · no quota")
    assert describe(given) == text


def test_following_tells_each_change_once_and_ends_with_the_job(app: App) -> None:
    jobs = [Dropped("a [1].csv", "job-1"), Dropped("b.csv", "job-2")]
    put_result(app, "b.csv/job-2/status.json", status("completed", 4))
    states = iter(["preparing", "running", "running", "completed"])

    def advance() -> None:
        put_result(app, "a [1].csv/job-1/status.json", status(next(states)))

    shown = Shown(width=100)
    statuses = follow(place_of(app, advance), jobs, shown.screen)

    assert [last["state"] for last in statuses if last] == ["completed", "completed"]
    lines = [line for line in shown.lines if "a [1].csv: " in line]
    assert [line.rsplit(": ", 1)[1] for line in lines] == ["preparing", "running", "completed"]


def test_following_ends_when_the_servers_have_ended(app: App) -> None:
    calls = threading.Semaphore(2)

    def check() -> None:
        if not calls.acquire(blocking=False):
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        follow(place_of(app, check), [Dropped("c.csv", "job-3")], Shown().screen)


def test_a_file_that_was_written_again_before_its_job_began_is_told_from_functions_that_do_not_run(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(following, "_SILENCE_SECONDS", 0)
    (tmp_path / "twice.csv").write_text("1")
    (tmp_path / "once.csv").write_text("1")
    first = upload(place.app, plan_drops([tmp_path / "twice.csv", tmp_path / "once.csv"]))
    upload(place.app, plan_drops([tmp_path / "twice.csv"]))

    assert follow(place, first, Shown().screen) == [None, None]
    assert capsys.readouterr().err.splitlines() == [
        "twice.csv: written again, or deleted, before the job began. A newer version has its own job.",
        "No job has begun for once.csv. Do the functions run?",
        f"The jobs go on. Fetch their results later:  python3 dev.py results {first[0].job_id} {first[1].job_id}",
    ]


def test_functions_that_do_not_run_are_told_within_five_seconds(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    assert follow(place_of(app, functions_run=False), [Dropped("a.csv", "job-1")], Shown().screen) == [None]
    assert time.monotonic() - started < 5
    told = capsys.readouterr().err
    assert told.startswith(NO_FUNCTIONS)
    assert "python3 dev.py results job-1" in told


def test_a_job_that_runs_is_followed_however_long_others_have_not_begun(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SILENCE_SECONDS", 0)
    put_result(app, "a.csv/job-1/status.json", status("running"))
    looks = iter(range(5))

    def end_at_last() -> None:
        if next(looks) == 4:
            for job in (1, 2):
                put_result(app, f"a.csv/job-{job}/status.json", status("completed", 4))

    statuses = follow(
        place_of(app, end_at_last), [Dropped("a.csv", "job-1"), Dropped("a.csv", "job-2")], Shown().screen
    )
    assert [last and last["state"] for last in statuses] == ["completed", "completed"]


def test_a_held_job_is_told_with_its_message_and_not_followed_for_ever(app: App) -> None:
    put_result(app, "a.csv/job-1/status.json", status("held", message="too dear: release it"))
    shown = Shown()
    [last] = follow(place_of(app), [Dropped("a.csv", "job-1")], shown.screen)
    assert last is not None
    assert last["state"] == "held"
    assert "held · too dear: release it" in shown.text


def test_a_warning_is_told_once_and_a_fault_is_left_to_the_summary(app: App) -> None:
    again = iter(["one", "one", "one and a half"])

    def advance() -> None:
        state = "failed" if (warning := next(again)) != "one" else "running"
        last = status(state, message="The file has no rows.", warnings=["one", warning])
        put_result(app, "a.csv/job-1/status.json", last)

    shown = Shown()
    follow(place_of(app, advance), [Dropped("a.csv", "job-1")], shown.screen)
    assert [line.rsplit(": ", 1)[1] for line in shown.lines if "warning" in line] == ["one", "one and a half"]
    assert shown.lines[-1].endswith("a.csv: failed")


def test_two_hundred_small_files_are_followed_without_two_hundred_lines(app: App) -> None:
    jobs = [Dropped(f"{number}.csv", f"job-{number}") for number in range(200)]
    for job in jobs:
        put_result(app, f"{job.blob}/{job.job_id}/status.json", status("completed", 4))
    shown = Shown()
    statuses = follow(place_of(app), jobs, shown.screen)
    assert len([last for last in statuses if last]) == 200
    assert len(shown.lines) < 10


def test_what_is_followed_can_be_read_by_machines(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    put_result(app, "a.csv/job-1/status.json", status("completed", 4))
    follow(place_of(app), [Dropped("a.csv", "job-1")], Screen(as_json=True))
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"event": "status", **status("completed", 4)}
