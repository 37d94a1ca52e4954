"""The service in the ways of the OpenAI platform, as a second resource beside one of Azure."""

from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai import OpenAI

from local.batch_service.server import RunningService, running_service
from tests.batch_service.conftest import create, errors, jsonl, lines_of, row, rows, run, submit, upload

V1 = "/v1/chat/completions"


@pytest.fixture(scope="module")
def one_platform() -> Iterator[RunningService]:
    with running_service({"platform": "openai", "keys": ["sk-right-key"]}, frozen=True) as service:
        yield service


@pytest.fixture
def platform(one_platform: RunningService) -> RunningService:
    one_platform.reset()
    return one_platform


@pytest.fixture
def there(platform: RunningService) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{platform.url}/v1/", api_key="sk-right-key", max_retries=0) as client:
        yield client


def _submit(service: RunningService, client: OpenAI, count: int) -> str:
    file_id = upload(client, jsonl(rows(count, url=V1)))
    service.advance(1)
    return create(client, file_id, endpoint=V1).id


def test_a_batch_runs_on_v1_alone_and_is_created_with_200(platform: RunningService, there: OpenAI) -> None:
    batch_id = _submit(platform, there, 3)
    platform.advance(100)
    batch = there.batches.retrieve(batch_id)
    assert batch.status == "completed"
    found = lines_of(there, batch.output_file_id)
    assert {line["custom_id"] for line in found} == {"task-0", "task-1", "task-2"}
    assert all(line["id"].startswith("batch_req_") for line in found)
    assert batch.error_file_id is None
    created = [call for call in platform.journal().calls if call["method"] == "POST"]
    assert {call["status"] for call in created} == {200}
    headers = {"authorization": "Bearer sk-right-key"}
    assert httpx2.get(f"{platform.url}/openai/v1/batches", headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "You didn't provide an API key."),
        ({"api-key": "sk-right-key"}, "You didn't provide an API key."),
        ({"authorization": "Bearer sk-wrong-key"}, "Incorrect API key provided: sk-***ey."),
    ],
)
def test_only_a_bearer_key_opens_it(platform: RunningService, headers: dict[str, str], text: str) -> None:
    reply = httpx2.get(f"{platform.url}/v1/batches", headers=headers)
    error = reply.json()["error"]
    assert reply.status_code == 401
    assert error["message"].startswith(text)
    assert (error["type"], error["param"]) == ("invalid_request_error", None)


def test_urls_and_endpoints_begin_with_v1(platform: RunningService, there: OpenAI) -> None:
    file_id = upload(there, jsonl(rows(1)))
    platform.advance(1)
    with pytest.raises(openai.BadRequestError, match="/v1/chat/completions, /v1/responses"):
        create(there, file_id, endpoint="/chat/completions")
    batch = create(there, file_id, endpoint=V1)
    platform.advance(100)
    failed = there.batches.retrieve(batch.id)
    assert failed.errors is not None
    assert [fault.code for fault in failed.errors.data or ()] == ["invalid_request"]


def test_more_than_50000_requests_are_too_many(platform: RunningService, there: OpenAI) -> None:
    batch_id = _submit(platform, there, 50_001)
    platform.advance(100)
    failed = there.batches.retrieve(batch_id)
    assert failed.errors is not None
    assert [fault.code for fault in failed.errors.data or ()] == ["too_many_tasks"]


def test_a_batch_that_is_not_done_in_24_hours_expires_and_names_the_rest(
    platform: RunningService, there: OpenAI
) -> None:
    platform.scenario({"platform": "openai", "batches": [{"running": 172_800}]})
    batch_id = _submit(platform, there, 10)
    platform.advance(86_000)
    assert there.batches.retrieve(batch_id).status == "in_progress"
    platform.advance(400)
    batch = there.batches.retrieve(batch_id)
    assert batch.status == "expired"
    done = len(lines_of(there, batch.output_file_id))
    assert 0 < done < 10
    rest = errors(there, batch)
    assert len(rest) == 10 - done
    assert {line["error"]["code"] for line in rest.values()} == {"batch_expired"}


def test_azure_goes_on_after_24_hours(service: RunningService, client: OpenAI) -> None:
    service.scenario({"batches": [{"running": 172_800}]})
    batch = submit(service, client, rows(2))
    service.advance(90_000)
    assert client.batches.retrieve(batch.id).status == "in_progress"


def test_the_quotas_refusal_is_in_openais_words(platform: RunningService, there: OpenAI) -> None:
    platform.quota("gpt-4o-batch", 1_000)
    _submit(platform, there, 30)
    second = _submit(platform, there, 30)
    platform.advance(100)
    failed = there.batches.retrieve(second)
    assert failed.errors is not None
    assert failed.errors.data is not None
    (fault,) = failed.errors.data
    assert fault.code == "token_limit_exceeded"
    assert fault.message == (
        "Enqueued token limit reached for gpt-4o-batch in organization org-local. Limit: 1,000 enqueued tokens. "
        "Please try again once some in_progress batches have been completed."
    )


def test_two_models_in_a_file_are_mismatched(platform: RunningService, there: OpenAI) -> None:
    lines = rows(2, url=V1)
    lines[1]["body"]["model"] = "another"
    file_id = upload(there, jsonl(lines))
    platform.advance(1)
    batch_id = create(there, file_id, endpoint=V1).id
    platform.advance(100)
    failed = there.batches.retrieve(batch_id)
    assert failed.errors is not None
    assert [fault.code for fault in failed.errors.data or ()] == ["mismatched_model"]


def test_several_resources_run_beside_each_other(service: RunningService, client: OpenAI, there: OpenAI) -> None:
    batch = run(service, client, [row("a")])
    assert [found.id for found in client.batches.list()] == [batch.id]
    assert list(there.batches.list()) == []
