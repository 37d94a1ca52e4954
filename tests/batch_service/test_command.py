"""The command `python -m local.batch_service`: its one line, its options, its end, and what survives a restart."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from openai import APIStatusError, OpenAI

from local.batch_service.server import running_service
from testing.paths import DATA, PROJECT
from tests.batch_service.conftest import SCHEMA, create, jsonl, message, output, rows, run, submit, upload


@contextmanager
def _command(*options: str, temp: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the command; return its address and its process, which is killed at the end if it still runs."""
    environment = {**os.environ, **({"TMPDIR": str(temp)} if temp else {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "local.batch_service", *options],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process.stdout.readline(), process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with _command("--port", "0", temp=tmp_path) as (line, process):
        assert line.startswith("listening on http://127.0.0.1:")
        url = line.split()[-1]
        assert httpx2.get(f"{url}/_local/clock").json()["frozen"] is False
        assert list(tmp_path.iterdir())
        process.send_signal(how)
        out, err = process.communicate(timeout=10)
    assert (out, err, process.returncode) == ("", "", 0)
    assert list(tmp_path.iterdir()) == []


def test_its_default_times_are_short_and_not_zero() -> None:
    with _command() as (line, _), OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="k") as client:
        file_id = upload(client, jsonl(rows(1)))
        assert str(client.files.retrieve(file_id).status) == "pending"
        httpx2.post(f"{line.split()[-1]}/_local/clock", json={"advance": 1})
        batch = create(client, file_id)
        httpx2.post(f"{line.split()[-1]}/_local/clock", json={"advance": 8})
        assert client.batches.retrieve(batch.id).status == "completed"


def test_times_of_zero_end_a_batch_at_once() -> None:
    options = [f"--{name}=0" for name in ("processing", "validating", "running", "finalizing")]
    with _command(*options) as (line, _), OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="k") as client:
        batch = create(client, upload(client, jsonl(rows(1))))
        assert client.batches.retrieve(batch.id).status == "completed"


def test_a_scenario_file_may_name_a_recording_beside_it(tmp_path: Path) -> None:
    shutil.copy(DATA / "azure-recorded" / "output.jsonl", tmp_path / "recorded.jsonl")
    (tmp_path / "scenario.json").write_text(json.dumps({"recorded": "recorded.jsonl"}))
    options = [f"--{name}=0" for name in ("processing", "validating", "running", "finalizing")]
    with (
        _command("--scenario", str(tmp_path / "scenario.json"), *options) as (line, _),
        OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="k") as client,
    ):
        batch = client.batches.retrieve(create(client, upload(client, jsonl(rows(3)))).id)
        assert "2,717 ft" in message(output(client, batch)["task-2"])["content"]


@pytest.mark.parametrize("content", ["{", '{"rows": [{"outcome": "explodes"}]}', '{"recorded": "absent.jsonl"}'])
def test_a_wrong_scenario_file_stops_it_with_the_reason(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(content)
    with _command("--scenario", str(path)) as (line, process):
        _, err = process.communicate(timeout=20)
    assert (line, process.returncode) == ("", 2)
    assert "scenario.json" in err or "absent.jsonl" in err


def test_a_taken_port_stops_it_with_the_reason() -> None:
    with _command() as (line, _), _command("--port", line.strip().rsplit(":", 1)[1]) as (second, process):
        _, err = process.communicate(timeout=20)
        assert (second, process.returncode) == ("", 2)
        assert "can't start" in err


def test_a_batch_in_flight_survives_a_kill(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data"), "--running", "1000"]
    with _command(*data) as (line, process), OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="k") as client:
        url = line.split()[-1]
        file_id = upload(client, jsonl(rows(10)))
        httpx2.post(f"{url}/_local/clock", json={"advance": 1})
        batch = create(client, file_id)
        httpx2.post(f"{url}/_local/clock", json={"advance": 502})
        counts = client.batches.retrieve(batch.id).request_counts
        assert counts
        assert counts.completed == 5
        process.kill()
        process.wait()
    with _command(*data) as (line, _), OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="k") as client:
        assert client.batches.retrieve(batch.id).status == "in_progress"
        httpx2.post(f"{line.split()[-1]}/_local/clock", json={"advance": 1000})
        ended = client.batches.retrieve(batch.id)
        assert ended.status == "completed"
        assert len(output(client, ended)) == 10
        billed = httpx2.get(f"{line.split()[-1]}/_local/journal").json()["billed"]
        assert len(billed) == len({paid["custom_id"] for paid in billed}) == 10


