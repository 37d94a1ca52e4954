"""The recording of a real batch beside the service's own objects for the same steps."""

import json
from typing import Any

import httpx2
import pytest

from local.batch_service.server import RunningService
from testing.paths import DATA
from tests.batch_service.conftest import SAMPLE

RECORDED = DATA / "azure-recorded"
VERSION = {"api-version": "2024-10-01-preview"}
IDS_AND_TIMES = {
    "id",
    "input_file_id",
    "output_file_id",
    "error_file_id",
    "created_at",
    "in_progress_at",
    "finalizing_at",
    "completed_at",
    "expires_at",
}


def _differences(recorded: Any, ours: Any, path: str = "") -> list[str]:
    """The places where two JSON values differ, one line each."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        keys = [*recorded, *(key for key in ours if key not in recorded)]
        missing = object()
        return [
            line
            for key in keys
            for line in _differences(recorded.get(key, missing), ours.get(key, missing), f"{path}.{key}".lstrip("."))
        ]
    if isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        pairs = enumerate(zip(recorded, ours, strict=True))
        return [line for number, (a, b) in pairs for line in _differences(a, b, f"{path}[{number}]")]
    return [] if recorded == ours and type(recorded) is type(ours) else [f"{path}: {recorded!r} | {ours!r}"]


def _steps(service: RunningService, http: httpx2.Client) -> dict[str, Any]:
    """Do what was done when the recording was made; return the service's own objects by the recording's names."""
    with SAMPLE.open("rb") as prompts:
        file = http.post(
            "/openai/files",
            params=VERSION,
            data={"purpose": "batch"},
            files={"file": (SAMPLE.name, prompts, "application/octet-stream")},
        ).json()
    service.advance(33)
    body = {"input_file_id": file["id"], "endpoint": "/chat/completions", "completion_window": "24h"}
    created = http.post("/openai/batches", params=VERSION, json=body).json()
    service.advance(473)
    completed = http.get(f"/openai/batches/{created['id']}", params=VERSION).json()
    output = http.get(f"/openai/files/{completed['output_file_id']}/content", params=VERSION).content
    errors = http.get(f"/openai/files/{completed['error_file_id']}/content", params=VERSION).content
    assert errors == b""
    lines = sorted((json.loads(line) for line in output.splitlines()), key=lambda line: str(line["custom_id"]))
    return {"file-created": file, "batch-created": created, "batch-completed": completed, "output": lines}


def _recorded(name: str) -> Any:
    if name == "output":
        return [json.loads(line) for line in (RECORDED / "output.jsonl").read_bytes().splitlines()]
    return json.loads((RECORDED / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["file-created", "batch-created", "batch-completed"])
def test_our_objects_differ_from_the_recorded_ones_only_in_ids_and_times(
    service: RunningService, http: httpx2.Client, name: str
) -> None:
    differences = _differences(_recorded(name), _steps(service, http)[name])
    print(f"\n{name}.json, recorded | ours", *differences, sep="\n  ")
    assert differences
    assert {line.split(":")[0] for line in differences} <= IDS_AND_TIMES


def test_our_objects_have_the_recorded_keys_in_the_recorded_order(service: RunningService, http: httpx2.Client) -> None:
    ours = _steps(service, http)
    for name in ("batch-created", "batch-completed"):
        assert list(ours[name]) == list(_recorded(name))
    for recorded, own in zip(_recorded("output"), ours["output"], strict=True):
        assert list(own) == list(recorded)
        assert list(own["response"]["body"]) == list(recorded["response"]["body"])


def test_our_ids_are_written_as_the_recorded_ones(service: RunningService, http: httpx2.Client) -> None:
    ours = _steps(service, http)["batch-completed"]
    for name, recorded in _recorded("batch-completed").items():
        if name == "id" or name.endswith("_id"):
            shape = ["h" if char.isalnum() and char in "0123456789abcdef" else char for char in recorded]
            assert ["h" if char in "0123456789abcdef" else char for char in ours[name]] == shape


def test_generated_lines_differ_from_the_recorded_ones_only_in_ids_times_token_counts_and_words(
    service: RunningService, http: httpx2.Client
) -> None:
    differences = _differences(_recorded("output"), _steps(service, http)["output"])
    print("\noutput.jsonl, recorded | ours", *differences, sep="\n  ")
    expected = {
        "created",
        "id",
        "system_fingerprint",
        "request_id",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
    }
    # The recorded answer says "2,717 ft", and the recorded third row has but one of the prompt filter's results.
    expected |= {"content", "hate", "self_harm", "sexual", "violence"}
    # What Azure adds to usage since then.
    expected |= {"prompt_tokens_details", "completion_tokens_details"}
    assert {line.split(":")[0].rsplit(".", 1)[-1] for line in differences} <= expected


def test_recorded_lines_are_given_out_unchanged(service: RunningService, http: httpx2.Client) -> None:
    service.scenario({"recorded": str(RECORDED / "output.jsonl")})
    assert _differences(_recorded("output"), _steps(service, http)["output"]) == []


def test_statuses_come_in_the_recorded_order(service: RunningService, http: httpx2.Client) -> None:
    recorded = [line.split()[-1] for line in (RECORDED / "batch-status-sequence.txt").read_text().splitlines()]
    service.scenario({"batches": [{"validating": 189, "running": 197, "finalizing": 87}]})
    with SAMPLE.open("rb") as prompts:
        files = {"file": (SAMPLE.name, prompts, "application/octet-stream")}
        file_id = http.post("/openai/files", params=VERSION, data={"purpose": "batch"}, files=files).json()["id"]
    service.advance(33)
    body = {"input_file_id": file_id, "endpoint": "/chat/completions", "completion_window": "24h"}
    batch_id = http.post("/openai/batches", params=VERSION, json=body).json()["id"]
    service.advance(78)
    seen = []
    for _ in recorded:
        seen.append(http.get(f"/openai/batches/{batch_id}", params=VERSION).json()["status"])
        service.advance(60.4)
    assert seen == recorded


def test_input_tokens_are_those_that_the_recorded_answers_name(service: RunningService, http: httpx2.Client) -> None:
    ours = {line["custom_id"]: line["response"]["body"]["usage"] for line in _steps(service, http)["output"]}
    for line in _recorded("output"):
        assert ours[line["custom_id"]]["prompt_tokens"] == line["response"]["body"]["usage"]["prompt_tokens"]
