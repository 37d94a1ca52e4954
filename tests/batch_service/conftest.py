"""A batch service for each test, its clock standing still, and short names for what tests do with it."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types import Batch

from local.batch_service.server import RunningService, running_service
from testing.paths import DATA

SAMPLE = DATA / "seed" / "batch - StructuredOutputs.jsonl"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"BuildingName": {"type": "string"}, "HeightInFeet": {"type": "string"}},
    "required": ["BuildingName", "HeightInFeet"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def one_service() -> Iterator[RunningService]:
    """One server for all tests of a process: starting one takes longer than most tests."""
    with running_service(frozen=True) as service:
        yield service


@pytest.fixture
def service(one_service: RunningService) -> RunningService:
    """The service with nothing in it."""
    one_service.reset()
    return one_service


@pytest.fixture
def client(service: RunningService) -> Iterator[OpenAI]:
    """The official client on the v1 route, without retries of its own."""
    with OpenAI(base_url=f"{service.url}/openai/v1/", api_key="a key", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def http(service: RunningService) -> Iterator[httpx2.Client]:
    """A plain HTTP client with a key."""
    with httpx2.Client(base_url=service.url, headers={"api-key": "a key"}, timeout=30) as http:
        yield http


def row(custom_id: str = "task-0", *, schema: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """One chat request, with a schema where one is given; `changes` replace keys of the line."""
    body: dict[str, Any] = {
        "model": "gpt-4o-batch",
        "messages": [{"role": "user", "content": f"Provide info about the Empire State Building ({custom_id})"}],
    }
    if schema is not None:
        spec = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": spec}
    return {"custom_id": custom_id, "method": "POST", "url": "/chat/completions", "body": body, **changes}


def rows(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Several requests with the ids task-0, task-1, …"""
    return [row(f"task-{number}", **changes) for number in range(count)]


def jsonl(lines: list[Any]) -> bytes:
    """Write lines as JSON."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def upload(client: OpenAI, content: bytes, name: str = "input.jsonl") -> str:
    """Upload a file and return its id."""
    return client.files.create(file=(name, io.BytesIO(content)), purpose="batch").id


def create(client: OpenAI, file_id: str, **more: Any) -> Batch:
    """Create a batch over an uploaded file."""
    arguments: Any = {"endpoint": "/chat/completions", "completion_window": "24h", **more}
    return client.batches.create(input_file_id=file_id, **arguments)


def submit(service: RunningService, client: OpenAI, content: bytes | list[Any], name: str = "input.jsonl") -> Batch:
    """Upload, wait until the file is processed, and create a batch."""
    file_id = upload(client, content if isinstance(content, bytes) else jsonl(content), name)
    service.advance(service.service.timings.processing)
    return create(client, file_id)


def run(service: RunningService, client: OpenAI, content: bytes | list[Any], name: str = "input.jsonl") -> Batch:
    """Run a batch to its end."""
    batch = submit(service, client, content, name)
    service.advance(1000)
    return client.batches.retrieve(batch.id)


def lines_of(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The JSON lines of a result file; none where there is no file."""
    return [json.loads(line) for line in client.files.content(file_id).content.split(b"\n") if line] if file_id else []


def output(client: OpenAI, batch: Batch) -> dict[str, dict[str, Any]]:
    """The lines of a batch's output file by custom_id."""
    return {line["custom_id"]: line for line in lines_of(client, batch.output_file_id)}


def errors(client: OpenAI, batch: Batch) -> dict[str, dict[str, Any]]:
    """The lines of a batch's error file by custom_id."""
    return {line["custom_id"]: line for line in lines_of(client, batch.error_file_id)}


def message(line: dict[str, Any]) -> dict[str, Any]:
    """The message in an output line of a chat completion."""
    found: dict[str, Any] = line["response"]["body"]["choices"][0]["message"]
    return found
