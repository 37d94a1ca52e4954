"""The official client, in its four forms, on every route family."""

import asyncio
import io

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import jsonl, rows

VERSIONS = ["2024-07-01-preview", "2024-10-01-preview", "2024-10-21", "2025-03-01-preview", "2025-04-01-preview"]


def _sync_client(service: RunningService, kind: str) -> OpenAI:
    if kind in VERSIONS:
        return AzureOpenAI(azure_endpoint=service.url, api_key="a key", api_version=kind, max_retries=0)
    return OpenAI(base_url=f"{service.url}{kind}", api_key="a key", max_retries=0)


def _async_client(service: RunningService, kind: str) -> AsyncOpenAI:
    if kind in VERSIONS:
        return AsyncAzureOpenAI(azure_endpoint=service.url, api_key="a key", api_version=kind, max_retries=0)
    return AsyncOpenAI(base_url=f"{service.url}{kind}", api_key="a key", max_retries=0)


@pytest.mark.parametrize("kind", ["/openai/v1/", "/v1/", *VERSIONS])
def test_the_sync_client_runs_a_batch_to_its_end(service: RunningService, kind: str) -> None:
    with _sync_client(service, kind) as client:
        file = client.files.create(file=("in.jsonl", io.BytesIO(jsonl(rows(3)))), purpose="batch")
        service.advance(1)
        assert client.files.retrieve(file.id).status == "processed"
        batch = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"job": "one"},
        )
        service.advance(8)
        batch = client.batches.retrieve(batch.id)
        assert batch.status == "completed"
        assert batch.metadata == {"job": "one"}
        assert batch.output_file_id
        assert batch.error_file_id
        assert len(client.files.content(batch.output_file_id).text.splitlines()) == 3
        assert client.files.content(batch.error_file_id).text == ""
        assert [found.id for found in client.batches.list(limit=1)] == [batch.id]
        assert {found.id for found in client.files.list()} == {file.id, batch.output_file_id, batch.error_file_id}
        assert client.files.delete(file.id).deleted


async def _async_steps(service: RunningService, kind: str) -> None:
    async with _async_client(service, kind) as client:
        file = await client.files.create(file=("in.jsonl", io.BytesIO(jsonl(rows(3)))), purpose="batch")
        service.advance(1)
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        service.advance(3)
        assert (await client.batches.cancel(batch.id)).status == "cancelling"
        service.advance(1)
        batch = await client.batches.retrieve(batch.id)
        assert batch.status == "cancelled"
        assert [found.id async for found in client.batches.list()] == [batch.id]
        await client.files.delete(file.id)


@pytest.mark.parametrize("kind", ["/openai/v1/", "2024-10-01-preview"])
def test_the_async_client_runs_a_batch_and_cancels_it(service: RunningService, kind: str) -> None:
    asyncio.run(_async_steps(service, kind))
