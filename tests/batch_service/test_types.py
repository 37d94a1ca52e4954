"""Every object and answer, against the types of the installed openai package."""

from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types import Batch, FileDeleted, FileObject, Model
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel, TypeAdapter

from local.batch_service.server import RunningService
from tests.batch_service.conftest import SCHEMA, output, row, run

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}]
FLAT_TOOLS = [{"type": "function", "name": "look_up", "parameters": SCHEMA, "strict": True}]
FORMAT = {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}


def _check(form: type[BaseModel], body: Any) -> None:
    """Validate as strictly as JSON can be: no text for a number, no key that the type lacks but Azure's own."""
    TypeAdapter(form).validate_python(body, strict=False)
    for name, field in form.model_fields.items():
        if field.is_required():
            assert name in body


@pytest.mark.parametrize("model", ["gpt-4o-batch", "gpt-5.4-mini"])
@pytest.mark.parametrize(
    "parameters", [{}, {"tools": TOOLS}, {"n": 2}, {"logprobs": True, "top_logprobs": 1}], ids=lambda one: "-".join(one)
)
@pytest.mark.parametrize("outcome", ["answered", "refusal", "cut", "answer_filtered"])
def test_a_chat_answer_is_of_the_clients_type(
    service: RunningService, client: OpenAI, model: str, parameters: dict[str, Any], outcome: str
) -> None:
    if model == "gpt-5.4-mini" and "logprobs" in parameters:
        pytest.skip("refused by reasoning models")
    service.scenario({"rows": [{"outcome": outcome}]})
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **parameters}
    batch = run(service, client, [row("a", body=body)])
    _check(ChatCompletion, output(client, batch)["a"]["response"]["body"])


@pytest.mark.parametrize("model", ["gpt-4o-batch", "gpt-5.4-mini"])
@pytest.mark.parametrize(
    "parameters", [{}, {"tools": FLAT_TOOLS}, {"text": {"format": FORMAT}}], ids=lambda one: "-".join(one)
)
@pytest.mark.parametrize("outcome", ["answered", "refusal", "cut", "answer_filtered", "commentary"])
def test_a_response_is_of_the_clients_type(
    service: RunningService, client: OpenAI, model: str, parameters: dict[str, Any], outcome: str
) -> None:
    service.scenario({"rows": [{"outcome": outcome}]})
    body = {"model": model, "input": "Hello", **parameters}
    batch = run(service, client, [row("a", url="/v1/responses", body=body)])
    _check(Response, output(client, batch)["a"]["response"]["body"])


def test_files_batches_and_models_are_of_the_clients_types(
    service: RunningService, client: OpenAI, http: httpx2.Client
) -> None:
    batch = run(service, client, [row("a")])
    _check(Batch, http.get(f"/openai/v1/batches/{batch.id}").json())
    for file in http.get("/openai/v1/files").json()["data"]:
        _check(FileObject, file)
    _check(FileDeleted, http.delete(f"/openai/v1/files/{batch.output_file_id}").json())
    for model in http.get("/openai/v1/models").json()["data"]:
        _check(Model, model)


def test_models_are_listed_on_both_routes(client: OpenAI, http: httpx2.Client) -> None:
    names = [model.id for model in client.models.list()]
    assert "gpt-5.4-mini-2026-03-17" in names
    dated = http.get("/openai/models?api-version=2024-10-21").json()
    assert [model["id"] for model in dated["data"]] == names
    assert client.models.retrieve(names[0]).id == names[0]
    assert http.get("/openai/v1/models/other").status_code == 404
