"""The keys of `_job.json`, as a JSON Schema: the checks, the messages, the docs' table and editors all go by it."""

from typing import Any, Final

from shared.domain.model import CHAT_URLS, RESPONSES_URL
from shared.prompt_file.columns import Meaning

_MEANT: Final = {
    Meaning.CUSTOM_ID: "the row's name in the results",
    Meaning.MODEL: "the deployment that answers the row",
    Meaning.PROMPT: "the user's message",
    Meaning.SYSTEM: "the system message",
    Meaning.REQUIRED: "the answer's fields, separated by commas, semicolons or line breaks",
    Meaning.SCHEMA: "the JSON Schema of the answer",
    Meaning.IMAGE: "the row's image",
}

NOT_BLANK: Final = r"\S"
"""The pattern of a text that says something."""

SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Job settings (_job.json)",
    "description": "How the prompt files of this folder, and of the folders below it, become batch requests.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "description": "The address of this schema, for editors; not read."},
        "model": {
            "type": "string",
            "pattern": NOT_BLANK,
            "description": "The batch deployment for rows that name none.",
            "examples": ["gpt-5.4-mini-batch"],
        },
        "system": {
            "type": "string",
            "description": "The system message of rows that have none.",
            "examples": ["You know every tall building."],
        },
        "url": {
            "enum": [*sorted(CHAT_URLS), RESPONSES_URL],
            "default": "/chat/completions",
            "description": "The API that requests go to.",
        },
        "prompt": {
            "type": "string",
            "minLength": 1,
            "description": "A template of the user's message for rows that have no prompt; {column} stands for the "
            "row's value, {{ and }} for braces.",
            "examples": ["Provide info about {Building}"],
        },
        "messages": {
            "type": "array",
            "minItems": 1,
            "description": "Instead of `system` and `prompt`: chat messages whose texts are templates (few-shot).",
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {
                        "enum": ["system", "developer", "user", "assistant"],
                        "description": "Who speaks.",
                    },
                    "content": {
                        "type": ["string", "array"],
                        "description": "A template, or a list of content parts whose `text` are templates.",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["type"],
                            "properties": {"type": {"type": "string"}, "text": {"type": "string"}},
                        },
                    },
                },
            },
            "examples": [[{"role": "user", "content": "Provide info about {Building}"}]],
        },
        "schema": {
            "type": ["object", "string"],
            "pattern": r"^_[^/]*\.json$",
            "description": "The JSON Schema of the answer, or the name of a `_*.json` blob in the same folder that "
            "holds one.",
            "examples": ["_building.json"],
        },
        "required": {
            "type": ["string", "array"],
            "pattern": NOT_BLANK,
            "minItems": 1,
            "items": {"type": "string", "pattern": NOT_BLANK},
            "description": "Instead of `schema`: the answer's fields as in the column `Required`, or a list of them.",
            "examples": ["Name, Height: integer, Kind: tower|bridge"],
        },
        "schema_name": {
            "type": "string",
            "pattern": "^[a-zA-Z0-9_-]{1,64}$",
            "description": "The schema's name in the request: letters, digits, `_` and `-`, 64 at most. Default: the "
            "prompt file's name.",
            "examples": ["building_info"],
        },
        "require_schema": {
            "type": "boolean",
            "default": True,
            "description": "Whether records without a schema are errors. False: they are sent, and their answers are "
            "plain text.",
        },
        "parameters": {
            "type": "object",
            "description": "Merged into the request body: `reasoning_effort`, `max_completion_tokens`, …",
            "properties": {
                "model": {"not": {}, "description": "Use the key `model`, or a column Model."},
                "messages": {"not": {}, "description": "Use the keys `system` and `prompt`, or `messages`."},
                "input": {"not": {}, "description": "Use the keys `system` and `prompt`, or `messages`."},
                "response_format": {"not": {}, "description": "Use the key `schema`."},
                "stream": {"const": False, "description": "A batch cannot stream."},
                "n": {"const": 1, "description": "A row has one answer."},
                "text": {
                    "type": "object",
                    "properties": {"format": {"not": {}, "description": "Use the key `schema`."}},
                },
            },
            "examples": [{"reasoning_effort": "low", "max_completion_tokens": 2000}],
        },
        "columns": {
            "type": "object",
            "additionalProperties": False,
            "description": "Which column has which meaning; null: none, a column of that name is the user's own.",
            "properties": {
                meaning.value: {"type": ["string", "null"], "minLength": 1, "description": f"The column with {what}."}
                for meaning, what in _MEANT.items()
            },
            "examples": [{"custom_id": "Ticket", "prompt": "Question", "model": None}],
        },
        "limit": {
            "type": "integer",
            "minimum": 1,
            "description": "Send only the first so many rows: a trial run. The others are `not_sent`.",
            "examples": [10],
        },
        "formats": {
            "type": "array",
            "items": {"enum": ["csv", "xlsx", "parquet", "jsonl"]},
            "description": "In which forms results are written, over `RESULT_FORMATS`; JSONL and CSV always are.",
            "examples": [["csv", "xlsx"]],
        },
        "max_attempts": {
            "type": "integer",
            "minimum": 1,
            "description": "How often one row is tried, the first time included, over `MAX_ATTEMPTS`.",
            "examples": [2],
        },
        "on_invalid_row": {
            "enum": ["skip", "reject"],
            "description": "Whether a job with invalid rows sends the others (`skip`) or nothing (`reject`), over "
            "`ON_INVALID_ROW`.",
        },
        "max_cost_usd": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "A job estimated to cost more is held, unsent. It can only lower `MAX_JOB_COST_USD`.",
            "examples": [5],
        },
        "pilot": {
            "type": ["integer", "object"],
            "minimum": 1,
            "required": ["rows"],
            "additionalProperties": False,
            "description": "Send so many rows first; the others only when enough of those succeeded.",
            "properties": {
                "rows": {"type": "integer", "minimum": 1, "description": "How many rows are sent first."},
                "min_ok": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": 1,
                    "default": 0.9,
                    "description": "The share of them that must succeed; with less, the job is held.",
                },
                "then": {
                    "enum": ["send", "hold"],
                    "default": "send",
                    "description": "What to do with the others: send them, or hold the job for a person's decision.",
                },
            },
            "examples": [20, {"rows": 20, "min_ok": 0.9, "then": "hold"}],
        },
        "images": {
            "type": "object",
            "additionalProperties": False,
            "description": "How the images of `Image` columns, and pages of PDFs, are sent.",
            "properties": {
                "detail": {
                    "enum": ["auto", "low", "high"],
                    "default": "auto",
                    "description": "How closely the model looks.",
                },
                "pages": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 50,
                    "default": 10,
                    "description": "The most images of one row; each page of a PDF is one.",
                },
                "dpi": {
                    "type": "integer",
                    "minimum": 36,
                    "maximum": 600,
                    "default": 150,
                    "description": "The resolution in which pages are rendered.",
                },
            },
            "examples": [{"detail": "high", "pages": 3}],
        },
        "reuse": {
            "type": ["boolean", "object"],
            "required": ["max_age_days"],
            "additionalProperties": False,
            "description": "Reuse the answers of earlier jobs of this prompt file for rows whose request is the same.",
            "properties": {
                "max_age_days": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "description": "How old, in days, such an answer may be.",
                }
            },
            "examples": [True, {"max_age_days": 90}],
        },
    },
}
"""The JSON Schema (2020-12) of `_job.json`, published as docs/job-settings.schema.json."""
