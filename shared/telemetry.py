"""The app's log lines for its operator: one line per outcome, words for people and fields for machines.

The fields of a line (`extra=`) stand in its text as `name=value`, because the host of Azure Functions takes over only
the text; an OpenTelemetry handler gets them as attributes besides. Metrics are made of these lines by queries: see
docs/telemetry.md. Lines hold ids, names, counts and codes, never prompts, answers or keys.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

log = logging.getLogger("structuredbatch.telemetry")

ROOT: Final = "structuredbatch"
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN: Final = re.compile(r"[\w.:/@+-]+")
_LEVELS: Final = {"waiting": logging.WARNING, "held": logging.WARNING, "failed": logging.ERROR}


class FieldsInText(logging.Handler):
    """Puts each record's fields into its text, before the handlers of the loggers above see it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Rewrite the record; a second time changes nothing."""
        if hasattr(record, "fields_in_text"):
            return
        fields = {name: value for name, value in vars(record).items() if name not in _OWN}
        record.msg = " ".join([record.getMessage(), *(f"{name}={_shown(value)}" for name, value in fields.items())])
        record.args = None
        record.fields_in_text = True


def configure() -> None:
    """Put fields into the texts of the app's own loggers; repeating it changes nothing."""
    logger = logging.getLogger(ROOT)
    if not any(isinstance(handler, FieldsInText) for handler in logger.handlers):
        logger.addHandler(FieldsInText())


def job_changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
    """Log what is new in a job's published status: its state, and its warnings.

    Call it once for each status.json written, so that every change of state is one line.
    """
    state = after["state"]
    if before is None or before.get("state") != state:
        log.log(_LEVELS.get(state, logging.INFO), "job is %s", state, extra=_fields(after))
    known = [] if before is None else before.get("warnings", [])
    for warning in after["warnings"]:
        if warning not in known:
            log.warning("job has a warning", extra={"job_id": after["job_id"], "warning": warning})


def _fields(status: Mapping[str, Any]) -> dict[str, Any]:
    rows, usage = status["rows"], status["usage"]
    fields: dict[str, Any] = {
        "job_id": status["job_id"],
        "prompt_file": status["prompt_file"],
        "state": status["state"],
        "code": status["code"],
        "rows": rows["total"],
        "succeeded": rows["succeeded"],
        "failed": rows["failed"],
        "errors": ",".join(f"{code}:{count}" for code, count in sorted(status["errors"].items())),
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "usd": status["cost"]["usd"],
        "age_seconds": _seconds(status["created_at"], status["updated_at"]),
        "batches": len(status["batches"]),
        "oldest_batch_seconds": _oldest_batch(status),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _oldest_batch(status: Mapping[str, Any]) -> int | None:
    """Return the age of the oldest batch that is still at the service."""
    created = [batch["created_at"] for batch in status["batches"] if batch["state"] == "submitted"]
    return max((_seconds(time, status["updated_at"]) for time in created if time), default=None)


def _seconds(since: str, until: str) -> int:
    return int((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())


def _shown(value: object) -> str:
    """Return a value as it stands behind `name=`: quoted where a reader could not tell where it ends."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
