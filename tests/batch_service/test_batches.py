"""The Batch API: creation rules, statuses on the clock, cancelling, expiry, lists."""

import json
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, ConflictError, NotFoundError, OpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import create, errors, jsonl, output, row, rows, run, submit, upload

BATCHES = "/openai/v1/batches"


def _processed(service: RunningService, client: OpenAI, count: int = 1) -> str:
    file_id = upload(client, jsonl(rows(count)))
    service.advance(1)
    return file_id


def test_a_batch_over_a_file_that_is_not_processed_is_refused(client: OpenAI) -> None:
    file_id = upload(client, jsonl(rows(1)))
    with pytest.raises(BadRequestError, match="must be 'processed'"):
        create(client, file_id)
    assert client.batches.list().data == []


def test_a_batch_over_an_unknown_file_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="file-unknown"):
        create(client, "file-unknown")


def test_creation_answers_201(service: RunningService, client: OpenAI) -> None:
    reply = client.batches.with_raw_response.create(
        input_file_id=_processed(service, client), endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert reply.http_response.status_code == 201
    assert reply.parse().status == "validating"


@pytest.mark.parametrize(
    "change",
    [
        {"completion_window": "48h"},
        {"completion_window": None},
        {"endpoint": "/v1/embeddings"},
        {"endpoint": None},
        {"input_file_id": None},
        {"input_file_id": 7},
        {"metadata": {"key": 1}},
        {"metadata": {"k" * 65: "v"}},
        {"metadata": {"k": "v" * 513}},
        {"metadata": {str(number): "v" for number in range(17)}},
        {"metadata": ["a"]},
        {"output_expires_after": {"seconds": 3600, "anchor": "created_at"}},
        {"output_expires_after": {"seconds": 1_209_600}},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_batch_that_is_asked_for_wrongly_is_refused(
    service: RunningService, client: OpenAI, http: httpx2.Client, change: dict[str, Any]
) -> None:
    body = {"input_file_id": _processed(service, client), "endpoint": "/chat/completions", "completion_window": "24h"}
    reply = http.post(BATCHES, json={**body, **change})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalidPayload")
    assert client.batches.list().data == []


def test_metadata_at_its_limits_is_kept(service: RunningService, client: OpenAI) -> None:
    metadata = {f"{number:064}": "v" * 512 for number in range(16)}
    batch = create(client, _processed(service, client), metadata=metadata)
    assert client.batches.retrieve(batch.id).metadata == metadata


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"'])
def test_a_body_that_is_no_object_is_refused(http: httpx2.Client, body: bytes) -> None:
    assert http.post(BATCHES, content=body).status_code == 400


def test_results_expire_when_asked_to(service: RunningService, client: OpenAI) -> None:
    seconds = 1_209_600
    batch = create(
        client, _processed(service, client), output_expires_after={"seconds": seconds, "anchor": "created_at"}
    )
    service.advance(8)
    batch = client.batches.retrieve(batch.id)
    assert batch.output_file_id
    assert batch.completed_at
    assert client.files.retrieve(batch.output_file_id).expires_at == batch.completed_at + seconds
    service.advance(seconds)
    with pytest.raises(NotFoundError):
        client.files.content(batch.output_file_id)


def test_status_follows_the_clock_and_counts_rise(service: RunningService, client: OpenAI) -> None:
    batch = submit(service, client, rows(4))
    seen = []
    for _ in range(9):
        now = client.batches.retrieve(batch.id)
        assert now.request_counts
        seen.append((now.status, now.request_counts.completed, now.request_counts.total))
        service.advance(1)
    assert seen == [
        ("validating", 0, 0),
        ("validating", 0, 0),
        ("in_progress", 0, 4),
        ("in_progress", 1, 4),
        ("in_progress", 2, 4),
        ("in_progress", 3, 4),
        ("finalizing", 4, 4),
        ("finalizing", 4, 4),
        ("completed", 4, 4),
    ]


def test_a_poller_may_skip_states(service: RunningService, client: OpenAI) -> None:
    batch = submit(service, client, rows(2))
    service.advance(100)
    ended = client.batches.retrieve(batch.id)
    start = batch.created_at
    assert ended.status == "completed"
    assert (ended.in_progress_at, ended.finalizing_at, ended.completed_at) == (start + 2, start + 6, start + 8)


def test_output_is_shuffled_and_alike_each_time(service: RunningService, client: OpenAI) -> None:
    content = jsonl(rows(50, schema=None))
    orders = [list(output(client, run(service, client, content))) for _ in range(2)]
    assert orders[0] == orders[1]
    assert orders[0] != [f"task-{number}" for number in range(50)]
    assert sorted(orders[0]) == sorted(f"task-{number}" for number in range(50))


def test_output_lines_are_as_azure_writes_them(service: RunningService, client: OpenAI) -> None:
    line = output(client, run(service, client, rows(1)))["task-0"]
    assert list(line) == ["custom_id", "response", "error"]
    assert line["error"] is None
    assert line["response"]["status_code"] == 200
    assert len(line["response"]["request_id"]) == 36


def test_full_success_leaves_an_empty_error_file(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, rows(2))
    assert batch.error_file_id
    assert client.files.retrieve(batch.error_file_id).bytes == 0
    assert client.files.content(batch.error_file_id).content == b""


def test_all_failed_leaves_no_output_file(service: RunningService, client: OpenAI) -> None:
    service.scenario({"rows": [{"outcome": "error", "status": 500}]})
    batch = run(service, client, rows(2))
    assert (batch.status, batch.output_file_id) == ("completed", None)
    assert batch.request_counts
    assert (batch.request_counts.failed, batch.request_counts.total) == (2, 2)
    assert set(errors(client, batch)) == {"task-0", "task-1"}


def test_cancelling_ends_in_cancelled_with_what_was_done(service: RunningService, client: OpenAI) -> None:
    batch = submit(service, client, rows(4))
    service.advance(4)
    assert client.batches.cancel(batch.id).status == "cancelling"
    service.advance(0.5)
    assert client.batches.retrieve(batch.id).status == "cancelling"
    service.advance(0.5)
    ended = client.batches.retrieve(batch.id)
    assert ended.status == "cancelled"
    assert ended.request_counts
    assert ended.request_counts.completed == len(output(client, ended)) == 2
    assert ended.cancelled_at == ended.cancelling_at + 1 if ended.cancelling_at else False
    assert len(service.journal().billed) == 2


def test_cancelling_before_the_first_row_leaves_no_files(service: RunningService, client: OpenAI) -> None:
    batch = submit(service, client, rows(4))
    client.batches.cancel(batch.id)
    service.advance(100)
    ended = client.batches.retrieve(batch.id)
    assert (ended.status, ended.output_file_id, ended.error_file_id) == ("cancelled", None, None)
    assert service.journal().billed == []


def test_cancelling_twice_changes_nothing(service: RunningService, client: OpenAI) -> None:
    batch = submit(service, client, rows(4))
    first = client.batches.cancel(batch.id)
    service.advance(0.5)
    assert client.batches.cancel(batch.id).cancelling_at == first.cancelling_at


def test_an_ended_batch_cannot_be_cancelled(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, rows(1))
    with pytest.raises(ConflictError, match="'completed'"):
        client.batches.cancel(batch.id)


@pytest.mark.parametrize("call", ["retrieve", "cancel"])
def test_an_unknown_batch_is_not_found(client: OpenAI, call: str) -> None:
    with pytest.raises(NotFoundError, match="batch_unknown"):
        getattr(client.batches, call)("batch_unknown")


def test_batches_are_listed_newest_first_in_pages(service: RunningService, client: OpenAI) -> None:
    file_id = _processed(service, client)
    ids = []
    for _ in range(5):
        ids.append(create(client, file_id).id)
        service.advance(1)
    page = client.batches.list(limit=2)
    assert [batch.id for batch in page.data] == [ids[4], ids[3]]
    assert page.has_more
    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1]
    assert [batch.id for batch in client.batches.list(after=ids[1]).data] == [ids[0]]


def test_a_list_says_its_first_and_last_id(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    assert http.get(BATCHES).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    file_id = _processed(service, client)
    old, new = create(client, file_id).id, create(client, file_id).id
    listed = http.get(BATCHES).json()
    assert (listed["first_id"], listed["last_id"]) == (new, old)


def test_twenty_batches_make_a_page_by_default(service: RunningService, client: OpenAI) -> None:
    file_id = _processed(service, client)
    for _ in range(21):
        create(client, file_id)
    assert len(client.batches.list().data) == 20


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status eq 'Completed'", [0]),
        ("status eq 'completed' or status eq 'FAILED'", [0, 1]),
        ("created_at gt {1}", [2]),
        ("created_at ge {1} and status ne 'failed'", [2]),
        ("not (status eq 'completed')", [1, 2]),
        ("completed_at ne null", [0]),
    ],
)
def test_lists_are_filtered_as_odata(
    service: RunningService, client: OpenAI, http: httpx2.Client, query: str, found: list[int]
) -> None:
    batches = [run(service, client, rows(1)), run(service, client, b"no json\n"), submit(service, client, rows(1))]
    text = query.replace("{1}", str(batches[1].created_at))
    listed = http.get(BATCHES, params={"$filter": text, "$orderby": "created_at asc"}).json()["data"]
    assert [batch["id"] for batch in listed] == [batches[number].id for number in found]


def test_lists_are_ordered_as_odata(service: RunningService, client: OpenAI, http: httpx2.Client) -> None:
    batches = [run(service, client, rows(1)).id for _ in range(3)]
    for order, expected in (("created_at asc", batches), ("created_at desc", batches[::-1]), ("created_at", batches)):
        listed = http.get(BATCHES, params={"$orderby": order}).json()["data"]
        assert [batch["id"] for batch in listed] == expected


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "status"},
        {"$filter": "status eq completed"},
        {"$filter": "colour eq 'red'"},
        {"$filter": "status eq 'a' xor status eq 'b'"},
        {"$filter": "(status eq 'a'"},
        {"$filter": "status eq 1 §"},
        {"$orderby": "colour asc"},
        {"$orderby": "created_at up"},
        {"limit": "0"},
        {"limit": "101"},
        {"after": "batch_unknown"},
    ],
    ids=str,
)
def test_a_list_that_is_asked_for_wrongly_is_refused(http: httpx2.Client, query: dict[str, str]) -> None:
    reply = http.get(BATCHES, params=query)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalidPayload")


def test_a_responses_file_gives_responses(service: RunningService, client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"City": {"type": "string"}}, "required": ["City"]}
    form = {"type": "json_schema", "name": "a", "strict": True, "schema": {**schema, "additionalProperties": False}}
    body = {"model": "gpt-4o-batch", "input": "Where is the Burj Khalifa?", "text": {"format": form}}
    batch = run(service, client, [row(url="/v1/responses", body=body)])
    answer = output(client, batch)["task-0"]["response"]["body"]
    assert (answer["object"], answer["model"], answer["status"]) == ("response", "gpt-4o-batch", "completed")
    assert json.loads(answer["output"][0]["content"][0]["text"]) == {"City": "Dubai"}
    assert answer["usage"]["total_tokens"] == answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]
