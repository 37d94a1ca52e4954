"""Own-storage mode against Azurite: input read from a blob, results written to a folder."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from openai import BadRequestError, OpenAI
from openai.types import Batch

from local.batch_service.server import RunningService, running_service
from local.servers.azurite import running_azurite
from tests.batch_service.conftest import jsonl, row, rows


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """The connection string of an Azurite."""
    with running_azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture(scope="module")
def shared_service(storage: str) -> Iterator[RunningService]:
    """A service that reaches that Azurite."""
    with running_service(frozen=True, storage=storage) as service:
        yield service


@pytest.fixture
def own(shared_service: RunningService) -> RunningService:
    """The same, with nothing in it."""
    shared_service.reset()
    return shared_service


@pytest.fixture
def client(own: RunningService) -> Iterator[OpenAI]:
    """The official client of that service."""
    with OpenAI(base_url=f"{own.url}/openai/v1/", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
def container(storage: str) -> ContainerClient:
    """A container of the test's own."""
    return BlobServiceClient.from_connection_string(storage).create_container(f"c{uuid.uuid4().hex}")


def _create(client: OpenAI, container: ContainerClient, name: str = "in put.jsonl", **more: Any) -> Batch:
    body = {
        "input_blob": container.get_blob_client(name).url,
        "output_folder": {"url": f"{container.url}/out"},
        **more,
    }
    arguments: Any = {"endpoint": "/chat/completions", "completion_window": "24h", "input_file_id": None}
    return client.batches.create(**arguments, extra_body=body)


def _names(container: ContainerClient) -> list[str]:
    return [blob.name for blob in container.list_blobs(name_starts_with="out/")]


def _blob_name(container: ContainerClient, url: str) -> str:
    return url.removeprefix(f"{container.url}/")


def test_results_are_written_to_a_folder_of_their_own(
    own: RunningService, client: OpenAI, container: ContainerClient
) -> None:
    container.upload_blob("in put.jsonl", jsonl(rows(3)))
    batch = _create(client, container).to_dict()
    assert (batch["input_file_id"], batch["output_blob"], batch["error_blob"]) == (None, "", "")
    assert batch["input_blob"] == container.get_blob_client("in put.jsonl").url
    own.advance(8)
    ended = client.batches.retrieve(str(batch["id"])).to_dict()
    assert ended["status"] == "completed"
    assert (ended["output_file_id"], ended["error_file_id"]) == (None, None)
    output = _blob_name(container, str(ended["output_blob"]))
    assert re.fullmatch(r"out/[0-9a-f-]{36}/results\.jsonl", output)
    assert ended["error_blob"] == str(ended["output_blob"]).replace("results", "errors")
    lines = container.download_blob(output).readall().split(b"\n")
    assert sorted(json.loads(line)["custom_id"] for line in lines if line) == ["task-0", "task-1", "task-2"]


def test_errors_are_written_only_where_there_are_any(
    own: RunningService, client: OpenAI, container: ContainerClient
) -> None:
    container.upload_blob("in put.jsonl", jsonl([row("good"), row("bad")]))
    first = _create(client, container)
    own.advance(8)
    client.batches.retrieve(first.id)
    assert [name.rsplit("/", 1)[1] for name in _names(container)] == ["results.jsonl"]
    own.scenario({"rows": [{"custom_id": "bad", "outcome": "error"}]})
    second = _create(client, container)
    own.advance(8)
    folder = str(client.batches.retrieve(second.id).to_dict()["error_blob"]).split("/")[-2]
    assert [name for name in _names(container) if folder in name] == [
        f"out/{folder}/errors.jsonl",
        f"out/{folder}/results.jsonl",
    ]


def test_nothing_is_written_where_everything_failed_though_a_path_is_told(
    own: RunningService, client: OpenAI, container: ContainerClient
) -> None:
    container.upload_blob("in put.jsonl", jsonl(rows(1)))
    own.scenario({"rows": [{"outcome": "error"}]})
    batch = _create(client, container)
    own.advance(8)
    ended = client.batches.retrieve(batch.id).to_dict()
    assert ended["output_blob"]
    assert [name.rsplit("/", 1)[1] for name in _names(container)] == ["errors.jsonl"]


