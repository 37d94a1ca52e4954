"""Dropping files, following their jobs and fetching results, against Azurite."""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from rich.console import Console

from local.commands.drop import Drop, DropError, Dropped, main, plan_drops, upload
from local.commands.follow import describe, describe_state, follow, rows_done
from local.commands.results import fetch, results_table, show_results
from local.servers.azurite import running_azurite
from local.servers.processes import Interrupted, ServerError
from local.servers.running import Running


@pytest.fixture(scope="module")
def blobs() -> Iterator[BlobServiceClient]:
    with running_azurite() as azurite:
        yield BlobServiceClient.from_connection_string(azurite.connection_string)


def put(blobs: BlobServiceClient, container: str, name: str, content: str) -> None:
    try:
        blobs.create_container(container)
    except ResourceExistsError:
        pass
    blobs.get_blob_client(container, name).upload_blob(content, overwrite=True)


def test_a_lone_file_goes_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert plan_drops([tmp_path / "a.csv"]) == [Drop((tmp_path / "a.csv").resolve(), "a.csv", ())]


def test_a_file_with_settings_beside_it_goes_with_them_into_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "_Towers"
    folder.mkdir()
    for name in ("a.csv", "_job.json", "_schema.json", "b.json"):
        (folder / name).touch()
    (drop,) = plan_drops([folder / "a.csv"])
    assert drop.blob == "Towers/a.csv"
    assert [path.name for path in drop.settings] == ["_job.json", "_schema.json"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.csv", "There is no file"), ("_job.json", "is no prompt file"), ("folder", "is a folder")],
)
def test_what_cannot_be_dropped_is_refused_by_name(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "_job.json").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DropError, match=reason) as refusal:
        plan_drops([tmp_path / name])
    assert name in str(refusal.value)


