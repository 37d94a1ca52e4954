"""The validation of an input file: every code, line by line, after a successful creation."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types import Batch

from local.batch_service.server import RunningService
from tests.batch_service.conftest import create, jsonl, output, row, rows, run, submit, upload


def _faults(batch: Batch) -> list[tuple[str | None, int | None]]:
    assert batch.status == "failed"
    assert batch.errors
    return [(fault.code, fault.line) for fault in batch.errors.data or []]


def _other_model(custom_id: str, model: Any) -> dict[str, Any]:
    return row(custom_id, body={"model": model, "messages": [{"role": "user", "content": "Hello"}]})


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in row().items() if name != key}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [("empty_file", None)]),
        (b"no json\n", [("invalid_json_line", 1)]),
        (b"\n", [("empty_file", None)]),
        (jsonl(rows(1)) + b"\n\n" + jsonl([row("b")]), [("invalid_json_line", 2), ("invalid_json_line", 3)]),
        (jsonl(rows(1)) + b"\n" + jsonl([row("b")]), [("invalid_json_line", 2)]),
        (jsonl(rows(1)) + b'{"custom_id": "\xff"}\n', [("invalid_json_line", 2)]),
        (jsonl([row("a"), row("b"), row("a")]), [("duplicate_custom_id", 3)]),
        (jsonl([row("a"), row("b", url="/v1/chat/completions")]), [("url_mismatch", 2)]),
        (jsonl([row("a"), _other_model("b", "another")]), [("model_mismatch", 2)]),
        (jsonl([_other_model("a", "")]), [("invalid_request", 1)]),
        (jsonl([_other_model("a", 5)]), [("invalid_request", 1)]),
        (jsonl([7]), [("invalid_request", 1)]),
        (jsonl([_without("custom_id")]), [("invalid_request", 1)]),
        (jsonl([_without("method")]), [("invalid_request", 1)]),
        (jsonl([_without("url")]), [("invalid_request", 1)]),
        (jsonl([_without("body")]), [("invalid_request", 1)]),
        (jsonl([row(custom_id="")]), [("invalid_request", 1)]),
        (jsonl([row(method="GET")]), [("invalid_request", 1)]),
        (jsonl([row(url=7)]), [("invalid_request", 1)]),
        (jsonl([row(body="text")]), [("invalid_request", 1)]),
        (jsonl([row(url="/v1/embeddings")]), [("invalid_request", 1)]),
        (jsonl([row(body={**row()["body"], "stream": True})]), [("invalid_request", 1)]),
    ],
)
def test_a_wrong_file_fails_its_batch_with_the_services_code(
    service: RunningService, client: OpenAI, content: bytes, expected: list[tuple[str, int | None]]
) -> None:
    batch = submit(service, client, content)
    assert batch.status == "validating"
    service.advance(2)
    assert _faults(client.batches.retrieve(batch.id)) == expected
    assert service.journal().billed == []


def test_every_wrong_line_is_named(service: RunningService, client: OpenAI) -> None:
    content = jsonl([row("a")]) + b"{\n" + jsonl([row("a"), row("b", url="/x")])
    assert _faults(run(service, client, content)) == [
        ("invalid_json_line", 2),
        ("duplicate_custom_id", 3),
        ("url_mismatch", 4),
    ]


def test_reports_end_at_a_hundred_faults(service: RunningService, client: OpenAI) -> None:
    assert len(_faults(run(service, client, b"{\n" * 150))) == 100


def test_a_byte_order_mark_hides_the_model(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, b"\xef\xbb\xbf" + jsonl(rows(2)))
    assert batch.errors
    assert batch.errors.data
    assert (batch.errors.data[0].message or "").startswith("Validation failed: A valid model deployment name")


def test_the_empty_files_text_is_the_services_own(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, b"")
    assert batch.errors
    assert batch.errors.to_dict() == {
        "object": "list",
        "data": [
            {
                "code": "empty_file",
                "message": "The input file is empty. Please ensure that the batch contains at least one request.",
                "line": None,
                "param": None,
            }
        ],
    }


def test_100001_requests_are_too_many(service: RunningService, client: OpenAI) -> None:
    assert service.service.scripts.current.scenario.limits.rows == 100_000
    line = json.dumps(row("ID")).encode() + b"\n"
    content = b"".join(line.replace(b"ID", b"%d" % number) for number in range(100_001))
    assert _faults(run(service, client, content)) == [("too_many_tasks", None)]


def test_an_unknown_deployment_is_not_found(service: RunningService, client: OpenAI) -> None:
    service.scenario({"deployments": {"other": {}}})
    assert _faults(run(service, client, rows(1))) == [("model_not_found", None)]


def test_a_standard_deployment_cannot_run_batches(service: RunningService, client: OpenAI) -> None:
    service.scenario({"deployments": {"gpt-4o-batch": {"sku": "Standard"}}})
    batch = run(service, client, rows(1))
    assert _faults(batch) == [("invalid_request", None)]
    service.scenario({"deployments": {"gpt-4o-batch": {"sku": "DataZoneBatch"}}})
    assert run(service, client, rows(1)).status == "completed"


@pytest.mark.parametrize(
    ("endpoint", "url", "status"),
    [
        ("/chat/completions", "/v1/chat/completions", "completed"),
        ("/v1/chat/completions", "/chat/completions", "completed"),
        ("/chat/completions", "/v1/responses", "completed"),
        ("/v1/responses", "/v1/responses", "completed"),
        ("/v1/responses", "/chat/completions", "failed"),
    ],
)
def test_the_lines_choose_the_api_unless_the_endpoint_is_responses(
    service: RunningService, client: OpenAI, endpoint: str, url: str, status: str
) -> None:
    body = {"model": "gpt-4o-batch", "input": "Hello", "messages": [{"role": "user", "content": "Hello"}]}
    file_id = upload(client, jsonl([row(url=url, body=body)]))
    service.advance(1)
    batch = create(client, file_id, endpoint=endpoint)
    service.advance(100)
    assert client.batches.retrieve(batch.id).status == status


def test_line_separators_within_strings_are_data(service: RunningService, client: OpenAI) -> None:
    content = json.dumps(row("one\u2028two\u0085three"), ensure_ascii=False).encode() + b"\n"
    assert run(service, client, content).status == "completed"


def test_a_last_line_without_its_end_is_a_line(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, jsonl(rows(2)).rstrip(b"\n"))
    assert batch.request_counts
    assert batch.request_counts.completed == 2


@pytest.mark.parametrize("end", [b"\n", b"  \n", b"\n\n", b" "])
def test_a_blank_last_line_is_no_fault_unless_the_scenario_says_so(
    service: RunningService, client: OpenAI, end: bytes
) -> None:
    content = jsonl(rows(2)) + end
    batch = run(service, client, content)
    assert (batch.status, len(output(client, batch))) == ("completed", 2)
    service.scenario({"blank_last_line": "fault"})
    failed = run(service, client, content)
    assert failed.errors is not None
    assert next((fault.code, fault.line) for fault in failed.errors.data or ()) == ("invalid_json_line", 3)
