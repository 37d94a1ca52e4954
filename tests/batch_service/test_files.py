"""The Files API: uploads and their states, expiry, limits, lists, deletion and content."""

import io
import json
import socket
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from local.batch_service.server import RunningService, running_service
from tests.batch_service.conftest import jsonl, rows, run, submit, upload

DAYS_14 = 14 * 86_400
FILES = "/openai/v1/files"


def _post(
    http: httpx2.Client, path: str = FILES, file: Any = ("in.jsonl", b"{}\n", "application/jsonl"), **fields: Any
) -> Any:
    return http.post(path, data={"purpose": "batch", **fields}, files={"file": file})


def test_an_upload_is_answered_with_201_and_a_location(http: httpx2.Client) -> None:
    reply = _post(http)
    assert reply.status_code == 201
    assert reply.headers["location"].endswith(f"{FILES}/{reply.json()['id']}")
    assert len(reply.json()["id"]) == len("file-") + 32


def test_a_file_is_pending_then_processed(service: RunningService, client: OpenAI) -> None:
    file_id = upload(client, jsonl(rows(1)))
    seen = []
    for _ in range(5):
        seen.append(client.files.retrieve(file_id).status)
        service.advance(0.25)
    assert seen == ["pending"] * 4 + ["processed"]


def test_a_file_is_running_in_between_where_the_scenario_says_so(service: RunningService, client: OpenAI) -> None:
    service.scenario({"files": [{"running": True}]})
    file_id = upload(client, jsonl(rows(1)))
    seen = []
    for _ in range(5):
        seen.append(client.files.retrieve(file_id).status)
        service.advance(0.25)
    assert seen == ["pending", "pending", "running", "running", "processed"]


def test_a_file_is_processed_at_once_where_processing_takes_no_time() -> None:
    with (
        running_service(processing=0, frozen=True) as service,
        OpenAI(base_url=f"{service.url}/v1", api_key="k") as client,
    ):
        assert client.files.create(file=("a.jsonl", b"{}"), purpose="batch").status == "processed"


def test_an_upload_comes_back_byte_for_byte(client: OpenAI) -> None:
    content = bytes(range(256)) * 5000
    assert client.files.content(upload(client, content)).content == content


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_after[seconds]": str(DAYS_14), "expires_after[anchor]": "created_at"},
        {"expires_after.seconds": str(DAYS_14), "expires_after.anchor": "created_at"},
        {"expires_after": json.dumps({"seconds": DAYS_14, "anchor": "created_at"})},
    ],
    ids=["brackets", "dots", "one JSON part"],
)
def test_expiry_is_understood_in_all_three_ways_to_write_it(http: httpx2.Client, fields: dict[str, str]) -> None:
    file = _post(http, **fields).json()
    assert file["expires_at"] == file["created_at"] + DAYS_14


@pytest.mark.parametrize("seconds", [3_600, 259_199, 2_592_001])
def test_expiry_outside_3_to_30_days_is_refused_with_the_services_words(http: httpx2.Client, seconds: int) -> None:
    reply = _post(http, **{"expires_after[seconds]": str(seconds), "expires_after[anchor]": "created_at"})
    assert reply.status_code == 400
    message = "Value for Seconds must be between 259200 and 2592000."
    assert reply.json() == {"error": {"code": "invalidPayload", "message": message}}


def test_a_scenario_can_ask_for_the_14_days_that_microsoft_documents(
    service: RunningService, http: httpx2.Client
) -> None:
    assert _post(http, **{"expires_after[seconds]": "259200", "expires_after[anchor]": "created_at"}).status_code == 201
    service.scenario({"limits": {"expiry_seconds": [DAYS_14, 2_592_000]}})
    reply = _post(http, **{"expires_after[seconds]": str(DAYS_14 - 1), "expires_after[anchor]": "created_at"})
    assert (reply.status_code, "1209600" in reply.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_after[seconds]": str(DAYS_14)},
        {"expires_after[seconds]": "soon", "expires_after[anchor]": "created_at"},
        {"expires_after[seconds]": str(DAYS_14), "expires_after[anchor]": "last_active_at"},
        {"expires_after": "14 days"},
    ],
)
def test_an_expiry_that_is_wrong_in_itself_is_refused(http: httpx2.Client, fields: dict[str, str]) -> None:
    reply = _post(http, **fields)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalidPayload")


def test_older_api_versions_ignore_expiry_without_a_word(http: httpx2.Client) -> None:
    fields = {"expires_after[seconds]": str(DAYS_14), "expires_after[anchor]": "created_at"}
    old = _post(http, "/openai/files?api-version=2024-10-01-preview", **fields)
    new = _post(http, "/openai/files?api-version=2025-03-01-preview", **fields)
    assert old.status_code == 201
    assert "expires_at" not in old.json()
    assert new.json()["expires_at"] == new.json()["created_at"] + DAYS_14


def test_an_expired_file_is_gone(service: RunningService, client: OpenAI) -> None:
    file = client.files.create(
        file=("a.jsonl", b"{}"), purpose="batch", expires_after={"seconds": DAYS_14, "anchor": "created_at"}
    )
    service.advance(DAYS_14 - 1)
    assert client.files.retrieve(file.id).id == file.id
    service.advance(2)
    with pytest.raises(NotFoundError):
        client.files.retrieve(file.id)
    assert client.files.list().data == []


