"""The real function_app.py through Microsoft's runtime library, with its real bindings, queues and storage."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy

from local.batch_service.server import RunningService, running_service
from local.functions_host import FunctionsHost
from shared import wiring
from shared.adapters.storage_queues import to_text
from shared.domain.ports import Message, Step
from testing.paths import PROJECT
from testing.world import settings_for

KEY = "a-function-key"
FUNCTION_APP = (PROJECT / "function_app.py").read_text("utf-8")
TABLE = "Custom ID,Prompt,Required,Note\na,Who built it?,Name,1\nb,When?,Year: integer,2\n"
PATIENCE = 60.0


class Running:
    """The app on the local host, one trigger at a time."""

    def __init__(self, host: FunctionsHost, settings: dict[str, str], service: RunningService) -> None:
        self.host = host
        self.service = service
        self.settings = settings
        account = BlobServiceClient.from_connection_string(settings["BatchStorage"])
        self.prompts: ContainerClient = account.get_container_client(settings["PROMPTS_CONTAINER"])
        self.results: ContainerClient = account.get_container_client(settings["RESULTS_CONTAINER"])
        self.prompts.create_container()

    def status(self, name: str) -> dict[str, Any]:
        """The newest status.json of a prompt file."""
        names = [blob.name for blob in self.results.list_blobs(name_starts_with=f"{name}/2")]
        newest = max(name.rpartition("/")[0] for name in names)
        answer: dict[str, Any] = json.loads(self.results.download_blob(f"{newest}/status.json").readall())
        return answer

    def step(self) -> None:
        """One tick of the timer, and all queue messages that are due."""
        self.host.run_timer("poll_batches")
        while self.host.run_queue_once("submit_batch") + self.host.run_queue_once("complete_batch"):
            pass

    def until_ended(self, name: str) -> dict[str, Any]:
        """Steps until the job has ended."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.step()
            status = self.status(name)
            if status["state"] in ("completed", "failed", "cancelled"):
                return status
            self.service.advance(60)
        raise AssertionError(f"{name} has not ended: {status}")

    def http(self, method: str, path: str, key: str | None = KEY) -> tuple[int, dict[str, Any]]:
        """Call the HTTP API."""
        answer = self.host.http(method, path, key=key)
        return answer.status, json.loads(answer.body) if answer.body else {}


@pytest.fixture
def running(azurite: str) -> Iterator[Running]:
    """The app, indexed by the runtime, on storage of its own."""
    with running_service(frozen=True, processing=0) as service:
        settings = settings_for(
            azurite, service.url, PROMPTS_TRIGGER_SOURCE="LogsAndContainerScan", BACKOFF_SECONDS="0"
        )
        wiring._app.forget()
        with FunctionsHost(PROJECT, settings, KEY) as host:
            host.start_indexing()
            yield Running(host, settings, service)
        wiring._app.forget()


def test_a_dropped_file_goes_through_blob_trigger_timer_and_queues_to_its_results(running: Running) -> None:
    running.prompts.upload_blob("folder/täble 1.csv", TABLE)
    running.prompts.upload_blob("folder/_job.json", '{"model": "gpt-4o-batch"}')

    assert running.host.run_blob_scan("submit_prompts") == 2
    assert running.status("folder/täble 1.csv")["batches"][0]["state"] == "submitted"
    status = running.until_ended("folder/täble 1.csv")

    assert status["rows"] == {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}


