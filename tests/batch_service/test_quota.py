"""The quota of enqueued tokens: both ways to refuse, what is held and for how long, and the headers."""

import httpx2
import pytest
from openai import BadRequestError, OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import create, jsonl, rows, submit, upload

NAME = "gpt-4o-batch"


def _tokens(service: RunningService, client: OpenAI, content: bytes) -> int:
    file_id = upload(client, content)
    service.advance(1)
    reply = client.batches.with_raw_response.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    client.batches.cancel(reply.parse().id)
    service.advance(1)
    return int(reply.headers["deployment-enqueued-tokens"])


def test_the_immediate_refusal_is_a_400_that_names_the_limit(service: RunningService, client: OpenAI) -> None:
    service.quota(NAME, 1000, "immediate")
    content = jsonl(rows(100))
    file_id = upload(client, content)
    service.advance(1)
    with pytest.raises(BadRequestError) as refused:
        create(client, file_id)
    assert refused.value.body == {
        "code": "token_limit_exceeded",
        "message": (
            "The number of enqueued tokens has surpassed the configured limit of 1K for the deployment 'gpt-4o-batch'. "
            "Please either increase the limit or try again once the current jobs have finished."
        ),
    }
    assert client.batches.list().data == []


def test_the_late_refusal_fails_the_batch_after_validation(service: RunningService, client: OpenAI) -> None:
    service.quota(NAME, 30_000, "late")
    batch = submit(service, client, rows(2000))
    assert batch.status == "validating"
    service.advance(2)
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "failed"
    assert batch.errors
    assert batch.errors.data
    fault = batch.errors.data[0]
    assert (fault.code, fault.line, fault.param) == ("token_limit_exceeded", None, None)
    assert "limit of 30K for the deployment 'gpt-4o-batch'" in (fault.message or "")


@pytest.mark.parametrize("mode", ["immediate", "late"])
def test_tokens_are_held_until_the_batch_ends(service: RunningService, client: OpenAI, mode: str) -> None:
    content = jsonl(rows(10))
    tokens = _tokens(service, client, content)
    service.quota(NAME, tokens * 3 // 2, mode)
    first = submit(service, client, content)

    def second_fits() -> bool:
        try:
            batch = submit(service, client, content)
        except BadRequestError:
            service.advance(2)
            return False
        service.advance(2)
        fits = client.batches.retrieve(batch.id).status != "failed"
        if fits:
            client.batches.cancel(batch.id)
        return fits

    assert not second_fits()
    assert client.batches.retrieve(first.id).status == "in_progress"
    assert not second_fits()
    assert client.batches.retrieve(first.id).status in ("in_progress", "finalizing")
    service.advance(10)
    assert client.batches.retrieve(first.id).status == "completed"
    assert second_fits()


def test_of_two_batches_at_once_the_first_gets_the_room(service: RunningService, client: OpenAI) -> None:
    content = jsonl(rows(10))
    service.quota(NAME, _tokens(service, client, content) + 1, "late")
    file_id = upload(client, content)
    service.advance(1)
    first, second = create(client, file_id), create(client, file_id)
    service.advance(100)
    assert client.batches.retrieve(second.id).status == "failed"
    assert client.batches.retrieve(first.id).status == "completed"


def test_each_deployment_has_its_own_room(service: RunningService, client: OpenAI) -> None:
    service.quota("another", 1, "immediate")
    assert submit(service, client, rows(10)).status == "validating"


def test_the_headers_tell_the_tokens_enqueued_and_the_limit(
    service: RunningService, client: OpenAI, http: httpx2.Client
) -> None:
    service.quota(NAME, 1_000_000)
    submit(service, client, rows(10))
    headers = http.get("/openai/v1/batches").headers
    assert int(headers["deployment-enqueued-tokens"]) > 100
    assert headers["deployment-maximum-enqueued-tokens"] == "1000000"
    service.advance(100)
    assert http.get("/openai/v1/batches").headers["deployment-enqueued-tokens"] == "0"
