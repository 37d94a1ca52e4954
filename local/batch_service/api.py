"""The routes of the Files and Batch API: requests in, answers out, in the envelope of Azure OpenAI."""

import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from local.batch_service import json_text, models, new_batch, openai_platform, paging
from local.batch_service.errors import ServiceError, default_error, invalid_payload, not_found, not_implemented
from local.batch_service.files import StoredFile, expiry_seconds, file_object, knows_expiry
from local.batch_service.service import Service

Handler = Callable[[Request, str | None], Awaitable[Response]]
BATCHES_SINCE = "2024-07-01-preview"
DATED = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")
V1_VERSIONS = frozenset({"v1", "preview", "latest"})
MODELS_SINCE = 1_735_689_600
"""When all models say that they were made: nothing reads it."""
FORM_ROOM = 1024**2
"""What a multipart body may have beside the file itself."""


class Api:
    """The routes of one family: with `dated`, an api-version is required."""

    def __init__(self, service: Service, *, dated: bool) -> None:
        self._service, self._dated = service, dated

    def routes(self) -> list[Route]:
        """Return the routes, without the family's prefix."""
        return [
            self._route("/models", GET=self._models),
            self._route("/models/{id}", GET=self._model),
            self._route("/files", POST=self._upload, GET=self._list_files),
            self._route("/files/import", POST=self._import),
            self._route("/files/{id}", GET=self._file, DELETE=self._delete_file),
            self._route("/files/{id}/content", GET=self._content),
            self._route("/batches", POST=self._create, GET=self._list_batches),
            self._route("/batches/{id}", GET=self._batch),
            self._route("/batches/{id}/cancel", POST=self._cancel),
        ]

    def _route(self, path: str, **handlers: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            self._check_key(request)
            handler = handlers["GET" if request.method == "HEAD" else request.method]
            return await handler(request, self._version(request))

        return Route(path, endpoint, methods=list(handlers))

    def _check_key(self, request: Request) -> None:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else ""
        scenario = self._service.scripts.current.scenario
        openai = scenario.platform == "openai"
        if openai and request.url.path.startswith("/openai"):
            raise default_error(404)
        key = key if openai else request.headers.get("api-key") or key
        if not key or (scenario.keys is not None and key not in scenario.keys):
            raise openai_platform.unauthorized(key) if openai else default_error(401)

    def _version(self, request: Request) -> str | None:
        """Return the dated api-version, or None on a route without dates."""
        given = next((value for name, value in request.query_params.items() if name.lower() == "api-version"), None)
        if not self._dated:
            if given is not None and given not in V1_VERSIONS:
                raise ServiceError(400, "BadRequest", "API version not supported")
            return None
        if given is None or not DATED.fullmatch(given):
            raise default_error(404)
        if given < BATCHES_SINCE:
            if request.url.path.endswith("/files") and request.method == "POST":
                raise invalid_payload("Invalid value for purpose.")
            raise default_error(404)
        return given

    async def _models(self, request: Request, version: str | None) -> Response:
        return JSONResponse({"object": "list", "data": models.listed(MODELS_SINCE)})

    async def _model(self, request: Request, version: str | None) -> Response:
        name = request.path_params["id"]
        found = next((model for model in models.listed(MODELS_SINCE) if model["id"] == name), None)
        if found is None:
            raise not_found("model", name)
        return JSONResponse(found)

    async def _upload(self, request: Request, version: str | None) -> Response:
        limits = self._service.scripts.current.scenario.limits
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limits.upload_bytes + FORM_ROOM:
            raise _too_large(limits.upload_bytes)
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise invalid_payload("The request must be multipart/form-data.")
        async with request.form(max_files=1) as form:
            file = await run_in_threadpool(self._take, form, version)
        shown = file_object(file, self._service.clock.now(), version)
        location = f"{request.url.replace(query='')}/{file.id}"
        openai = self._service.scripts.current.scenario.platform == "openai"
        return JSONResponse(shown, 200 if openai else 201, headers={} if openai else {"location": location})

    def _take(self, form: FormData, version: str | None) -> StoredFile:
        script, upload = self._service.scripts.current, form.get("file")
        if form.get("purpose") != "batch":
            raise invalid_payload("Invalid value for purpose.")
        if not isinstance(upload, UploadFile):
            raise invalid_payload("Missing required parameter: 'file'.")
        if not upload.headers.get("content-type"):
            raise invalid_payload("The file has no or an empty content type specified.")
        limits = script.scenario.limits
        expires = expiry_seconds(_expires_after(form), limits) if knows_expiry(version) else None
        if (upload.size or 0) > limits.upload_bytes:
            raise _too_large(limits.upload_bytes)
        filename = upload.filename or "upload.jsonl"
        target = self._service.files.new_upload()
        try:
            _copy(upload.file, target)
            rule = script.file_rule(filename)
            return self._service.files.add_upload(
                target, filename, expires, rule, self._service.timings.processing, limits
            )
        finally:
            target.unlink(missing_ok=True)

    async def _list_files(self, request: Request, version: str | None) -> Response:
        query = request.query_params
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise invalid_payload("The order must be asc or desc.")
        limit = paging.limit_of(query.get("limit"), 10_000, 10_000)
        page = self._service.files.page(query.get("purpose"), query.get("after"), limit, order == "desc")
        now = self._service.clock.now()
        return JSONResponse(_listed([file_object(file, now, version) for file in page.items], page.more))

    async def _import(self, request: Request, version: str | None) -> Response:
        raise not_implemented("the import of files from an address")

    async def _file(self, request: Request, version: str | None) -> Response:
        file = self._service.files.get(request.path_params["id"])
        return JSONResponse(file_object(file, self._service.clock.now(), version))

    async def _delete_file(self, request: Request, version: str | None) -> Response:
        file_id = request.path_params["id"]
        await run_in_threadpool(self._service.files.delete, file_id)
        return JSONResponse({"object": "file", "id": file_id, "deleted": True})

    async def _content(self, request: Request, version: str | None) -> Response:
        file = self._service.files.get(request.path_params["id"])
        return FileResponse(self._service.files.path(file.id), media_type="application/octet-stream")

    async def _create(self, request: Request, version: str | None) -> Response:
        scenario = self._service.scripts.current.scenario
        new = new_batch.read(await _json(request), version, scenario)
        shown, headers = await run_in_threadpool(self._service.batches.create, new)
        return JSONResponse(shown, 200 if scenario.platform == "openai" else 201, headers=headers)

    async def _list_batches(self, request: Request, version: str | None) -> Response:
        query = request.query_params
        limit = paging.limit_of(query.get("limit"), 20, 100)
        matches, order = paging.filter_of(query.get("$filter")), paging.order_of(query.get("$orderby"))
        page, headers = await run_in_threadpool(self._service.batches.page, matches, order, query.get("after"), limit)
        return JSONResponse(_listed(page.items, page.more), headers=headers)

    async def _batch(self, request: Request, version: str | None) -> Response:
        return JSONResponse(await run_in_threadpool(self._service.batches.get, request.path_params["id"]))

    async def _cancel(self, request: Request, version: str | None) -> Response:
        return JSONResponse(await run_in_threadpool(self._service.batches.cancel, request.path_params["id"]))


def _listed(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}


def _expires_after(form: Mapping[str, Any]) -> Any:
    """Return the expiry from any of the three ways to write it in a form."""
    for name in ("expires_after[{}]", "expires_after.{}"):
        found = {key: form[name.format(key)] for key in ("seconds", "anchor") if name.format(key) in form}
        if found:
            return found
    whole = form.get("expires_after")
    if whole is None:
        return None
    try:
        return json_text.read(str(whole))
    except ValueError:
        raise invalid_payload(
            "The expires_after must be JSON, or given as expires_after[seconds] and [anchor]."
        ) from None


def _copy(source: BinaryIO, target: Path) -> None:
    source.seek(0)
    with target.open("wb") as out:
        shutil.copyfileobj(source, out, 1024**2)


async def _json(request: Request) -> Any:
    try:
        return json_text.read(await request.body())
    except ValueError:
        raise invalid_payload("The request's body is not valid JSON.") from None


def _too_large(most: int) -> ServiceError:
    return invalid_payload(f"The file is larger than the {most} bytes that are allowed.")
