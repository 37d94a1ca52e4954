"""What the model service refuses in a single request: the row fails with 400, and the batch goes on."""

from typing import Any

from local.batch_service import images, reasoning, request_rows, schema_rules
from local.batch_service.models import Model
from local.batch_service.request_rows import Ask

MAX_CHOICES = 128
SCHEMAS_SINCE = "2024-08-01-preview"
Body = dict[str, Any]


def first(ask: Ask, body: Body, model: Model, api_version: str | None, dialect: str) -> Body | None:
    """Return the error of the first fault, or None. No `api_version` is the v1 route; `dialect` as in schema_rules."""
    responses = ask.responses
    if not 1 <= ask.choices <= MAX_CHOICES:
        return _fault(f"Invalid value for 'n': it must be between 1 and {MAX_CHOICES}.", "n", "invalid_value")
    refused = reasoning.fault(body, responses) if model.reasons else None
    if refused is not None:
        return _fault(*refused)
    form = body.get("response_format")
    if not responses and isinstance(form, dict) and "type" not in form:
        return _missing("response_format.type")
    if not ask.prompt and not request_rows.has_messages(body, responses):
        return _missing("input" if responses else "messages")
    refused_image = images.fault(body, responses)
    if refused_image is not None:
        return _fault(refused_image[0], "input" if responses else "messages", refused_image[1])
    return _schema_fault(ask, responses, api_version, dialect) if ask.format == "json_schema" else None


def _schema_fault(ask: Ask, responses: bool, api_version: str | None, dialect: str) -> Body | None:
    where = "text.format.schema" if responses else "response_format"
    if api_version is not None and api_version < SCHEMAS_SINCE:
        text = f"response_format value as json_schema is enabled only for api versions {SCHEMAS_SINCE} and later"
        return _fault(text, where, "BadRequest")
    if ask.schema is None:
        return _missing(where)
    text_or_none = schema_rules.fault(ask.schema_name, ask.schema_json, dialect) if ask.strict else None
    return None if text_or_none is None else _fault(text_or_none, where, "invalid_json_schema" if responses else None)


def _missing(name: str) -> Body:
    return _fault(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def _fault(message: str, param: str, code: str | None) -> Body:
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}


NOT_UNDERSTOOD = _fault("The request could not be understood.", "body", "invalid_request_error")
OUT_OF_TOKENS: Body = {
    "message": (
        "Could not finish the message because max_tokens or model output limit was reached. Please try again with "
        "higher max_tokens."
    ),
    "type": "invalid_request_error",
    "param": None,
    "code": None,
}
