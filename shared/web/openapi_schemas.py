"""The parts of the OpenAPI description: what jobs, rows and files look like, from the app's own states and codes."""

from typing import Any, Final

from shared.domain.model import JOB_ID, BatchState, JobCode, JobState, RowCode

LIMIT_MOST: Final = 500
"""Jobs on a page of the list, at most."""

type Schema = dict[str, Any]


def object_of(properties: Schema, **more: Any) -> Schema:
    """Return an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_ID: Final = {"type": "string", "pattern": f"^{JOB_ID}$"}

_SUMMARY: Final[Schema] = {
    "job_id": _ID,
    "prompt_file": {**TEXT, "description": "The blob's name, without its container."},
    "retry_of": {**nullable(_ID), "description": "The first job whose failed rows this one tries again."},
    "state": {"enum": list(JobState)},
    "code": {**nullable({"enum": list(JobCode)}), "description": "Why a job failed."},
    "message": {**nullable(TEXT), "description": "What the operator should know, and do."},
    "created_at": _TIME,
    "updated_at": _TIME,
    "completed_at": nullable(_TIME),
    "rows": object_of(
        {"total": nullable(COUNT), "succeeded": COUNT, "failed": COUNT, "pending": COUNT, "reused": COUNT}
    ),
    "answered": {**COUNT, "description": "Rows that the service says it has answered or failed so far."},
    "held_by": {
        **nullable({"enum": ["input_tokens", "cost", "budget", "pilot"]}),
        "description": "What the job is held by, null where it is not held.",
    },
    "estimate": object_of(
        {
            "input_tokens": nullable(COUNT),
            "output_tokens": nullable(COUNT),
            "usd": nullable({"type": "number", "minimum": 0}),
            "basis": nullable({"enum": ["pilot", "history", "cap"]}),
        },
        description="What the rows to be sent are estimated at, before anything is sent.",
    ),
    "settings": {
        "type": "array",
        "items": TEXT,
        "description": "The _job.json and schema blobs that the job's settings came from, the nearest first.",
    },
    "usage": object_of(
        {
            "input_tokens": COUNT,
            "output_tokens": COUNT,
            "total_tokens": COUNT,
            "cached_tokens": {**COUNT, "description": "Of the input tokens, where the service tells any."},
        },
        required=["input_tokens", "output_tokens", "total_tokens"],
    ),
    "cost": object_of(
        {"usd": {"type": "number", "minimum": 0}, "unpriced_rows": COUNT},
        description="An estimate: list prices for batches, of the models that answered. Some rows may have no price.",
    ),
    "errors": {
        "type": "object",
        "propertyNames": {"enum": list(RowCode)},
        "additionalProperties": COUNT,
        "description": "Rows without a result, by code.",
    },
    "warnings": {"type": "array", "items": TEXT},
}

_BATCH: Final[Schema] = {
    "batch_id": nullable(TEXT),
    "model": TEXT,
    "attempt": {"type": "integer", "minimum": 1},
    "state": {"enum": list(BatchState)},
    "status": {**nullable(TEXT), "description": "The service's own word."},
    "requests": COUNT,
    "completed": COUNT,
    "failed": COUNT,
    "created_at": nullable(_TIME),
    "message": nullable(TEXT),
    "pilot": {"type": "boolean", "description": "Whether its rows are the job's pilot."},
    "target": {**nullable(TEXT), "description": "The endpoint's host and the deployment; null until its upload."},
}

_NEXT: Final[Schema] = {**nullable(TEXT), "description": "For the next page; null on the last one."}
_DOLLARS: Final[Schema] = {"type": "number", "minimum": 0}

_MONTH: Final[Schema] = object_of(
    {"spent_usd": nullable(_DOLLARS), "reserved_usd": nullable(_DOLLARS), "budget_usd": nullable(_DOLLARS)},
    description="This calendar month (UTC): what was paid, what jobs under way may cost besides, and the budget.",
)

_TARGET: Final[Schema] = {
    "target": {**TEXT, "description": "The endpoint's host and the deployment."},
    "open_batches": {**COUNT, "description": "Batches that have not ended there."},
    "waiting_until": {
        **nullable(_TIME),
        "description": "Until when it is left alone, as it refused; null: it is not.",
    },
    "last_refusal": {
        **nullable(object_of({"at": _TIME, "message": TEXT})),
        "description": "When it last refused a batch, and what it said; null where it never did.",
    },
}

_ROW: Final[Schema] = {
    "row": {"type": "integer", "minimum": 1, "description": "Its number in the prompt file."},
    "custom_id": TEXT,
    "input": {"type": "object", "description": "The user's own columns."},
}
_RESULT: Final[Schema] = object_of({**_ROW, "output": {"description": "The parsed answer."}})
_FAILURE: Final[Schema] = object_of(
    {
        **_ROW,
        "row": {**nullable(_ROW["row"]), "description": "Null where the row is too long to be shown."},
        "error": {
            "type": "object",
            "properties": {"code": TEXT, "message": TEXT},
            "required": ["code", "message"],
            "description": "As in errors.jsonl.",
        },
    }
)

SCHEMAS: Final[Schema] = {
    "JobSummary": object_of(_SUMMARY, description="status.json without its batches."),
    "Job": object_of(
        {**_SUMMARY, "batches": {"type": "array", "items": ref("Batch")}}, description="The job's status.json."
    ),
    "Batch": object_of(_BATCH),
    "Target": object_of(_TARGET, description="A deployment at one resource, and how it takes batches."),
    "JobList": object_of(
        {
            "jobs": {"type": "array", "items": ref("JobSummary"), "maxItems": LIMIT_MOST},
            "cursor": _NEXT,
            "month": _MONTH,
            "targets": {
                "type": "array",
                "items": ref("Target"),
                "description": "Those of DEPLOYMENTS, and others with open batches or left alone; often none.",
            },
        }
    ),
    "FileList": object_of({"files": {"type": "array", "items": object_of({"name": TEXT, "bytes": COUNT})}}),
    "FileLink": object_of({"url": {**TEXT, "format": "uri"}}, description="A link that is valid for five minutes."),
    "RowList": object_of({"rows": {"type": "array", "items": {"anyOf": [_RESULT, _FAILURE]}}, "cursor": _NEXT}),
    "Error": object_of({"error": object_of({"code": TEXT, "message": TEXT})}),
}
