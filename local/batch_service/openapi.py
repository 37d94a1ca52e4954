"""The OpenAPI description of what the service serves: OpenAI's contract for files and batches, and Azure's additions.

The objects follow OpenAI's published description of its API; the statuses, the answers 201 and own-storage
fields follow the REST specification of Azure OpenAI's authoring API.
"""

from typing import Any

from local.batch_service.batch_record import TIMES
from local.batch_service.scenario import Limits
from local.batch_service.validation import BATCH_ENDPOINTS

Json = dict[str, Any]
FILE_STATUSES = ["pending", "running", "processed", "error"]
BATCH_STATUSES = [
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]  # fmt: skip

LINKS = {
    "createFile": {
        "retrieve": {"operationId": "retrieveFile", "parameters": {"file_id": "$response.body#/id"}},
        "download": {"operationId": "downloadFile", "parameters": {"file_id": "$response.body#/id"}},
        "delete": {"operationId": "deleteFile", "parameters": {"file_id": "$response.body#/id"}},
        "batch": {"operationId": "createBatch", "requestBody": {"input_file_id": "$response.body#/id"}},
    },
    "createBatch": {
        "retrieve": {"operationId": "retrieveBatch", "parameters": {"batch_id": "$response.body#/id"}},
        "cancel": {"operationId": "cancelBatch", "parameters": {"batch_id": "$response.body#/id"}},
    },
}