def test_lines_that_a_killed_service_had_not_counted_are_not_doubled(tmp_path: Path) -> None:
    with (
        running_service(frozen=True, data=tmp_path) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        batch = submit(service, client, rows(4))
        service.advance(4)
        client.batches.retrieve(batch.id)
        written = tmp_path / "batches" / batch.id / "output"
        written.write_bytes(written.read_bytes() * 4 + b'{"custom_id": "half a li')
    with (
        running_service(frozen=True, data=tmp_path) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        service.advance(100)
        assert len(output(client, client.batches.retrieve(batch.id))) == 4


def test_files_scenario_and_clock_survive_a_restart(tmp_path: Path) -> None:
    form = {"rows": [{"outcome": "refusal"}]}
    with (
        running_service(form, frozen=True, data=tmp_path) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        service.advance(1_000_000)
        batch = submit(service, client, rows(1))
        kept, gone = upload(client, b"kept"), upload(client, b"gone")
        client.files.delete(gone)
        now = service.now()
    with (
        running_service(frozen=True, data=tmp_path) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        assert service.now() == now
        assert {file.id for file in client.files.list()} == {batch.input_file_id, kept}
        assert client.files.content(kept).content == b"kept"
        service.advance(100)
        assert message(output(client, client.batches.retrieve(batch.id))["task-0"])["refusal"]


def test_a_results_delivery_that_was_broken_off_is_done_again(tmp_path: Path) -> None:
    with (
        running_service(frozen=True, data=tmp_path) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        batch = run(service, client, rows(3))
        record = service.service.batches._table.find(batch.id)
        # As if the process had been killed after the files were delivered and before that was written down.
        undelivered = replace(record, delivered=False, output_file_id=None, error_file_id=None)
        service.service.batches._table.save(undelivered)
    with (
        running_service(frozen=True, data=tmp_path) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        service.advance(100)
        ended = client.batches.retrieve(batch.id)
        assert ended.output_file_id == batch.output_file_id
        assert len(output(client, ended)) == 3
        assert len(client.files.list().data) == 3


def test_it_is_ready_in_about_a_second() -> None:
    start, before = time.monotonic(), os.times()
    with _command() as (line, _):
        assert line
        waited = time.monotonic() - start
    after = os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    # It works for 0.6 s on a quiet machine and for twice that on a busy one; data or heavy imports would add seconds.
    # Beyond that it waits for a processor, which takes some seconds at most, unless it sleeps.
    assert worked < 3
    assert waited < 20


def test_the_temporary_folder_of_a_test_service_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running_service() as service:
        assert list(tmp_path.iterdir())
        assert service.url.startswith("http://127.0.0.1:")
    assert list(tmp_path.iterdir()) == []


def test_it_ends_at_once_in_the_midst_of_a_large_batch(tmp_path: Path) -> None:
    times = ["--processing=0", "--validating=0", "--running=0", f"--data={tmp_path}"]
    with (
        _command(*times) as (line, process),
        OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="k", max_retries=0) as client,
    ):
        batch = create(client, upload(client, jsonl(rows(40_000, schema=SCHEMA))))
        answers: list[int] = []

        def look() -> None:
            try:
                client.batches.retrieve(batch.id)
            except APIStatusError as refused:
                answers.append(refused.status_code)

        looker = threading.Thread(target=look)
        looker.start()
        while not list(tmp_path.glob("batches/*/output")):
            time.sleep(0.005)
        process.terminate()
        _, err = process.communicate(timeout=10)
        looker.join()
    assert (answers, err, process.returncode) == ([503], "", 0)
