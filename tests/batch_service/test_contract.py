"""The service against its own OpenAPI description: schemathesis makes calls of every kind and checks every answer."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from openai import OpenAI

from local.batch_service.openapi import description
from local.batch_service.server import RunningService, running_service
from tests.batch_service.conftest import create, jsonl, rows, run, upload

# A description can't say that an id must be that of something which exists.
CONFIG = """
[[operations]]
include-operation-id = ["createBatch", "listBatches", "listFiles"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400"]
"""


def test_every_answer_is_as_the_description_says(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with running_service({"keys": ["right"]}, frozen=True, processing=0) as service:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"),
            *("--url", f"{service.url}/openai/v1", "--header", "api-key: right"),
            *("--max-examples", "15", "--generation-deterministic", "--no-color"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        statuses = Counter(call["status"] for call in service.journal().calls)
    assert done.returncode == 0, done.stdout
    assert "Tested: 9" in done.stdout
    assert {200, 201, 400, 401, 404} <= set(statuses)
    assert not {500, None} & set(statuses)
    assert statuses.total() > 300


def _fits(name: str, body: Any) -> None:
    whole = description()
    schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
    jsonschema_rs.validator_for(schema).validate(body)


@pytest.mark.parametrize("rule", [{}, {"expire": 0.5}, {"fail": [{"code": "odd", "message": "Odd.", "line": 1}]}])
def test_the_objects_of_real_steps_fit_the_description(
    service: RunningService, client: OpenAI, http: httpx2.Client, rule: dict[str, Any]
) -> None:
    service.scenario({"batches": [rule]})
    ended = run(service, client, rows(2))
    service.advance(100_000)
    file_id = upload(client, jsonl(rows(1)))
    service.advance(1)
    cancelled = client.batches.cancel(create(client, file_id).id)
    for batch_id in (ended.id, cancelled.id):
        _fits("Batch", http.get(f"/openai/v1/batches/{batch_id}").json())
    _fits("BatchList", http.get("/openai/v1/batches").json())
    _fits("FileList", http.get("/openai/v1/files").json())
    _fits("File", http.get(f"/openai/v1/files/{file_id}").json())
    _fits("DeletedFile", http.delete(f"/openai/v1/files/{file_id}").json())
    _fits("Error", http.get(f"/openai/v1/files/{file_id}").json())
