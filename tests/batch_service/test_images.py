"""Images in requests: what the service refuses, and what it answers about them."""

import base64
import json
from typing import Any

import pytest
from openai import OpenAI

from local.batch_service.images import FORMATS, MAX_BYTES
from local.batch_service.server import RunningService
from testing.documents import image
from tests.batch_service.conftest import SCHEMA, errors, output, row, run


def url_of(data: bytes, kind: str = "image/png") -> str:
    """A file as data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


GOOD = url_of(image())


def body_of(*urls: str, responses: bool = False) -> dict[str, Any]:
    """A request with images."""
    if responses:
        parts: list[dict[str, Any]] = [{"type": "input_image", "image_url": url} for url in urls]
        return {"model": "gpt-4o-batch", "input": [{"role": "user", "content": parts}]}
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}
    return {"model": "gpt-4o-batch", "messages": [{"role": "user", "content": parts}], "response_format": form}


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ([url_of(b"BM and so on")], FORMATS),
        ([url_of(b"%PDF-1.7", "application/pdf")], "Invalid image URL"),
        (["data:image/png;base64,abc$"], "Invalid base64"),
        ([GOOD[:-9]], "Invalid"),
        ([url_of(image()[:-20])], "Invalid image data"),
        ([url_of(image() + bytes(MAX_BYTES))], "The image has more than"),
        (["blob:/a.png"], "Invalid image URL"),
        (["file:///etc/passwd"], "Invalid image URL"),
        ([GOOD] * 51, "Too many images in request. Max is 50."),
    ],
)
def test_an_image_that_the_service_refuses_fails_its_row_and_no_other(
    service: RunningService, client: OpenAI, urls: list[str], message: str
) -> None:
    batch = run(service, client, [row("bad", body=body_of(*urls)), row("good", body=body_of(*[GOOD] * 50))])

    assert set(output(client, batch)) == {"good"}
    (failed,) = errors(client, batch).values()
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"]["error"]["message"].startswith(message)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_images_of_every_kind_are_taken_by_both_routes(service: RunningService, client: OpenAI, form: str) -> None:
    url = url_of(image(form), f"image/{form.lower()}")
    chat = run(service, client, [row("a", body=body_of(url, "https://example.com/a.png"))])
    responses = run(service, client, [row("a", url="/v1/responses", body=body_of(url, responses=True))])

    assert set(output(client, chat)) == set(output(client, responses)) == {"a"}


def test_answers_about_images_take_up_the_files_name(service: RunningService, client: OpenAI) -> None:
    batch = run(service, client, [row("in/acme-trading-0815.png", body=body_of(GOOD))])

    (answer,) = output(client, batch).values()
    content = answer["response"]["body"]["choices"][0]["message"]["content"]
    assert json.loads(content)["BuildingName"] == "Acme Trading"
