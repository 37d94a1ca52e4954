"""Calls that are refused, slow, dropped or cut, and who may call at all."""

import time
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import create, jsonl, rows, run, submit, upload


def _statuses(service: RunningService, path: str) -> list[tuple[int | None, str | None]]:
    return [(call["status"], call["fault"]) for call in service.journal().calls if call["path"] == path]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_a_call_is_refused(
    service: RunningService, client: OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    service.scenario({"calls": [{"method": "GET", "path": "/batches", "answer": {"status": status}, "times": 1}]})
    with pytest.raises(error) as refused:
        client.batches.list()
    assert refused.value.status_code == status
    body = refused.value.body
    assert isinstance(body, dict)
    assert set(body) == {"code", "message"}
    assert client.batches.list().data == []
    assert _statuses(service, "/openai/v1/batches") == [(status, "refused"), (200, None)]


def test_a_refused_upload_tells_when_to_come_again(service: RunningService, client: OpenAI) -> None:
    service.scenario({"calls": [{"method": "POST", "path": "/files", "answer": {"status": 429, "retry_after": 7}}]})
    with pytest.raises(openai.RateLimitError) as refused:
        upload(client, b"x" * 3_000_000)
    assert refused.value.response.headers["retry-after"] == "7"


def test_the_client_waits_as_told_and_comes_again(service: RunningService) -> None:
    rule = {"path": "/batches", "times": 1, "answer": {"status": 429, "retry_after_ms": 30}}
    service.scenario({"calls": [rule]})
    with OpenAI(base_url=f"{service.url}/v1", api_key="k", max_retries=1) as client:
        assert client.batches.list().data == []
    assert _statuses(service, "/v1/batches") == [(429, "refused"), (200, None)]


def test_a_refusal_has_the_code_and_text_that_the_rule_gives(service: RunningService, http: httpx2.Client) -> None:
    answer = {"status": 401, "code": "PermissionDenied", "message": "The principal lacks the required data action."}
    service.scenario({"calls": [{"answer": answer}]})
    reply = http.get("/openai/batches?api-version=2024-10-21")
    assert reply.json() == {"error": {"code": "PermissionDenied", "message": answer["message"]}}


def test_a_call_is_slow(service: RunningService, client: OpenAI) -> None:
    service.scenario({"calls": [{"path": "/batches", "delay": 0.3}]})
    start = time.monotonic()
    client.batches.list()
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(("drop", "created"), [("before", 0), ("after", 1)])
def test_a_create_is_dropped_before_or_after_it_took_effect(
    service: RunningService, client: OpenAI, drop: str, created: int
) -> None:
    file_id = upload(client, jsonl(rows(1)))
    service.advance(1)
    service.scenario({"calls": [{"method": "POST", "path": "/batches", "drop": drop, "times": 1}]})
    with pytest.raises(openai.APIConnectionError):
        create(client, file_id)
    assert len(client.batches.list().data) == created
    assert (None, f"dropped {drop}") in _statuses(service, "/openai/v1/batches")


def test_an_upload_is_dropped_after_it_took_effect(service: RunningService, client: OpenAI) -> None:
    service.scenario({"calls": [{"method": "POST", "path": "/files", "drop": "after", "times": 1}]})
    with pytest.raises(openai.APIConnectionError):
        upload(client, jsonl(rows(1)))
    assert len(client.files.list().data) == 1


def test_a_download_breaks(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, rows(20))
    assert batch.output_file_id
    service.scenario({"calls": [{"path": "/files/*/content", "cut": 1000, "times": 1}]})
    received = b""
    with pytest.raises(httpx2.RemoteProtocolError):  # noqa: PT012 - what came before the break is looked at below
        with client.files.with_streaming_response.content(batch.output_file_id) as reply:
            for chunk in reply.iter_bytes():
                received += chunk
    whole = client.files.content(batch.output_file_id).content
    assert received == whole[:1000]


def test_a_download_is_short_and_looks_whole(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, rows(20))
    assert batch.output_file_id
    service.scenario({"calls": [{"path": "/files/*/content", "cut": 1000, "cut_as": "short", "times": 1}]})
    short = client.files.content(batch.output_file_id).content
    assert len(short) == 1000
    assert client.files.content(batch.output_file_id).content.startswith(short)


def test_a_cut_beyond_the_end_changes_nothing(service: RunningService, client: OpenAI) -> None:
    file_id = upload(client, b"12345")
    for choice in ("broken", "short"):
        service.scenario({"calls": [{"path": "/files/*/content", "cut": 1000, "cut_as": choice}]})
        assert client.files.content(file_id).content == b"12345"


def test_a_call_without_a_key_is_refused(service: RunningService) -> None:
    for path in ("/openai/v1/files", "/v1/batches", "/openai/batches?api-version=2024-10-21"):
        reply = httpx2.get(f"{service.url}{path}")
        assert reply.status_code == 401
        assert reply.json()["error"]["code"] == "401"


@pytest.mark.parametrize("headers", [{"api-key": "any"}, {"authorization": "Bearer any"}])
def test_any_key_will_do_by_default(service: RunningService, headers: dict[str, str]) -> None:
    assert httpx2.get(f"{service.url}/openai/v1/files", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{"api-key": "right"}, {"authorization": "Bearer right"}])