def description() -> Json:
    """Return the whole description; its paths are those behind `/openai/v1`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Local Azure OpenAI batch service",
            "version": "v1",
            "description": "Files and batches of Azure OpenAI, emulated for development. GET / lists the differences.",
        },
        "servers": [{"url": "/openai/v1"}, {"url": "/v1"}],
        "security": [{"key": []}, {"bearer": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": _schemas(),
        },
    }


def _paths() -> Json:
    file_id, batch_id = _in_path("file_id"), _in_path("batch_id")
    return {
        "/files": {
            "post": _operation("createFile", "Upload a file.", "File", created=True, body=_upload_body()),
            "get": _operation("listFiles", "List the files.", "FileList", parameters=_file_list_parameters()),
        },
        "/files/{file_id}": {
            "get": _operation("retrieveFile", "Show a file.", "File", parameters=[file_id], absent=True),
            "delete": _operation("deleteFile", "Delete a file.", "DeletedFile", parameters=[file_id], absent=True),
        },
        "/files/{file_id}/content": {
            "get": _operation("downloadFile", "Return a file's bytes.", None, parameters=[file_id], absent=True)
        },
        "/batches": {
            "post": _operation("createBatch", "Create a batch.", "Batch", created=True, body=_batch_body()),
            "get": _operation("listBatches", "List the batches.", "BatchList", parameters=_batch_list_parameters()),
        },
        "/batches/{batch_id}": {
            "get": _operation("retrieveBatch", "Show a batch.", "Batch", parameters=[batch_id], absent=True)
        },
        "/batches/{batch_id}/cancel": {
            "post": _operation("cancelBatch", "Cancel.", "Batch", parameters=[batch_id], absent=True, conflict=True)
        },
    }


def _operation(
    name: str,
    summary: str,
    returns: str | None,
    *,
    parameters: list[Json] | None = None,
    body: Json | None = None,
    created: bool = False,
    absent: bool = False,
    conflict: bool = False,
) -> Json:
    """Describe one operation; `absent` and `conflict` say that it may answer 404 and 409."""
    bytes_: Json = {"application/octet-stream": {}}
    content = bytes_ if returns is None else {"application/json": {"schema": _ref(returns)}}
    refusals = {"400": "The request is wrong.", "401": "No key, or a wrong one."}
    if absent:
        refusals["404"] = "There is no such file or batch."
    if conflict:
        refusals["409"] = "The batch has ended."
    answers: Json = {"201" if created else "200": {"description": summary, "content": content}}
    if name == "createFile":
        answers["201"]["headers"] = {"Location": {"schema": {"type": "string"}}}
    if created:
        answers["201"]["links"] = LINKS[name]
    for status, text in refusals.items():
        answers[status] = {"description": text, "content": {"application/json": {"schema": _ref("Error")}}}
    described: Json = {
        "operationId": name,
        "summary": summary,
        "parameters": [*(parameters or []), _api_version()],
        "responses": answers,
    }
    return described if body is None else {**described, "requestBody": {"required": True, "content": body}}


def _upload_body() -> Json:
    low, high = Limits().expiry_seconds
    fields = {
        "purpose": {"enum": ["batch"]},
        "file": {"type": "string", "format": "binary"},
        "expires_after[seconds]": {"type": "integer", "minimum": low, "maximum": high},
        "expires_after[anchor]": {"enum": ["created_at"]},
    }
    schema = {
        "type": "object",
        "required": ["purpose", "file"],
        "properties": fields,
        "dependentRequired": {
            "expires_after[seconds]": ["expires_after[anchor]"],
            "expires_after[anchor]": ["expires_after[seconds]"],
        },
    }
    return {"multipart/form-data": {"schema": schema, "encoding": {"file": {"contentType": "application/jsonl"}}}}


def _batch_body() -> Json:
    low, high = Limits().expiry_seconds
    expiry = {
        "type": "object",
        "required": ["seconds", "anchor"],
        "properties": {
            "seconds": {"type": "integer", "minimum": low, "maximum": high},
            "anchor": {"enum": ["created_at"]},
        },
    }
    metadata = {
        "type": ["object", "null"],
        "maxProperties": 16,
        "propertyNames": {"maxLength": 64},
        "additionalProperties": {"type": "string", "maxLength": 512},
    }
    schema = {
        "type": "object",
        "required": ["endpoint", "completion_window", "input_file_id"],
        "properties": {
            "input_file_id": {"type": "string", "minLength": 1},
            "endpoint": {"enum": sorted(BATCH_ENDPOINTS)},
            "completion_window": {"enum": ["24h"]},
            "metadata": metadata,
            "output_expires_after": {"anyOf": [expiry, {"type": "null"}]},
        },
    }
    own_storage = {
        "type": "object",
        "required": ["endpoint", "completion_window", "input_blob", "output_folder"],
        "properties": {
            "input_blob": {"type": "string", "minLength": 1},
            "output_folder": {
                "type": "object",
                "required": ["url"],
                "properties": {"url": {"type": "string", "minLength": 1}},
            },
            "input_file_id": {"type": "null"},
            "endpoint": {"enum": sorted(BATCH_ENDPOINTS)},
            "completion_window": {"enum": ["24h"]},
        },
    }
    return {"application/json": {"schema": {"anyOf": [schema, own_storage]}}}


def _file_list_parameters() -> list[Json]:
    order, purpose = _in_query("order", {"enum": ["asc", "desc"]}), _in_query("purpose", {"type": "string"})
    return [*_page_parameters(10_000), order, purpose]


def _batch_list_parameters() -> list[Json]:
    filtered = _in_query(
        "$filter", {"enum": ["status eq 'completed'", "created_at gt 1728860560 and status eq 'Failed'"]}
    )
    ordered = _in_query("$orderby", {"enum": ["created_at asc", "created_at desc"]})
    return [*_page_parameters(100), filtered, ordered]


def _page_parameters(most: int) -> list[Json]:
    limit = _in_query("limit", {"type": "integer", "minimum": 1, "maximum": most})
    return [limit, _in_query("after", {"type": "string", "minLength": 1})]


def _in_query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _api_version() -> Json:
    return _in_query("api-version", {"enum": ["v1", "preview", "latest"]})


def _schemas() -> Json:
    moment, text = {"type": ["integer", "null"]}, {"type": ["string", "null"]}
    fault = _object({"code": {"type": "string"}, "message": {"type": "string"}, "line": moment, "param": text})
    counts = _object({name: {"type": "integer", "minimum": 0} for name in ("total", "completed", "failed")})
    batch = {
        "id": {"type": "string", "pattern": "^batch_"},
        "object": {"const": "batch"},
        "endpoint": {"type": "string"},
        "completion_window": {"const": "24h"},
        "status": {"enum": BATCH_STATUSES},
        "created_at": {"type": "integer"},
        **{name: moment for name in TIMES if name != "created_at"},
        "input_file_id": text,
        "output_file_id": text,
        "error_file_id": text,
        "errors": {"anyOf": [_object({"object": {"const": "list"}, "data": _array(fault)}), {"type": "null"}]},
        "metadata": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "request_counts": counts,
    }
    file = {
        "id": {"type": "string", "pattern": "^file-"},
        "object": {"const": "file"},
        "bytes": {"type": "integer", "minimum": 0},
        "created_at": {"type": "integer"},
        "filename": {"type": "string"},
        "purpose": {"enum": ["batch", "batch_output"]},
        "status": {"enum": FILE_STATUSES},
        "status_details": text,
        "expires_at": moment,
    }
    deleted = {"object": {"const": "file"}, "id": {"type": "string"}, "deleted": {"const": True}}
    own_storage = {name: {"type": "string"} for name in ("input_blob", "output_blob", "error_blob")}
    return {
        "File": _object(file),
        "FileList": _list_of("File"),
        "DeletedFile": _object(deleted),
        "Batch": _object(batch, optional=own_storage),
        "BatchList": _list_of("Batch"),
        "Error": _object({"error": _object({"code": {"type": "string"}, "message": {"type": "string"}})}),
    }


def _list_of(name: str) -> Json:
    text = {"type": ["string", "null"]}
    fields = {"object": {"const": "list"}, "data": _array(_ref(name)), "first_id": text, "last_id": text}
    return _object({**fields, "has_more": {"type": "boolean"}})


def _object(fields: Json, optional: Json | None = None) -> Json:
    properties = {**fields, **(optional or {})}
    return {"type": "object", "required": list(fields), "properties": properties, "additionalProperties": False}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
