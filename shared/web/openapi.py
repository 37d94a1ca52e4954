"""The OpenAPI description of the HTTP API, built from the app's own states and codes so that it cannot differ.

https://spec.openapis.org/oas/v3.1.0
"""

from typing import Any, Final

from shared.domain.model import BatchState, JobCode, JobState, RowCode

LIMIT: Final = 50
"""Jobs on a page of the list, where nothing else is asked for."""

LIMIT_MOST: Final = 500

JOB_ID: Final = r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(-r[0-9]{1,9})?"
"""What every job id looks like, retries included."""

CURSOR: Final = r"[0-9]{15}-[A-Za-z0-9_\-]{1,100}"
"""What every cursor of the list of jobs looks like."""

type Schema = dict[str, Any]


def _object(properties: Schema, **more: Any) -> Schema:
    """An object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_ID: Final = {"type": "string", "pattern": f"^{JOB_ID}$"}

_SUMMARY: Final[Schema] = {
    "job_id": _ID,
    "prompt_file": {**_TEXT, "description": "The blob's name, without its container."},
    "retry_of": {**_nullable(_ID), "description": "The first job whose failed rows this one tries again."},
    "state": {"enum": list(JobState)},
    "code": {**_nullable({"enum": list(JobCode)}), "description": "Why a job failed."},
    "message": {**_nullable(_TEXT), "description": "What the operator should know, and do."},
    "created_at": _TIME,
    "updated_at": _TIME,
    "completed_at": _nullable(_TIME),
    "rows": _object({"total": _nullable(_COUNT), "succeeded": _COUNT, "failed": _COUNT, "pending": _COUNT}),
    "usage": _object({"input_tokens": _COUNT, "output_tokens": _COUNT, "total_tokens": _COUNT}),
    "cost": _object(
        {"usd": {"type": "number", "minimum": 0}, "unpriced_rows": _COUNT},
        description="An estimate: list prices for batches, of the models that answered. Some rows may have no price.",
    ),
    "errors": {
        "type": "object",
        "propertyNames": {"enum": list(RowCode)},
        "additionalProperties": _COUNT,
        "description": "Rows without a result, by code.",
    },
    "warnings": {"type": "array", "items": _TEXT},
}

_BATCH: Final[Schema] = {
    "batch_id": _nullable(_TEXT),
    "model": _TEXT,
    "attempt": {"type": "integer", "minimum": 1},
    "state": {"enum": list(BatchState)},
    "status": {**_nullable(_TEXT), "description": "The service's own word."},
    "requests": _COUNT,
    "completed": _COUNT,
    "failed": _COUNT,
    "created_at": _nullable(_TIME),
    "message": _nullable(_TEXT),
}

_SCHEMAS: Final[Schema] = {
    "JobSummary": _object(_SUMMARY, description="status.json without its batches."),
    "Job": _object(
        {**_SUMMARY, "batches": {"type": "array", "items": _ref("Batch")}}, description="The job's status.json."
    ),
    "Batch": _object(_BATCH),
    "JobList": _object(
        {
            "jobs": {"type": "array", "items": _ref("JobSummary"), "maxItems": LIMIT_MOST},
            "cursor": {**_nullable(_TEXT), "description": "For the next page; null on the last one."},
        }
    ),
    "Error": _object({"error": _object({"code": _TEXT, "message": _TEXT})}),
}


def _json(description: str, schema: str, **more: Any) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}, **more}


_ERRORS: Final[Schema] = {
    "401": {"description": "The function key is missing or wrong (the Functions host answers, without a body)."},
    "500": _json("The app's settings are at fault, or the app is.", "Error"),
    "503": _json("Storage does not answer or does not permit access: try again.", "Error"),
}
_UNKNOWN: Final[Schema] = {"404": _json("There is no such job.", "Error")}
_NOT_NOW: Final[Schema] = {"409": _json("The job's state does not allow it.", "Error")}


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _steering(operation: str, summary: str, accepted: str) -> Schema:
    return {
        "parameters": [{"$ref": "#/components/parameters/job_id"}],
        "post": {
            "operationId": operation,
            "summary": summary,
            "responses": {"202": _json(accepted, "Job"), **_UNKNOWN, **_NOT_NOW, **_ERRORS},
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
                    _query("prefix", "Only jobs whose prompt file's name begins like this.", _TEXT),
                    _query(
                        "limit",
                        "Jobs on a page.",
                        {"type": "integer", "minimum": 1, "maximum": LIMIT_MOST, "default": LIMIT},
                    ),
                    _query("cursor", "The cursor that the page before gave.", {**_TEXT, "pattern": f"^({CURSOR})?$"}),
                ],
                "responses": {
                    "200": _json("One page.", "JobList"),
                    "400": _json("A parameter is not right.", "Error"),
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
                                "schema": _TEXT,
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
        "/dashboard": {
            "get": {
                "operationId": "getDashboard",
                "summary": "The status page; it needs no key and holds no data.",
                "security": [],
                "responses": {"200": {"description": "A page.", "content": {"text/html": {"schema": _TEXT}}}},
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
        "schemas": _SCHEMAS,
        "parameters": {"job_id": {"name": "job_id", "in": "path", "required": True, "schema": _TEXT}},
        "securitySchemes": {
            "key_header": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
            "key_query": {"type": "apiKey", "in": "query", "name": "code"},
        },
    },
}
