"""What the OpenAI platform does otherwise than an Azure OpenAI resource.

Sources: OpenAI's published API description, its guide to batches, and error texts that users report.
"""

from typing import Any

from local.batch_service.errors import ServiceError

LIMITS: dict[str, Any] = {"rows": 50_000, "expiry_seconds": (3_600, 2_592_000)}
OBJECTS: dict[str, Any] = {"unrun_rows": "error_lines", "error_file": "when_failed"}
"""What a batch rule says by default."""
CODES = {"model_mismatch": "mismatched_model", "url_mismatch": "mismatched_url"}
"""Its own names for faults of an input file."""
NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


def unauthorized(key: str) -> ServiceError:
    """Return the refusal of a call without a key, or with a wrong one, of which little is shown."""
    if not key:
        return ServiceError(401, "", NO_KEY)
    shown = f"{key[:3]}***{key[-2:]}" if len(key) > 10 else "***"
    return ServiceError(401, "invalid_api_key", f"Incorrect API key provided: {shown}.")


def error_body(error: ServiceError) -> dict[str, Any]:
    """Return an error in the platform's envelope."""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return {"error": {"message": error.message, "type": kind, "param": None, "code": error.code or None}}


def quota_message(model: str | None, tokens: int) -> str:
    """Return the text about a limit of enqueued tokens that is passed."""
    return (
        f"Enqueued token limit reached for {model} in organization org-local. Limit: {tokens:,} enqueued tokens. "
        "Please try again once some in_progress batches have been completed."
    )
