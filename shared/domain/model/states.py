"""The states of jobs and batches, and the codes for why jobs and rows failed."""

from enum import StrEnum
from typing import Final

CHAT_URLS: Final = frozenset({"/chat/completions", "/v1/chat/completions"})
RESPONSES_URL: Final = "/v1/responses"
URLS: Final = (*sorted(CHAT_URLS), RESPONSES_URL)

JOB_ID: Final = r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(-r[0-9]{1,9})?"
"""What every job id looks like, retries included."""

CURSOR: Final = r"[0-9]{15}-[A-Za-z0-9_\-]{1,100}"
"""What every position in the list of jobs looks like (`newest_first`)."""


class JobState(StrEnum):
    """Where a job stands."""

    PREPARING = "preparing"
    HELD = "held"
    WAITING = "waiting"
    RUNNING = "running"
    COLLECTING = "collecting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


class JobCode(StrEnum):
    """Why a job failed."""

    UNSUPPORTED_FORMAT = "unsupported_format"
    NOT_UTF8 = "not_utf8"
    EMPTY_FILE = "empty_file"
    INVALID_FILE = "invalid_file"
    MISSING_COLUMN = "missing_column"
    MISSING_SCHEMA = "missing_schema"
    INVALID_JOB_SETTINGS = "invalid_job_settings"
    INVALID_ROW = "invalid_row"
    NO_VALID_ROWS = "no_valid_rows"
    SOURCE_CHANGED = "source_changed"
    BATCH_FAILED = "batch_failed"
    GAVE_UP = "gave_up"
    POISONED = "poisoned"


class RowCode(StrEnum):
    """Why a row has no result."""

    # Found before anything was sent.
    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    MISSING_PROMPT = "missing_prompt"
    MISSING_VALUE = "missing_value"
    MISSING_MODEL = "missing_model"
    DUPLICATE_CUSTOM_ID = "duplicate_custom_id"
    INVALID_SCHEMA = "invalid_schema"
    ROW_TOO_LARGE = "row_too_large"
    IMAGE_MISSING = "image_missing"
    IMAGE_UNSUPPORTED = "image_unsupported"
    DOCUMENT_UNSUPPORTED = "document_unsupported"
    NOT_SENT = "not_sent"
    # The service's answer, or its absence.
    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    TRUNCATED = "truncated"
    INVALID_OUTPUT = "invalid_output"
    REQUEST_FAILED = "request_failed"
    RATE_LIMITED = "rate_limited"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"
    BATCH_FAILED = "batch_failed"
    GAVE_UP = "gave_up"


class BatchState(StrEnum):
    """How far the app is with a batch; the service's own word for it is its status."""

    PREPARED = "prepared"
    UPLOADED = "uploaded"
    SUBMITTED = "submitted"
    ENDED = "ended"
    COLLECTED = "collected"


TERMINAL_STATUSES: Final = frozenset({"completed", "failed", "expired", "cancelled"})
"""The service's statuses that never change again; adapters spell `canceled` as `cancelled`."""

KNOWN_STATUSES: Final = TERMINAL_STATUSES | {"validating", "in_progress", "finalizing", "cancelling"}
