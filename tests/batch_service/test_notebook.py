"""The steps of the sample notebook, typed as its users type them."""

import json

from openai import AzureOpenAI

from local.batch_service.server import RunningService
from tests.batch_service.conftest import SAMPLE


def test_the_notebooks_steps_run_unchanged(service: RunningService) -> None:
    service.scenario({"files": [{"running": True}]})
    client = AzureOpenAI(azure_endpoint=service.url, api_key="a key", api_version="2024-10-01-preview")

    # Upload a file with a purpose of "batch"
    with SAMPLE.open("rb") as prompts:
        file = client.files.create(file=prompts, purpose="batch")
    file_id = file.id
    assert str(file.status) == "pending"

    # Wait until the uploaded file is in processed state
    status = str(file.status)
    seen = [status]
    while status != "processed":
        service.advance(0.25)
        file_response = client.files.retrieve(file_id)
        status = str(file_response.status)
        seen.append(status)
    assert list(dict.fromkeys(seen)) == ["pending", "running", "processed"]

    # Submit a batch job with the file
    batch_response = client.batches.create(
        input_file_id=file_id,
        endpoint="/chat/completions",  # type: ignore[arg-type]
        completion_window="24h",
    )
    batch_id = batch_response.id
    assert batch_response.status == "validating"

    # Track the batch job's progress
    statuses = []
    while batch_response.status not in ("completed", "failed", "canceled"):
        service.advance(1)
        batch_response = client.batches.retrieve(batch_id)
        statuses.append(batch_response.status)
    assert list(dict.fromkeys(statuses)) == ["validating", "in_progress", "finalizing", "completed"]
    assert batch_response.errors is None

    # Retrieve the batch job's output file
    output_file_id = batch_response.output_file_id
    assert output_file_id is not None
    file_response_text = client.files.content(output_file_id).text
    names = set()
    for raw_response in file_response_text.strip().split("\n"):
        json_response = json.loads(raw_response)
        answer = json.loads(json_response["response"]["body"]["choices"][0]["message"]["content"])
        assert list(answer) == ["BuildingName", "HeightInFeet", "City", "Country"]
        names.add((json_response["custom_id"], answer["BuildingName"], answer["HeightInFeet"]))
    assert names == {
        ("task-0", "Empire State Building", "1,454"),
        ("task-1", "The Shard", "1,016"),
        ("task-2", "Burj Khalifa", "2,717"),
    }

    # Cancel a batch job
    second = client.batches.create(
        input_file_id=file_id,
        endpoint="/chat/completions",  # type: ignore[arg-type]
        completion_window="24h",
    )
    assert client.batches.cancel(second.id).status == "cancelling"
    service.advance(1)
    assert client.batches.retrieve(second.id).status == "cancelled"

    # List all batch jobs
    assert [batch.id for batch in client.batches.list()] == [second.id, batch_id]
    client.close()
