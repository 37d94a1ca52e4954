"""The OpenAPI description of the HTTP API, https://spec.openapis.org/oas/v3.1.0."""

from typing import Any, Final

from shared.domain.model import CURSOR, JobState
from shared.web import row_pages
from shared.web.openapi_schemas import LIMIT_MOST, SCHEMAS, TEXT, Schema, ref
from shared.web.result_routes import FILE_NAMES, ROWS, ROWS_MOST
from shared.web.row_pages import STATUSES

LIMIT: Final = 50
"""Jobs on a page of the list, where nothing else is asked for."""


def _json(description: str, schema: str, **more: Any) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}, **more}


_ERRORS: Final[Schema] = {
    "401": {"description": "The function key is missing or wrong (the Functions host answers, without a body)."},
    "500": _json("The app's settings are at fault, or the app is.", "Error"),
    "503": _json("Storage does not answer or does not permit access: try again.", "Error"),
}
_UNKNOWN: Final[Schema] = {"404": _json("There is no such job.", "Error")}
_INVALID: Final[Schema] = {"400": _json("Invalid parameter.", "Error")}
_SWITCHED_OFF: Final[Schema] = {"403": _json("API_FILES switches files and rows off.", "Error")}
_NOT_NOW: Final[Schema] = {"409": _json("The job's state does not allow it.", "Error")}


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _limit(description: str, default: int, most: int) -> Schema:
    return _query("limit", description, {"type": "integer", "minimum": 1, "maximum": most, "default": default})


def _cursor(pattern: str) -> Schema:
    return _query("cursor", "The cursor that the page before gave.", {**TEXT, "pattern": f"^({pattern})?$"})


def _steering(operation: str, summary: str, accepted: str) -> Schema:
    return {
        "parameters": [{"$ref": "#/components/parameters/job_id"}],
        "post": {
            "operationId": operation,
            "summary": summary,
            "responses": {"202": _json(accepted, "Job"), **_UNKNOWN, **_NOT_NOW, **_ERRORS},
        },
    }


_FILES: Final[Schema] = {
    "parameters": [{"$ref": "#/components/parameters/job_id"}],
    "get": {
        "operationId": "listFiles",
        "summary": "The result files that a job has by now.",
        "responses": {"200": _json("Their names and sizes.", "FileList"), **_SWITCHED_OFF, **_UNKNOWN, **_ERRORS},
    },
}

_FILE: Final[Schema] = {
    "parameters": [
        {"$ref": "#/components/parameters/job_id"},
        {"name": "name", "in": "path", "required": True, "schema": {"enum": list(FILE_NAMES)}},
    ],
    "get": {
        "operationId": "getFile",
        "summary": "One result file, by a link that is valid for five minutes.",
        "parameters": [
            _query("redirect", "false: the link comes as JSON.", {"enum": ["true", "false"], "default": "true"})
        ],
        "responses": {
            "200": _json("With redirect=false: the link.", "FileLink"),
            "302": _json(
                "The link.", "FileLink", headers={"Location": {"schema": {**TEXT, "format": "uri"}, "required": True}}
            ),
            "404": _json("There is no such job, or it has no such file.", "Error"),
            **_INVALID,
            **_SWITCHED_OFF,
            **_ERRORS,
        },
    },
}

_ROWS: Final[Schema] = {
    "parameters": [{"$ref": "#/components/parameters/job_id"}],
    "get": {
        "operationId": "listRows",
        "summary": "The rows of an ended job, or of a job's pilot, in input order.",
        "parameters": [
            _query("status", "Only rows with a result, or only failed ones; empty: both.", {"enum": ["", *STATUSES]}),
            _limit("Rows on a page; rows of some MB make it shorter.", ROWS, ROWS_MOST),
            _cursor(row_pages.CURSOR),
        ],
        "responses": {
            "200": _json("One page.", "RowList"),
            **_INVALID,
            **_SWITCHED_OFF,
            **_UNKNOWN,
            **_NOT_NOW,
            **_ERRORS,
        },
    },
}

DESCRIPTION: Final[Schema] = {
    "openapi": "3.1.0",
    "info": {
        "title": "StructuredBatch for Azure Functions",
        "version": "1",
        "description": "See and steer the jobs that prompt files have become.",
    },
    "servers": [{"url": "/api"}],
    "security": [{"key_header": []}, {"key_query": []}],
    "paths": {
        "/jobs": {
            "get": {
                "operationId": "listJobs",
                "summary": "The jobs, newest first.",
                "parameters": [
                    _query("state", "Only jobs in this state; empty: in any.", {"enum": ["", *JobState]}),
                    _query("prefix", "Only jobs whose prompt file's name begins like this.", TEXT),
                    _limit("Jobs on a page.", LIMIT, LIMIT_MOST),
                    _cursor(CURSOR),
                ],
                "responses": {
                    "200": _json("One page.", "JobList"),
                    **_INVALID,
                    **_ERRORS,
                },
            }
        },
        "/jobs/{job_id}": {
            "parameters": [{"$ref": "#/components/parameters/job_id"}],
            "get": {
                "operationId": "getJob",
                "summary": "One job's status.json.",
                "responses": {
                    "200": _json(
                        "Its status.json.",
                        "Job",
                        headers={
                            "Link": {
                                "description": "The address of its results' folder, with rel=related, title=results.",
                                "schema": TEXT,
                            }
                        },
                    ),
                    **_UNKNOWN,
                    **_ERRORS,
                },
            },
        },
        "/jobs/{job_id}/cancel": _steering(
            "cancelJob", "Cancel a job.", "Open batches are cancelled; what was answered is collected."
        ),
        "/jobs/{job_id}/release": _steering("releaseJob", "Let a held job go on.", "The job goes on."),
        "/jobs/{job_id}/retry": _steering(
            "retryJob", "Try the failed rows of an ended job again.", "The new job; nothing answered is asked again."
        ),
        "/jobs/{job_id}/files": _FILES,
        "/jobs/{job_id}/files/{name}": _FILE,
        "/jobs/{job_id}/rows": _ROWS,
        "/dashboard": {
            "get": {
                "operationId": "getDashboard",
                "summary": "The status page; it needs no key and holds no data.",
                "security": [],
                "responses": {"200": {"description": "A page.", "content": {"text/html": {"schema": TEXT}}}},
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "getOpenApi",
                "summary": "This description.",
                "security": [],
                "responses": {
                    "200": {
                        "description": "This description.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        },
    },
    "components": {
        "schemas": SCHEMAS,
        "parameters": {"job_id": {"name": "job_id", "in": "path", "required": True, "schema": TEXT}},
        "securitySchemes": {
            "key_header": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
            "key_query": {"type": "apiKey", "in": "query", "name": "code"},
        },
    },
}