def test_a_large_file_is_handed_on_to_the_submissions_queue(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from shared.pipeline import steps

    monkeypatch.setattr(steps, "BUDGET", timedelta(0))
    running.prompts.upload_blob("_job.json", '{"model": "gpt-4o-batch"}')
    running.prompts.upload_blob("table.csv", TABLE)

    running.host.run_blob_scan("submit_prompts")
    assert running.status("table.csv")["batches"] == []
    status = running.until_ended("table.csv")

    assert status["rows"]["succeeded"] == 2


def test_a_poisoned_message_leaves_a_waiting_job_that_goes_on(running: Running) -> None:
    running.prompts.upload_blob("_job.json", '{"model": "gpt-4o-batch"}')
    running.prompts.upload_blob("table.csv", TABLE)
    running.host.run_blob_scan("submit_prompts")
    job_id = running.status("table.csv")["job_id"]
    queues = QueueServiceClient.from_connection_string(running.settings["BatchStorage"])
    poison = queues.get_queue_client(
        f"{running.settings['COMPLETIONS_QUEUE']}-poison", message_encode_policy=TextBase64EncodePolicy()
    )
    poison.create_queue()
    poison.send_message(to_text(Message(Step.COLLECT, job_id, 0, 1)))

    assert running.host.run_queue_once("on_poisoned_completion") == 1
    assert running.status("table.csv")["state"] == "waiting"
    assert running.until_ended("table.csv")["rows"]["succeeded"] == 2


def test_a_message_of_others_in_a_poison_queue_is_logged_once_and_gone(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    queues = QueueServiceClient.from_connection_string(running.settings["BatchStorage"])
    for setting, function in (
        ("SUBMISSIONS_QUEUE", "on_poisoned_submission"),
        ("COMPLETIONS_QUEUE", "on_poisoned_completion"),
    ):
        poison = queues.get_queue_client(
            f"{running.settings[setting]}-poison", message_encode_policy=TextBase64EncodePolicy()
        )
        poison.create_queue()
        for text in ("not ours", '{"step": "collect", "job": "unknown", "index": 0, "attempt": 1}', "[]"):
            poison.send_message(text)
        caplog.clear()

        while running.host.run_queue_once(function):
            pass

        assert poison.get_queue_properties().approximate_message_count == 0
        foreign = [line for line in caplog.messages if line.startswith("a message that this app did not write")]
        assert len(foreign) == 2


def test_the_http_api_lists_shows_cancels_and_retries_jobs(running: Running) -> None:
    running.prompts.upload_blob("_job.json", '{"model": "gpt-4o-batch"}')
    running.prompts.upload_blob("table.csv", TABLE)
    running.host.run_blob_scan("submit_prompts")
    job_id = running.status("table.csv")["job_id"]

    assert running.http("GET", "/api/jobs", key=None)[0] == 401
    status, jobs = running.http("GET", "/api/jobs")
    assert (status, [job["job_id"] for job in jobs["jobs"]], jobs["cursor"]) == (200, [job_id], None)
    assert running.http("GET", f"/api/jobs/{job_id}")[1]["batches"][0]["status"]
    assert running.http("GET", "/api/jobs/none")[0] == 404
    assert running.http("POST", f"/api/jobs/{job_id}/release")[0] == 409
    status, cancelled = running.http("POST", f"/api/jobs/{job_id}/cancel")
    assert (status, cancelled["job_id"]) == (202, job_id)

    ended = running.until_ended("table.csv")
    assert ended["state"] == "cancelled"
    assert running.http("POST", f"/api/jobs/{job_id}/cancel")[0] == 409
    status, retry = running.http("POST", f"/api/jobs/{job_id}/retry")
    assert (status, retry["job_id"], retry["retry_of"]) == (202, f"{job_id}-r1", job_id)
    assert running.until_ended("table.csv")["rows"]["succeeded"] == 2


MALFORMED = {
    "PROMPTS_CONTAINER": "Big Letters",
    "SUBMISSIONS_QUEUE": "under_score",
    "COMPLETIONS_QUEUE": "x" * 60,
    "PROMPTS_TRIGGER_SOURCE": "Polling",
    "POLL_SCHEDULE": "every minute",
}


@pytest.mark.parametrize("settings", [{}, MALFORMED], ids=["empty", "malformed"])
def test_all_functions_are_indexed_whatever_the_environment_holds(settings: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from local.functions_host import FunctionsHost\n"
        "with FunctionsHost(Path(sys.argv[1]), json.loads(sys.argv[2])) as host:\n"
        "    host.start_indexing()\n"
        "    print(json.dumps({f.name: [f.trigger.name, f.trigger.options] for f in host.functions}, default=str))\n"
    )
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", script, str(PROJECT), json.dumps(settings)],
        cwd=tmp_path,
        env=keep,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == set(re.findall(r'function_name\("(\w+)"\)', FUNCTION_APP))
    # The host refuses a binding's name with anything else in it, and then the function is missing.
    assert [name for name, (binding, _) in found.items() if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", binding)] == []
    assert found["submit_prompts"][1]["path"] == "prompts/{name}"
    assert found["submit_batch"][1]["queueName"] == "batch-submissions"
    assert found["on_poisoned_completion"][1]["queueName"] == "batch-completions-poison"
    assert found["poll_batches"][1]["schedule"] == "0 * * * * *"


def test_without_storage_settings_a_function_fails_with_one_message_that_names_them(azurite: str) -> None:
    with pytest.raises(ValueError, match="BatchStorage"):
        wiring.build({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"})