def test_a_scenario_can_demand_a_key(service: RunningService, headers: dict[str, str]) -> None:
    service.scenario({"keys": ["right"]})
    assert httpx2.get(f"{service.url}/v1/files", headers=headers).status_code == 200
    assert httpx2.get(f"{service.url}/v1/files", headers={"api-key": "wrong"}).status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/files", 404),
        ("/openai/batches?api-version=latest", 404),
        ("/openai/batches?api-version=2024-02-01", 404),
        ("/openai/batches?api-version=2024-07-01-preview", 200),
        ("/openai/batches?api-version=2025-04-01-preview", 200),
        ("/openai/v1/batches", 200),
        ("/openai/v1/batches?api-version=preview", 200),
        ("/openai/v1/batches?api-version=2024-10-21", 400),
        ("/v1/batches", 200),
        ("/openai/deployments/gpt-4o/batches?api-version=2024-10-21", 404),
        ("/openai/deployments/gpt-4o/chat/completions", 404),
        ("/openai/v1/embeddings", 501),
        ("/openai/v1/responses", 501),
        ("/v1/dashboard/webhook_endpoints", 501),
        ("/elsewhere", 404),
    ],
)
def test_each_route_asks_for_its_own_version_and_the_rest_says_that_it_is_absent(
    http: httpx2.Client, path: str, status: int
) -> None:
    reply = http.get(path)
    assert reply.status_code == status
    if status != 200:
        assert set(reply.json()["error"]) == {"code", "message"}


def test_another_method_is_refused_in_the_envelope(http: httpx2.Client) -> None:
    reply = http.put("/openai/v1/batches")
    assert reply.status_code == 405
    assert set(reply.json()["error"]) == {"code", "message"}


def test_bearer_and_api_version_are_read_in_any_case(service: RunningService) -> None:
    service.scenario({"keys": ["right"]})
    for scheme in ("Bearer", "bearer", "BEARER"):
        for name in ("api-version", "API-Version"):
            reply = httpx2.get(
                f"{service.url}/openai/batches",
                params={name: "2024-10-21"},
                headers={"authorization": f"{scheme} right"},
            )
            assert reply.status_code == 200


def test_every_answer_has_a_request_id(http: httpx2.Client) -> None:
    assert len(http.get("/openai/v1/files").headers["apim-request-id"]) == 32


def test_the_journal_names_calls_and_billed_rows(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    batch = run(service, client, rows(3))
    journal: dict[str, Any] = http.get("/_local/journal").json()
    assert [(call["method"], call["path"], call["status"]) for call in journal["calls"]] == [
        ("POST", "/openai/v1/files", 201),
        ("POST", "/openai/v1/batches", 201),
        ("GET", f"/openai/v1/batches/{batch.id}", 200),
    ]
    assert {(paid["batch_id"], paid["custom_id"]) for paid in journal["billed"]} == {
        (batch.id, f"task-{number}") for number in range(3)
    }
    totals = journal["totals"]
    assert totals["tokens"] == sum(paid["prompt_tokens"] + paid["completion_tokens"] for paid in journal["billed"])
    assert (totals["calls"], totals["billed"], totals["batches"], totals["open_batches"]) == (3, 3, 1, 0)


def test_a_row_that_is_paid_again_is_counted(service: RunningService, client: OpenAI) -> None:
    for _ in range(2):
        run(service, client, rows(3))
    assert service.journal().totals["billed_again"] == 3


def test_the_journal_comes_in_pages(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    run(service, client, rows(5))
    first = http.get("/_local/journal?limit=2").json()
    second = http.get(f"/_local/journal?limit=2&billed_after={first['billed'][-1]['seq']}&calls_after=2").json()
    assert len(first["billed"]) == len(second["billed"]) == 2
    assert [call["seq"] for call in second["calls"]] == [3]
    assert not {paid["custom_id"] for paid in first["billed"]} & {paid["custom_id"] for paid in second["billed"]}
    assert http.get("/_local/journal?billed_after=x").status_code == 400


def test_the_clock_is_moved_over_http(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    batch = submit(service, client, rows(1))
    before = http.get("/_local/clock").json()["now"]
    assert http.post("/_local/clock", json={"advance": 8}).json()["now"] == before + 8
    assert client.batches.retrieve(batch.id).status == "completed"


@pytest.mark.parametrize("body", [{"advance": -1}, {"advance": "1"}, {"advance": True}, {}, []])
def test_the_clock_moves_forward_only(http: httpx2.Client, body: Any) -> None:
    assert http.post("/_local/clock", json=body).status_code == 400


def test_the_quota_is_set_over_http(http: httpx2.Client) -> None:
    quota = {"gpt-4o-batch": {"tokens": 5, "mode": "immediate"}}
    assert http.post("/_local/quota", json=quota).json() == quota
    assert http.get("/_local/quota").json() == quota
    assert http.post("/_local/quota", json={"gpt-4o-batch": {"tokens": -1}}).status_code == 400


def test_reset_forgets_everything(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    run(service, client, rows(1))
    assert http.post("/_local/reset").json() == {"reset": True}
    assert client.files.list().data == []
    assert client.batches.list().data == []
    assert service.journal().billed == []
