"""All that a job's requests depend on, fixed when the job starts, so that building again gives the same batches."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

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
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """How many requests and bytes a batch may have, for models whose targets take less than the others."""
    is_fixed: bool = True
    """Whether it holds the job's settings; False for a job that ended before they could be read."""

    @property
    def row_bytes(self) -> int:
        """The largest size of a request, whichever batch it goes into."""
        return min(self.max_bytes, *(size for _, size in self.limits.values())) if self.limits else self.max_bytes


def plan_without_settings(app: Settings) -> JobPlan:
    """Return a plan for a job that ended before its settings could be read: the app's settings alone."""
    return replace(make_plan(JobSettings(), app), is_fixed=False)


def make_plan(job: JobSettings, app: Settings) -> JobPlan:
    """Combine the job's settings with the app's; the job's win."""
    max_requests, max_bytes = app.limits("")
    limits = {name: app.limits(name) for name in app.deployments}
    return JobPlan(
        settings=job,
        default_model=app.deployment,
        max_requests=max_requests,
        max_bytes=max_bytes,
        limits={name: found for name, found in limits.items() if found != (max_requests, max_bytes)},
        max_attempts=job.max_attempts or app.max_attempts,
        rejects_invalid_rows=(job.on_invalid_row or app.on_invalid_row) == "reject",
        formats=app.result_formats if job.formats is None else job.formats,
        formula_guard=app.formula_guard,
    )


def write_plan(plan: JobPlan) -> bytes:
    """Return a plan as JSON, to be kept beside the job's other work files."""
    return msgspec.json.encode(plan)


def parse_plan(text: bytes) -> JobPlan:
    """Read a plan that `write_plan` wrote, in this version or an earlier one."""
    return msgspec.json.decode(text, type=JobPlan)
