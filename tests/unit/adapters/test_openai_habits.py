"""The batch service as others may have written it: what may be absent, null or odd in its answers breaks nothing."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx2
import openai
import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from shared.adapters.openai_batches import OpenAIBatchService, client_of
from shared.adapters.openai_objects import list_page, remote_batch, remote_file
from shared.domain.errors import AnswerLost, AppError, Misconfigured, NotPermitted, Refused, Transient, Unavailable
from shared.domain.model import Batch, BatchState, RemoteBatch
from shared.settings import read_settings

SETTINGS = read_settings(
    {
        "BatchStorage": "AccountName=a;AccountKey=b",
        "AZURE_OPENAI_ENDPOINT": "http://127.0.0.1",
        "AZURE_OPENAI_API_KEY": "k",
    }
)
BATCH = Batch(
    job_id="J", index=0, attempt=1, state=BatchState.UPLOADED, model="m", url="/chat", requests=1, file_id="file-x"
)
PAGE = "<html>Please sign in.</html>"

type Calls = dict[str, Callable[[OpenAIBatchService], object]]

READING: Calls = {
    "file": lambda service: service.file("file-x"),
    "content": lambda service: list(service.read_file("file-x")),
    "batch": lambda service: service.batch("batch_x"),
    "page": lambda service: service.page(""),
}
WRITING: Calls = {
    "upload": lambda service: service.upload("a.jsonl", io.BytesIO(b"{}")),
    "create": lambda service: service.create(BATCH, metadata={}),
}


@cache
def _client() -> openai.OpenAI:
    return client_of(SETTINGS.own_target("m"), None)


def _service(status: int, **answer: Any) -> OpenAIBatchService:
    """A service that gives the same answer to everything."""
    transport = httpx2.MockTransport(lambda request: httpx2.Response(status, **answer))
    client = _client().with_options(http_client=httpx2.Client(transport=transport))
    service = OpenAIBatchService(client, SETTINGS, SETTINGS.own_target("m"))
    service._reader = client  # As it is, but for the seconds between its tries.
    return service


@pytest.mark.parametrize(
    "answer",
    [
        {"html": PAGE},
        {"content": b"", "headers": {"content-type": "application/json"}},
        {"content": b""},
        {"json": [1, 2]},
        {"json": {}},
        {"json": {"id": None}},
        {"json": "text"},
    ],
    ids=["a web page", "empty JSON", "empty", "an array", "empty object", "no id", "a text"],
)
@pytest.mark.parametrize("call", ["file", "batch", "page", "upload"])
def test_what_is_no_answer_of_the_service_is_waited_for(call: str, answer: dict[str, Any]) -> None:
    if (call, answer) == ("page", {"json": [1, 2]}):
        return  # That is a list, if a bare one.
    with pytest.raises(Unavailable, match="AZURE_OPENAI_ENDPOINT"):
        {**READING, **WRITING}[call](_service(200, **answer))


@pytest.mark.parametrize("answer", [{"html": PAGE}, {"content": b""}, {"json": []}, {"json": {}}, {"json": {"id": ""}}])
def test_a_creation_whose_answer_says_nothing_is_one_whose_answer_was_lost(answer: dict[str, Any]) -> None:
    with pytest.raises(AnswerLost):
        WRITING["create"](_service(200, **answer))


def test_a_web_page_in_place_of_a_file_is_no_list_of_answers() -> None:
    with pytest.raises(Unavailable):
        READING["content"](_service(200, html=PAGE))


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("content", [b"", b"{}", PAGE.encode()])
def test_nobody_reads_what_a_deletion_or_a_cancellation_says(status: int, content: bytes) -> None:
    service = _service(status, content=content, headers={"content-type": "application/json"})
    service.delete_file("file-x")
    service.cancel("batch_x")


@pytest.mark.parametrize("status", [400, 405, 410, 422])
@pytest.mark.parametrize("call", READING)
def test_no_refusal_of_a_question_is_final(call: str, status: int) -> None:
    with pytest.raises(Unavailable, match=str(status)):
        READING[call](_service(status, json={"error": {"code": "x", "message": "no"}}))


@pytest.mark.parametrize(
    ("code", "expected"),
    [("conflict", Unavailable), ("unexpectedEntityState", Unavailable), ("invalid_request", Refused)],
)
def test_some_codes_say_with_a_400_that_it_may_pass(code: str, expected: type[AppError]) -> None:
    with pytest.raises(expected):
        WRITING["create"](_service(400, json={"error": {"code": code, "message": "no"}}))


def test_a_final_refusal_keeps_the_services_code() -> None:
    with pytest.raises(Refused) as refused:
        WRITING["create"](_service(400, json={"error": {"code": "model_not_found", "message": "no"}}))
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"json": {"error": "The model is unknown."}}, "The model is unknown."),
        ({"json": {"code": "x", "message": "flat"}}, "x flat"),
        ({"text": "plain\n  text"}, "plain text"),
        ({"html": PAGE}, "BadRequestError"),
        ({"json": [1]}, "BadRequestError"),
        ({"json": {"error": {"code": {"odd": 1}, "message": "m"}}}, "m"),
    ],
)
def test_what_the_service_says_is_quoted_in_whatever_form_it_comes(body: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        WRITING["upload"](_service(400, **body))
    assert said in str(refused.value)
    assert "<html>" not in str(refused.value)


def test_a_creation_at_an_unknown_deployment_quotes_the_service() -> None:
    answer = {"error": {"code": "DeploymentNotFound", "message": "The deployment does not exist."}}
    with pytest.raises(Misconfigured, match=r"deployment's name.*The deployment does not exist"):
        WRITING["create"](_service(404, json=answer))


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ClientAuthenticationError("canary"), NotPermitted), (ServiceRequestError("no network"), Unavailable)],
)
@pytest.mark.parametrize("call", [*READING, *WRITING])
def test_an_identity_without_a_token_is_waited_for(call: str, error: Exception, expected: type[Transient]) -> None:
    def token() -> str:
        raise error

    settings = read_settings(
        {"BatchStorage": "AccountName=a;AccountKey=b", "AZURE_OPENAI_ENDPOINT": "http://127.0.0.1"}
    )
    target = settings.own_target("m")
    service = OpenAIBatchService(client_of(target, token), settings, target)
    with pytest.raises(expected) as refused:
        {**READING, **WRITING}[call](service)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"created_at": 1_700_000_000}, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ({"created_at": "2023-11-14T22:13:20"}, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ({"created_at": 1_700_000_000_000_000}, None),
        ({"created_at": "yesterday"}, None),
        ({"created_at": None}, None),
        ({}, None),
    ],
)
def test_a_batchs_time_is_read_where_it_is_one(given: dict[str, Any], expected: datetime | None) -> None:
    assert remote_batch({"id": "b", "status": "validating", **given}).created_at == expected


@pytest.mark.parametrize(
    "errors",
    [
        {"data": [{"code": "c", "message": "m", "line": 3}]},
        [{"code": "c", "message": "m", "line": "3"}],
    ],
)
def test_a_batchs_errors_are_read_as_list_object_or_array(errors: object) -> None:
    assert remote_batch({"id": "b", "errors": errors}).errors == (("c", "m", "3"),)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"status": None, "metadata": ["x"], "errors": "none", "request_counts": 3},
        {"request_counts": {"total": None, "completed": "x", "failed": -1}, "output_file_id": 7, "errors": {"data": 1}},
        {"errors": {"data": ["x", None, {}]}, "metadata": {"job": 1}},
    ],
)
def test_a_batch_needs_no_more_than_its_id(odd: dict[str, Any]) -> None:
    found = remote_batch({"id": 12, **odd})
    assert (found.batch_id, found.status, found.counts, found.output_file_id) == ("12", "", (0, 0, 0), "")


def test_a_file_needs_no_more_than_its_id() -> None:
    found = remote_file({"id": "file-x", "bytes": "12"})
    assert (found.status, found.size, found.expires_at) == ("", 12, None)
    with pytest.raises(ValueError, match="no id"):
        remote_file(PAGE)


def _ids(page: tuple[list[RemoteBatch], str]) -> tuple[list[str], str]:
    return [batch.batch_id for batch in page[0]], page[1]


@pytest.mark.parametrize(
    ("found", "after", "expected"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}], "has_more": True}, "", (["a", "b"], "b")),
        ({"data": [{"id": "a"}], "has_more": False}, "", (["a"], "")),
        ({"data": [{"id": "a"}]}, "", (["a"], "a")),
        ({"data": []}, "a", ([], "")),
        ({"data": [], "has_more": True}, "a", ([], "")),
        ({"object": "list"}, "", ([], "")),
        ({"data": None, "object": "list"}, "", ([], "")),
        ({"data": [None, "x", {}, {"id": ""}, {"id": "b"}], "has_more": False}, "", (["b"], "")),
        ([{"id": "a"}], "", (["a"], "a")),
        # The same page again: the service does not know how to go on after a batch.
        ({"data": [{"id": "a"}, {"id": "b"}], "has_more": True}, "b", (["a", "b"], "")),
    ],
)
def test_a_page_of_a_list_says_where_to_go_on(found: object, after: str, expected: tuple[list[str], str]) -> None:
    assert _ids(list_page(found, after)) == expected
