"""All that a job's requests depend on, fixed when the job starts, so that building again gives the same batches."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from shared.job_settings import JobSettings
from shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """The job's own settings, and the app's settings as they were when it started."""

    settings: JobSettings
    default_model: str
    max_requests: int
    max_bytes: int
    max_attempts: int
    rejects_invalid_rows: bool
    formats: tuple[str, ...]
    formula_guard: bool
    is_fixed: bool = True
    """Whether the job's settings are in it; a job that ended before they could be read has them nowhere."""


def plan_without_settings(app: Settings) -> JobPlan:
    """What is known of a job that ended before its settings could be read."""
    return replace(plan_of(JobSettings(), app), is_fixed=False)


def plan_of(job: JobSettings, app: Settings) -> JobPlan:
    """Combine the two kinds of settings; the job's word beats the app's."""
    return JobPlan(
        settings=job,
        default_model=app.deployment,
        max_requests=app.max_requests,
        max_bytes=app.max_bytes,
        max_attempts=job.max_attempts or app.max_attempts,
        rejects_invalid_rows=(job.on_invalid_row or app.on_invalid_row) == "reject",
        formats=app.result_formats if job.formats is None else job.formats,
        formula_guard=app.formula_guard,
    )


def to_json(plan: JobPlan) -> bytes:
    """Write a plan down beside the job's other work files."""
    return _codec().dump_json(plan)


def from_json(text: bytes) -> JobPlan:
    """Read a plan that `to_json` wrote."""
    plan: JobPlan = _codec().validate_json(text)
    return plan


@cache
def _codec() -> TypeAdapter[Any]:
    return TypeAdapter(JobPlan)