@pytest.mark.parametrize("purpose", ["fine-tune", "assistants", "batch_output", ""])
def test_another_purpose_is_refused_with_the_services_words(http: httpx2.Client, purpose: str) -> None:
    reply = _post(http, purpose=purpose)
    assert reply.status_code == 400
    assert reply.json() == {"error": {"code": "invalidPayload", "message": "Invalid value for purpose."}}


def test_an_api_version_from_before_batches_refuses_the_purpose(http: httpx2.Client) -> None:
    reply = _post(http, "/openai/files?api-version=2024-02-01")
    assert reply.json()["error"]["message"] == "Invalid value for purpose."


def test_a_part_without_content_type_is_refused(http: httpx2.Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    body += b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n--x--\r\n'
    reply = http.post(FILES, content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("The file has no or an empty content type specifi")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"{}", "application/json"), (b"garbage", "multipart/form-data; boundary=x"), (b"", "multipart/form-data")],
)
def test_a_body_that_is_no_upload_is_refused_in_the_services_envelope(
    http: httpx2.Client, content: bytes, content_type: str
) -> None:
    reply = http.post(FILES, content=content, headers={"content-type": content_type})
    assert reply.status_code == 400
    assert set(reply.json()["error"]) == {"code", "message"}


def test_501_files_without_expiry_are_one_too_many(service: RunningService, client: OpenAI) -> None:
    expiring: Any = {"expires_after": {"seconds": DAYS_14, "anchor": "created_at"}}
    ids = [upload(client, b"{}") for _ in range(500)]
    with pytest.raises(BadRequestError) as refused:
        upload(client, b"{}")
    assert refused.value.body == {
        "code": "quotaExceeded",
        "message": "The quota for files without expiry is reached. The maximum is 500.",
    }
    client.files.create(file=("a.jsonl", b"{}"), purpose="batch", **expiring)
    client.files.delete(ids[0])
    upload(client, b"{}")


def test_files_with_expiry_have_a_limit_of_their_own(service: RunningService, client: OpenAI) -> None:
    assert service.service.scripts.current.scenario.limits.files_with_expiry == 10_000
    service.scenario({"limits": {"files_with_expiry": 1}})
    expiring: Any = {"expires_after": {"seconds": DAYS_14, "anchor": "created_at"}}
    client.files.create(file=("a.jsonl", b"{}"), purpose="batch", **expiring)
    with pytest.raises(BadRequestError, match="quota for files with expiry"):
        client.files.create(file=("b.jsonl", b"{}"), purpose="batch", **expiring)
    service.advance(DAYS_14)
    client.files.create(file=("b.jsonl", b"{}"), purpose="batch", **expiring)


def test_result_files_do_not_count_against_the_limit(service: RunningService, client: OpenAI) -> None:
    service.scenario({"limits": {"files": 2}})
    run(service, client, rows(1))
    assert len(client.files.list().data) == 3
    upload(client, b"{}")


def test_an_upload_above_the_limit_is_refused_and_leaves_nothing(service: RunningService, client: OpenAI) -> None:
    service.scenario({"limits": {"upload_bytes": 1000}})
    upload(client, b"x" * 1000)
    with pytest.raises(BadRequestError, match="larger than the 1000 bytes"):
        upload(client, b"x" * 1001)
    assert len(client.files.list().data) == 1


def test_an_upload_of_more_than_200_mb_is_refused_before_it_is_sent(service: RunningService) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST {FILES} HTTP/1.1\r\nHost: {host}\r\napi-key: k\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {202 * 1024 * 1024}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_files_are_listed_newest_first_in_pages(client: OpenAI) -> None:
    ids = [upload(client, b"{}", f"{number}.jsonl") for number in range(5)]
    first = client.files.list(limit=2)
    assert [file.id for file in first.data] == [ids[4], ids[3]]
    assert first.has_more
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in client.files.list(order="asc")] == ids


def test_files_are_listed_by_purpose(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, rows(1))
    assert [file.id for file in client.files.list(purpose="batch")] == [batch.input_file_id]
    outputs = {file.id for file in client.files.list(purpose="batch_output")}
    assert outputs == {batch.output_file_id, batch.error_file_id}


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=many", "order=up", "after=file-unknown"])
def test_a_list_that_is_asked_for_wrongly_is_refused(http: httpx2.Client, query: str) -> None:
    assert http.get(f"{FILES}?{query}").status_code == 400


def test_a_deleted_file_is_gone_but_its_batch_goes_on(service: RunningService, client: OpenAI) -> None:
    batch = submit(service, client, rows(2))
    assert batch.input_file_id
    deleted = client.files.delete(batch.input_file_id)
    assert deleted.to_dict() == {"object": "file", "id": batch.input_file_id, "deleted": True}
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(NotFoundError):
            call(batch.input_file_id)
    service.advance(8)
    assert client.batches.retrieve(batch.id).status == "completed"


def test_the_import_of_files_is_not_emulated_and_says_so(http: httpx2.Client) -> None:
    reply = http.post(f"{FILES}/import", json={"purpose": "batch", "filename": "a", "content_url": "http://x"})
    assert reply.status_code == 501
    assert "import" in reply.json()["error"]["message"]


def test_an_upload_whose_sender_goes_away_leaves_nothing(service: RunningService, client: OpenAI) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST {FILES} HTTP/1.1\r\nHost: {host}\r\napi-key: k\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        'Content-Length: 5000\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n{}"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
    assert client.files.list().data == []
    assert client.files.create(file=("in.jsonl", io.BytesIO(b"{}")), purpose="batch").bytes == 2
