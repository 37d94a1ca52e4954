"""Settings in odd but legal forms, and malformed ones, seen from outside."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shared import wiring
from shared.domain.model import job_id_of
from shared.pipeline import job_control
from shared.settings import read_settings
from testing.world import World
from tests.acceptance.reading import balances, run_all

TABLE = "Custom ID,Prompt,Required\na,Who built it?,Name\nb,When?,Year: integer\n"
DONE = {"total": 2, "succeeded": 2, "failed": 0, "pending": 0, "reused": 0}


def test_a_file_goes_through_with_every_setting_in_its_oddest_legal_form(
    new_world: Callable[..., World], azurite: str
) -> None:
    plain = new_world()
    url = plain.environment["AZURE_OPENAI_ENDPOINT"]
    variants: list[dict[str, str]] = [
        {"AZURE_OPENAI_ENDPOINT": f"{url}/openai/v1/"},
        {"AZURE_OPENAI_ENDPOINT": f"{url}/openai/v1", "AZURE_OPENAI_API_VERSION": "2025-04-01-preview"},
        {"AZURE_OPENAI_ENDPOINT": f"{url}/", "AZURE_OPENAI_API_VERSION": "2024-10-21"},
        {
            "BATCH_ENDPOINT": "/v1/chat/completions",
            "BACKOFF_SECONDS": "0.5",
            "SETTLE_SECONDS": "1.5",
            "LEASE_SECONDS": "0.75",
            "MAX_WAIT_HOURS": "1.25",
            "FILE_EXPIRY_DAYS": "14.5",
            "MAX_REQUESTS_PER_BATCH": "1",
            "MAX_BYTES_PER_BATCH": "900",
            "RESULT_FORMATS": "csv, XLSX",
            "CSV_FORMULA_GUARD": "False",
            "ON_INVALID_ROW": "reject",
            "MAX_JOB_INPUT_TOKENS": "1000000",
            "MAX_ATTEMPTS": "1",
            "AZURE_OPENAI_DEPLOYMENT": "m",
        },
    ]
    for number, changes in enumerate(variants):
        world = plain.another(**{"AZURE_OPENAI_DEPLOYMENT": "m", **changes})
        assert world.app.settings.faults == ()
        name = world.drop(f"table-{number}.csv", TABLE)
        assert run_all(world, [name])[name]["rows"] == DONE, changes
    paths = {call["path"] for call in plain.service.journal().calls}
    assert "/openai/v1/batches" in paths
    assert "/openai/batches" in paths
    assert world.result(name, "results.xlsx").startswith(b"PK")
    assert len(world.status(name)["batches"]) == 2


def test_all_malformed_settings_are_named_in_the_message_of_a_waiting_job(world: World) -> None:
    wrong = {
        "AZURE_OPENAI_ENDPOINT": "somewhere",
        "BATCH_ENDPOINT": "chat",
        "PROMPTS_TRIGGER_SOURCE": "Polling",
        "POLL_SCHEDULE": "every minute",
        "MAX_REQUESTS_PER_BATCH": "0",
        "MAX_BYTES_PER_BATCH": "1e6",
        "BATCH_TRANSFER": "carrier pigeon",
        "MAX_ATTEMPTS": "-1",
        "BACKOFF_SECONDS": "soon",
        "SETTLE_SECONDS": "-1",
        "LEASE_SECONDS": "nan",
        "MAX_WAIT_HOURS": "inf",
        "MAX_JOB_INPUT_TOKENS": "many",
        "MAX_JOB_COST_USD": "a little",
        "MONTHLY_BUDGET_USD": "-1",
        "DEPLOYMENT_MODELS": "mini",
        "DEPLOYMENTS": '{"mini": [{"endpoint": "https://x.openai.azure.com"}]}',
        "API_FILES": "perhaps",
        "ON_INVALID_ROW": "keep",
        "RESULT_FORMATS": "pdf",
        "CSV_FORMULA_GUARD": "perhaps",
        "FILE_EXPIRY_DAYS": "31",
        "NOTIFY_URL": "mailto:me",
    }
    broken = world.another(**wrong)
    name = broken.drop("table.csv", TABLE, model="m")
    broken.event(name)

    status = broken.status(name)

    assert status["state"] == "waiting"
    for setting in wrong:
        assert setting in status["message"]
    assert status["rows"]["total"] is None
    assert world.wait(name)["rows"] == DONE


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"BatchStorage": "garbage"}, "BatchStorage"),
        ({"BatchStorage": ""}, "BatchStorage__blobServiceUri"),
        ({"BatchStorage": "", "BatchStorage__blobServiceUri": "https://x.blob.core.windows.net"}, "queueServiceUri"),
        ({"RESULTS_CONTAINER": "Big Letters"}, "RESULTS_CONTAINER"),
        ({"RESULTS_CONTAINER": "same", "WORK_CONTAINER": "same"}, "three different"),
        ({"JOBS_TABLE": "with-hyphen"}, "JOBS_TABLE"),
    ],
)
def test_storage_settings_at_fault_are_named_together_with_all_others(
    world: World, changes: dict[str, str], named: str
) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        wiring.build({**world.environment, "MAX_ATTEMPTS": "none", **changes})
    assert "MAX_ATTEMPTS" in str(caught.value)
    assert "garbage" not in str(caught.value)


def test_the_identity_based_form_needs_no_connection_string() -> None:
    settings = read_settings(
        {
            "BatchStorage__blobServiceUri": "https://x.blob.core.windows.net",
            "BatchStorage__queueServiceUri": "https://x.queue.core.windows.net",
            "BatchStorage__tableServiceUri": "https://x.table.core.windows.net",
            "BatchStorage__credential": "managedidentity",
            "BatchStorage__clientId": "abc",
            "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com",
            "BATCH_TRANSFER": "storage",
        }
    )
    assert settings.faults == ()
    assert settings.max_bytes == 1_000_000_000
    assert settings.storage.client_id == "abc"


def test_the_job_id_is_made_of_time_container_name_and_etag(world: World) -> None:
    name = world.drop("größe.csv", TABLE, model="m")
    job = world.event(name)
    container = world.environment["PROMPTS_CONTAINER"]
    blob = world.blobs.get_blob_client(container, name).get_blob_properties()
    etag = str(blob.etag).strip('"')
    digest = hashlib.sha256(f"{container}/{name}\n{etag}".encode()).hexdigest()[:8]

    assert job is not None
    assert job.job_id == f"{blob.last_modified:%Y%m%dT%H%M%SZ}-{digest}"
    assert job.job_id == job_id_of(container, name, etag, blob.last_modified)
    assert world.folders(name) == [f"{name}/{job.job_id}"]


def test_notices_are_signed_and_tell_of_held_waiting_and_ended_jobs(new_world: Callable[..., World]) -> None:
    heard: list[tuple[str, bytes]] = []
    answers = [503]

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop() if answers else 200
            if status == 200:
                heard.append((self.headers["X-Signature-256"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        world = new_world(NOTIFY_URL=url, NOTIFY_SECRET="s3cret", MAX_JOB_INPUT_TOKENS="5")
        name = world.drop("table.csv", TABLE, model="m")
        world.event(name)
        world.deliver()
        assert heard == []
        world.clock.advance(300)
        world.deliver()
        assert [json.loads(body)["state"] for _, body in heard] == ["held"]

        world.service.scenario({"deployments": {"other": {}}})
        job_control.release(world.app, world.status(name)["job_id"])
        for _ in range(4):
            world.tick()
            world.clock.advance(60)
        world.service.scenario({})
        world.wait(name)
        world.deliver()
    finally:
        server.shutdown()
        server.server_close()

    assert [json.loads(body)["state"] for _, body in heard] == ["held", "waiting", "completed"]
    for signature, body in heard:
        assert signature == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert heard[-1][1] == world.result(name, "status.json")
    assert balances(world, name)