def test_two_files_of_one_name_are_not_dropped_over_each_other(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").touch()
    with pytest.raises(DropError, match=r"prompts/x\.csv"):
        plan_drops([tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv"])


def test_an_upload_knows_the_job_id_that_the_contract_gives_it(blobs: BlobServiceClient, tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "Größe.csv").write_text("Prompt\nx\n", "utf-8")
    (tmp_path / "_job.json").write_text("{}")
    (dropped,) = upload(blobs, plan_drops([tmp_path / "Größe.csv"]))
    properties = blobs.get_blob_client("prompts", f"{tmp_path.name}/Größe.csv").get_blob_properties()
    etag = properties.etag.strip('"')
    digest = hashlib.sha256(f"prompts/{tmp_path.name}/Größe.csv\n{etag}".encode()).hexdigest()[:8]
    assert dropped == Dropped(f"{tmp_path.name}/Größe.csv", f"{properties.last_modified:%Y%m%dT%H%M%SZ}-{digest}")
    assert blobs.get_blob_client("prompts", f"{tmp_path.name}/_job.json").exists()


def test_a_name_with_brackets_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets are markup to rich, which would swallow them, or fail over the lone closing one."""
    (tmp_path / "a[bold]b[:no].csv").touch()
    monkeypatch.setattr("local.commands.drop.interrupt_on_signals", lambda: None)
    monkeypatch.setattr("local.commands.drop.read_running", lambda: Running("UseDevelopmentStorage=true", "", None))
    monkeypatch.setattr(
        "local.commands.drop.upload", lambda _storage, drops: [Dropped(drop.blob, "job-1") for drop in drops]
    )
    monkeypatch.setattr("local.commands.drop.follow", lambda *_: [])
    monkeypatch.setattr("local.commands.drop.show_results", lambda *_: 0)

    assert main([str(tmp_path / "a[bold]b[:no].csv")]) == 0
    assert capsys.readouterr().out == "Dropped prompts/a[bold]b[:no].csv (job job-1)\n"


def status(state: str, succeeded: int = 0, failed: int = 0, **more: Any) -> dict[str, Any]:
    rows = {"total": 4, "succeeded": succeeded, "failed": failed, "pending": 4 - succeeded - failed, "reused": 0}
    return {"state": state, "message": None, "rows": rows, "batches": [], **more}


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


def test_following_tells_each_change_once_and_ends_with_the_job(blobs: BlobServiceClient) -> None:
    jobs = [Dropped("a [1].csv", "job-1"), Dropped("b.csv", "job-2")]
    put(blobs, "results", "b.csv/job-2/status.json", json.dumps(status("completed", 4)))
    output = io.StringIO()
    states = iter(["preparing", "running", "running", "completed"])

    def advance() -> None:
        put(blobs, "results", "a [1].csv/job-1/status.json", json.dumps(status(next(states))))

    statuses = follow(blobs, jobs, Console(file=output, width=100), advance)
    assert [last["state"] for last in statuses] == ["completed", "completed"]
    lines = [line for line in output.getvalue().splitlines() if "a [1].csv: " in line]
    assert [line.rsplit(": ", 1)[1] for line in lines] == ["preparing", "running", "completed"]


def test_following_ends_when_the_servers_have_ended(blobs: BlobServiceClient) -> None:
    calls = threading.Semaphore(2)

    def check() -> None:
        if not calls.acquire(blocking=False):
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        follow(blobs, [Dropped("c.csv", "job-3")], Console(file=io.StringIO()), check)


def test_a_file_that_was_written_again_before_its_job_began_is_told_from_functions_that_do_not_run(
    blobs: BlobServiceClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.commands.follow._FIRST_SIGN_SECONDS", 0)
    (tmp_path / "twice.csv").touch()
    (tmp_path / "once.csv").touch()
    drops = plan_drops([tmp_path / "twice.csv", tmp_path / "once.csv"])
    first = upload(blobs, drops)
    upload(blobs, drops[:1])

    with pytest.raises(ServerError) as told:
        follow(blobs, first, Console(file=io.StringIO()), lambda: None)
    assert str(told.value).splitlines() == [
        "twice.csv: written again, or deleted, before the job began. A newer version has its own job.",
        "No job has begun for once.csv. Are the functions running?",
    ]


@pytest.mark.parametrize(
    ("interruption", "status", "uploaded", "words"),
    [
        (KeyboardInterrupt(), 130, True, "The jobs go on"),
        (Interrupted(15), 143, True, "The jobs go on"),
        (KeyboardInterrupt(), 130, False, "Stopped."),
    ],
)
def test_an_interrupted_drop_says_what_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    interruption: KeyboardInterrupt,
    status: int,
    uploaded: bool,
    words: str,
) -> None:
    def interrupt(*_: object) -> list[Dropped]:
        raise interruption

    (tmp_path / "a.csv").touch()
    running = Running("UseDevelopmentStorage=true", "", None)
    for name, stand_in in {
        "interrupt_on_signals": lambda: None,
        "read_running": lambda: running,
        "upload": (lambda *_: [Dropped("a.csv", "job-1")]) if uploaded else interrupt,
        "follow": interrupt,
    }.items():
        monkeypatch.setattr(f"local.commands.drop.{name}", stand_in)

    assert main([str(tmp_path / "a.csv")]) == status
    assert words in capsys.readouterr().err


def test_results_are_fetched_and_shown_without_the_users_own_columns(blobs: BlobServiceClient, tmp_path: Path) -> None:
    table = "\ufeffcustom_id,Note,City,Height,status,error_code,error_message\r\n" + "".join(
        f"row-{row},mine,[Paris {row}],300,ok,,\r\n" for row in range(1, 31)
    )
    prefix = "towers/a.csv/job-4"
    put(blobs, "results", f"{prefix}/results.csv", table)
    put(blobs, "results", f"{prefix}/results.jsonl", '{"row": 1, "input": {"Note": "mine"}}\n')
    put(blobs, "results", f"{prefix}/status.json", "{}")
    folder = fetch(blobs, Dropped("towers/a.csv", "job-4"), tmp_path)
    assert folder == tmp_path / "towers" / "a.csv" / "job-4"
    assert sorted(path.name for path in folder.iterdir()) == ["results.csv", "results.jsonl", "status.json"]
    assert (folder / "results.csv").read_bytes() == table.encode()
    output = io.StringIO()
    Console(file=output, width=100).print(results_table(folder, "a.csv"))
    shown = output.getvalue()
    assert "[Paris 20]" in shown
    assert "[Paris 21]" not in shown
    assert "10 more rows" in shown
    assert "mine" not in shown
    assert "error_code" not in shown


def test_failed_rows_show_their_errors(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(
        "custom_id,City,status,error_code,error_message\r\na,,error,refusal,No thanks\r\n", "utf-8-sig"
    )
    output = io.StringIO()
    Console(file=output, width=100).print(results_table(tmp_path, "a.csv"))
    assert "refusal" in output.getvalue()
    assert "No thanks" in output.getvalue()


def test_what_a_table_leaves_out_is_told(tmp_path: Path) -> None:
    fields = [f"field {number}" for number in range(9)]
    header = ",".join(["custom_id", *fields, "status", "error_code", "error_message"])
    row = ",".join(["a", *("x" for _ in fields), "ok", "", ""])
    (tmp_path / "results.csv").write_text("\r\n".join([header, *[row] * 21]), "utf-8-sig")
    output = io.StringIO()
    Console(file=output, width=200).print(results_table(tmp_path, "a.csv"))
    assert "and 1 more row, 2 more columns" in output.getvalue()


def test_a_job_without_rows_shows_its_message_and_no_empty_table(
    blobs: BlobServiceClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.commands.results.LOCAL", tmp_path)
    put(blobs, "results", "empty.csv/job-5/results.csv", "\ufeffcustom_id,status,error_code,error_message\r\n")
    rows = {"total": 0, "succeeded": 0, "failed": 0, "pending": 0, "reused": 0}
    ended = {**status("failed"), "rows": rows, "code": "empty_file", "message": "The file holds no row."}
    output = io.StringIO()
    assert show_results(blobs, [Dropped("empty.csv", "job-5")], [ended], Console(file=output, width=200), "drop") == 1
    assert "empty_file · The file holds no row." in output.getvalue()
    assert "custom_id" not in output.getvalue()


def shown(
    blobs: BlobServiceClient, folder: Path, monkeypatch: pytest.MonkeyPatch, blob: str, last: dict[str, Any]
) -> str:
    """What is printed of a job's results."""
    monkeypatch.setattr("local.commands.results.LOCAL", folder)
    put(blobs, "results", f"{blob}/job-6/errors.jsonl", "{}\n")
    output = io.StringIO()
    show_results(blobs, [Dropped(blob, "job-6")], [last], Console(file=output, width=200), "demo")
    return output.getvalue()


def test_failed_rows_come_with_the_command_that_tries_them_again(
    blobs: BlobServiceClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = shown(blobs, tmp_path, monkeypatch, "a b.csv", status("completed", 3, 1))
    assert f'python3 dev.py demo "{tmp_path / "results" / "a b.csv" / "job-6" / "errors.jsonl"}"' in output
    assert "copy the job settings" not in output
    assert "copy the job settings" in shown(blobs, tmp_path, monkeypatch, "towers/a.csv", status("completed", 3, 1))
    assert "dev.py demo" not in shown(blobs, tmp_path, monkeypatch, "a b.csv", status("completed", 4))


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (12.5, ", $12.5000"),
        (0.0001, ", $0.0001"),
        (0.00001, ", less than $0.0001"),
        (0, "tokens"),
        (None, "tokens"),
    ],
)
def test_a_cost_however_small_is_never_shown_as_nothing(
    blobs: BlobServiceClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usd: float | None, text: str
) -> None:
    paid = status("completed", 4, usage={"total_tokens": 82}, cost={"usd": usd, "unpriced_rows": 0})
    output = shown(blobs, tmp_path, monkeypatch, "a.csv", paid)
    assert any(line.endswith(text) for line in output.splitlines())