def test_an_input_that_cannot_be_read_fails_validation(
    own: RunningService, client: OpenAI, container: ContainerClient
) -> None:
    batch = _create(client, container, "no such blob.jsonl")
    assert batch.status == "validating"
    own.advance(2)
    ended = client.batches.retrieve(batch.id)
    assert ended.status == "failed"
    assert ended.errors
    assert ended.errors.data
    assert ended.errors.data[0].code == "input_no_permissions"


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
@pytest.mark.parametrize("when", [1, 4])
def test_an_input_that_changes_fails_the_batch(
    own: RunningService, client: OpenAI, container: ContainerClient, change: str, when: int
) -> None:
    container.upload_blob("in put.jsonl", jsonl(rows(4)))
    batch = _create(client, container)
    own.advance(when)
    client.batches.retrieve(batch.id)
    if change == "overwritten":
        container.upload_blob("in put.jsonl", jsonl(rows(5)), overwrite=True)
    else:
        container.delete_blob("in put.jsonl")
    ended = client.batches.retrieve(batch.id)
    assert ended.status == "failed"
    assert ended.errors
    assert ended.errors.data
    assert ended.errors.data[0].code == "input_modified"
    assert _names(container) == []


def test_results_that_cannot_be_written_fail_the_batch(
    own: RunningService, client: OpenAI, container: ContainerClient
) -> None:
    container.upload_blob("in put.jsonl", jsonl(rows(1)))
    batch = _create(client, container, output_folder={"url": f"{container.url}-absent/out"})
    own.advance(8)
    ended = client.batches.retrieve(batch.id)
    assert ended.status == "failed"
    assert ended.errors
    assert ended.errors.data
    assert ended.errors.data[0].code == "input_no_permissions"


def test_a_cancelled_batch_leaves_what_was_done(
    own: RunningService, client: OpenAI, container: ContainerClient
) -> None:
    container.upload_blob("in put.jsonl", jsonl(rows(4)))
    batch = _create(client, container)
    own.advance(4)
    client.batches.cancel(batch.id)
    own.advance(1)
    ended = client.batches.retrieve(batch.id).to_dict()
    assert ended["status"] == "cancelled"
    content = container.download_blob(_blob_name(container, str(ended["output_blob"]))).readall()
    assert content.count(b"\n") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"job": "one"}},
        {"input_file_id": "file-1"},
        {"output_folder": None},
        {"output_folder": {"path": "out"}},
        {"input_blob": 7},
        {"input_blob": "http://127.0.0.1/nothing"},
    ],
    ids=str,
)
def test_own_storage_has_its_own_creation_rules(
    own: RunningService, client: OpenAI, container: ContainerClient, change: dict[str, Any]
) -> None:
    container.upload_blob("in put.jsonl", jsonl(rows(1)))
    with pytest.raises(BadRequestError):
        _create(client, container, **change)
    assert client.batches.list().data == []


def test_an_input_blob_has_its_own_size_limit(own: RunningService, client: OpenAI, container: ContainerClient) -> None:
    assert own.service.scripts.current.scenario.limits.blob_bytes == 1024**3
    container.upload_blob("in put.jsonl", jsonl(rows(100)))
    own.scenario({"limits": {"blob_bytes": 1000}})
    with pytest.raises(BadRequestError, match="larger than the 1000 bytes"):
        _create(client, container)


def test_without_a_storage_account_the_mode_says_how_to_get_it(http: httpx2.Client) -> None:
    body = {"endpoint": "/chat/completions", "completion_window": "24h", "input_blob": "http://x/c/b"}
    reply = http.post("/v1/batches", json={**body, "output_folder": {"url": "http://x/c/out"}})
    assert reply.status_code == 400
    assert "--storage" in reply.json()["error"]["message"]
