"""The quota of enqueued tokens: what batches hold, and what the service says about it."""

from collections.abc import Iterable

from local.batch_service import openai_platform
from local.batch_service.batch_record import StoredBatch
from local.batch_service.errors import ServiceError
from local.batch_service.scenario import LineFault, Quota
from local.batch_service.timeline import stage_at

CODE = "token_limit_exceeded"


def held(batches: Iterable[StoredBatch], deployment: str | None, at: float) -> int:
    """Return the tokens that batches of a deployment hold at a moment: all of each until its end."""
    return sum(
        batch.tokens for batch in batches if batch.deployment == deployment and not stage_at(batch.plan, at).terminal
    )


def message(deployment: str | None, quota: Quota, platform: str) -> str:
    """Return the service's text about a limit that is passed."""
    if platform == "openai":
        return openai_platform.quota_message(deployment, quota.tokens)
    whole = quota.tokens >= 1000 and quota.tokens % 1000 == 0
    limit = f"{quota.tokens // 1000}K" if whole else str(quota.tokens)
    return (
        f"The number of enqueued tokens has surpassed the configured limit of {limit} for the deployment "
        f"'{deployment}'. Please either increase the limit or try again once the current jobs have finished."
    )


def refusal(deployment: str | None, quota: Quota, platform: str) -> ServiceError:
    """Return the refusal of a new batch, as the regions give it that fail fast."""
    return ServiceError(400, CODE, message(deployment, quota, platform))


def fault(deployment: str | None, quota: Quota, platform: str) -> LineFault:
    """Return the entry in a failed batch's errors, as the other regions give it."""
    return LineFault(code=CODE, message=message(deployment, quota, platform))


def headers(enqueued: int, quota: Quota | None) -> dict[str, str]:
    """Return the headers that tell the tokens enqueued and the deployment's limit."""
    found = {"deployment-enqueued-tokens": str(enqueued)}
    return found if quota is None else {**found, "deployment-maximum-enqueued-tokens": str(quota.tokens)}
