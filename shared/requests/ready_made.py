"""Ready-made batch requests: checked, completed where model or response format is missing, else sent unchanged."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared import json_codec
from shared.documents.pictures import Documents
from shared.documents.references import Reference
from shared.domain.errors import UnsendableError
from shared.domain.model import CHAT_URLS, URLS, Record, RequestBlock, RowCode
from shared.requests.body_images import blob_images, has_images, pictures_of, with_pictures, without_pictures
from shared.requests.custom_ids import custom_id_of
from shared.requests.image_requests import request_with_images
from shared.requests.limits import check_size, check_text
from shared.requests.own_formats import OwnFormats, check_place, invalid_request
from shared.requests.request_lines import block_of
from shared.requests.response_format import PLAIN, Formats, format_of, with_format
from shared.requests.row_documents import RowDocuments
from shared.requests.skeleton import serialised

MESSAGES: Final = 2_048
"""Messages in one request: the quota page of Azure OpenAI."""

_METHOD_SHOWN: Final = 10


class ReadyMadeRequests:
    """Turns records that are batch requests into lines."""

    def __init__(
        self,
        formats: Formats,
        model: str | None,
        max_bytes: int,
        row_documents: RowDocuments,
        model_behind: Callable[[str], str],
    ) -> None:
        """`model` is for requests that name none; `model_behind` names the model of a deployment."""
        self._model_behind = model_behind
        self._row_documents = row_documents
        self._formats = formats
        self._own_formats = OwnFormats(formats)
        self._model = model
        self._max_bytes = max_bytes

    def images(self, record: Record) -> list[Reference]:
        """List the images of blobs in a request; raises UnsendableError for a wrong address."""
        url, body = record.values["url"], record.values["body"]
        return blob_images(body, url) if isinstance(url, str) and isinstance(body, dict) else []

    def build(self, record: Record, documents: Documents) -> RequestBlock:
        """Check and complete one request; raises UnsendableError."""
        values = record.values
        url, body = values["url"], values["body"]
        assert isinstance(body, dict)
        _check_method(values)
        if not isinstance(url, str) or url not in URLS:
            raise invalid_request(f"url must be one of {', '.join(URLS)}.")
        _check_body(body, url)
        custom_id = custom_id_of(record, values.get("custom_id"))
        body = self._with_model(body)
        schema, body = self._with_schema(body, url, record)
        if has_images(body, url):
            return self._with_images(_request(record, custom_id, body), schema, documents, record.row)
        line = json_codec.encode(_request(record, custom_id, body))
        check_size(line, self._max_bytes)
        return block_of((record.row,), (custom_id,), str(body["model"]), url, (line,), (schema,))

    def _with_images(self, request: dict[str, Any], schema: int, documents: Documents, row: int) -> RequestBlock:
        body, url = request["body"], request["url"]
        of_blobs = [documents.pictures(image) for image in blob_images(body, url)]
        pictures = pictures_of(body, url, of_blobs)
        if of_blobs:
            self._row_documents.check_count(len(pictures))
        line = serialised(request | {"body": with_pictures(body, url, of_blobs)})
        check_size(line, self._max_bytes)
        model = self._model_behind(body["model"])
        tokens = sum(picture.tokens(model, detail) for picture, detail in pictures)
        wording = serialised(request | {"body": without_pictures(body, url)})
        return request_with_images(row, request["custom_id"], body["model"], url, line, schema, tokens, wording)

    def _with_model(self, body: dict[str, object]) -> dict[str, object]:
        model = body.get("model")
        if model is not None and not isinstance(model, str):
            raise invalid_request("body.model must be a text.")
        if model is not None and model.strip():
            return body
        if not self._model:
            raise UnsendableError(
                RowCode.MISSING_MODEL, "The request names no model, nor do _job.json or AZURE_OPENAI_DEPLOYMENT."
            )
        return body | {"model": self._model} if "model" in body else {"model": self._model} | body

    def _with_schema(self, body: dict[str, object], url: str, record: Record) -> tuple[int, dict[str, object]]:
        """Return the number of the answer's schema, and the body with the job's schema where it asks for no format."""
        check_place(body, url)
        given = format_of(body, url)
        if given is not None:
            return self._own_formats.number_of(given, url, record), body
        job = self._formats.of_job()
        return job.number, body if job is PLAIN else with_format(body, url, self._formats.name, job.sent)


def _check_method(values: Mapping[str, object]) -> None:
    method = values.get("method")
    if method == "POST":
        return
    if "method" in values:
        is_shown = isinstance(method, str) and method.isalpha() and len(method) <= _METHOD_SHOWN
        given = f"; it is {method}" if is_shown else ""
        raise invalid_request(f"method must be POST{given}.")
    alike = next((key for key in values if key.strip().casefold() == "method"), None)
    if alike is None:
        raise invalid_request("method is missing; it must be POST.")
    fault = "has a space" if alike.strip() == "method" else "is not written in small letters"
    raise invalid_request(f'method is missing; it must be POST. The key "{alike}" {fault}.')


def _check_body(body: Mapping[str, object], url: str) -> None:
    if body.get("stream"):
        raise invalid_request("body.stream is not supported in batches.")
    count = body.get("n")
    if count is not None and (isinstance(count, bool) or count != 1):
        raise invalid_request("body.n must be 1: a row has one answer.")
    if url in CHAT_URLS:
        _check_messages(body.get("messages"))
    elif not body.get("input") and not body.get("prompt"):
        raise invalid_request("body.input is missing.")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid_request("body.messages must be a list of messages.")
    if len(messages) > MESSAGES:
        raise invalid_request(f"body.messages has {len(messages)} messages; {MESSAGES} are allowed.")
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                check_text(text)


def _request(record: Record, custom_id: str, body: dict[str, object]) -> dict[str, object]:
    """Return the request in its own order of keys.

    An object `input` beside it holds own columns; a line of errors.jsonl may have a `schema`: neither is sent.
    """
    ours = {"input"} if isinstance(record.values.get("input"), dict) else set()
    if record.is_dropped_again:
        ours.add("schema")
    sent = {key: value for key, value in record.values.items() if key not in ours} | {"body": body}
    return sent | {"custom_id": custom_id} if "custom_id" in sent else {"custom_id": custom_id} | sent
