"""A refusal that may pass: its target is left alone meanwhile, and the batch goes to another, or waits."""

from dataclasses import replace
from typing import Final

from shared import json_codec
from shared.domain import blob_names
from shared.domain.errors import NotFound, NotPermitted, QuotaExceeded, Transient, Unavailable
from shared.domain.lifecycle import Refusal, cut, next_backoff, put_back, token_limit
from shared.domain.model import Batch, Wait
from shared.domain.ports import App, Container, DeploymentBackoff
from shared.pipeline.claims import Claim
from shared.pipeline.records import JobRecords
from shared.pipeline.target_choice import candidates, has_room
from shared.settings import Platform, Target

SHOWN: Final = 600
"""Characters that are kept of what a target says; the batch that it refused keeps all."""


def fault_of(app: App, batch: Batch, target: Target, refusal: Refusal, reason: str) -> Transient:
    """Say what to correct where a target refuses a batch for another reason than quota."""
    named = f"{target.deployment}{_elsewhere(app, target)}"
    if refusal is Refusal.PERMISSION:
        return NotPermitted(
            f"The batch service may not read the input blob: give its identity access to WORK_CONTAINER. {reason}"
        )
    if refusal is Refusal.MONEY:
        return NotPermitted(
            f"The account of {named} has nothing left to spend: add credit, or raise its limit. "
            f"The service says: {reason}"
        )
    if target.platform is Platform.OPENAI:
        remedy = "correct the model's name, or let the project of the key use this model"
    else:
        remedy = "create it as a Global Batch or Data Zone Batch deployment, or correct the model name"
    column = _named_by_column(app, batch)
    return Unavailable(f"The deployment {named} cannot take batches: {remedy}.{column} The service says: {reason}")


def _elsewhere(app: App, target: Target) -> str:
    """Say where a deployment is, if it is not at the app's own resource."""
    return "" if target.endpoint == app.settings.endpoint else f" at {target.resource}"


def _named_by_column(app: App, batch: Batch) -> str:
    """Say which column of the prompt file named the deployment, where one did: it may be the user's own."""
    try:
        text = b"".join(app.files.read(Container.WORK, blob_names.columns(batch)))
    except NotFound:
        return ""
    found = json_codec.mapping(json_codec.loads(text))
    column = json_codec.word(found.get("model_column"))
    if not column or batch.model == found.get("job_model") or batch.model in app.settings.deployments:
        return ""
    return (
        f' The name comes from the column "{column[:60]}": if that is a column of your own, say '
        '"columns": {"model": null} in _job.json, drop the file again and cancel this job.'
    )


def wait_for(claim: Claim[Batch], app: App, error: Transient, where: str = "") -> None:
    """Put the batch back to wait for what has nothing to do with other targets."""
    batch, message = claim.record, f"{where}{error}"
    wait = next_backoff(batch.wait, message, app.now(), app.settings.backoff, batch.full_name, error.retry_after)
    claim.release(wait=wait)


def refused_at(records: JobRecords, claim: Claim[Batch], target: Target, error: Transient) -> None:
    """Put a batch back that a target did not take; where others may, this one is closed for all jobs meanwhile."""
    app, batch = records.app, claim.record
    if isinstance(error, QuotaExceeded) and batch.file_id:
        refuse_for_quota(records, claim, target, str(error), error.retry_after)
    elif len(app.settings.targets(batch.model)) == 1:
        _note_refusal(records, batch, target, str(error))
        wait_for(claim, app, error, where=f"{target.name}: " if _elsewhere(app, target) else "")
    else:
        is_full = isinstance(error, QuotaExceeded)
        _close(records, target, str(error), is_full=is_full, retry_after=error.retry_after)
        claim.release(wait=_turn_of(records, batch, f"{target.name}: {error}"), turn="")


def refuse_late(records: JobRecords, claim: Claim[Batch], target: Target, message: str) -> None:
    """Put a batch back whose validation failed for a reason that may pass, but is not about quota."""
    app, batch = records.app, claim.record
    if len(app.settings.targets(batch.model)) == 1:
        _note_refusal(records, batch, target, message)
        wait = next_backoff(batch.wait, message, app.now(), app.settings.backoff, batch.full_name)
    else:
        _close(records, target, message, is_full=False)
        wait = _turn_of(records, batch, message)
    claim.replace(put_back(batch, wait))


def refuse_for_quota(
    records: JobRecords, claim: Claim[Batch], target: Target, reason: str, retry_after: float | None = None
) -> None:
    """Let the target's backoff begin and put the batch back; one that can fit nowhere is split in two."""
    app, batch = records.app, claim.record
    limit = token_limit(reason)
    if limit is not None and batch.requests > 1 and _exceeds_all(records, batch, target, limit):
        from shared.pipeline.submit.splitting import split  # It is seldom needed, and brings much with it.

        split(records, claim)
        return
    message = (
        f"The deployment {target.deployment}{_elsewhere(app, target)} has no quota of enqueued tokens left: the batch "
        f"is sent as soon as other batches have ended or the deployment's limit is raised. The service says: {reason}"
    )
    _close(records, target, message, is_full=True, limit=limit or 0, retry_after=retry_after)
    claim.replace(put_back(batch, _turn_of(records, batch, message)))


def _exceeds_all(records: JobRecords, batch: Batch, target: Target, limit: int) -> bool:
    """Return whether a batch fits into no target's quota, and smaller ones would."""
    limits = [limit]
    for other in records.app.settings.targets(batch.model):
        backoff = records.app.store.deployment_backoff(other.name) if other.name != target.name else None
        if backoff is not None and backoff.limit:
            limits.append(backoff.limit)
        elif other.name != target.name and (backoff is None or backoff.is_full or has_room(backoff, records.app.now())):
            return False  # It may fit there, for all that is known.
    largest = max(limits)
    # Where not even one request of the usual size fits, smaller batches would be refused all the same.
    return batch.input_tokens > largest and largest * batch.requests >= batch.input_tokens


def _note_refusal(records: JobRecords, batch: Batch, target: Target, message: str) -> None:
    """Keep what a target said that is the only one of its name: it is not left alone, each batch waits by itself."""
    app = records.app
    if batch.model in app.settings.deployments:
        known = app.store.deployment_backoff(target.name) or DeploymentBackoff(target.name, app.now(), 0)
        records.save_backoff(replace(known, message=cut(message)[:SHOWN], refused_at=app.now(), version=""))


def _close(
    records: JobRecords,
    target: Target,
    message: str,
    *,
    is_full: bool,
    limit: int = 0,
    retry_after: float | None = None,
) -> None:
    """Leave a target alone for a while; each refusal in a row makes that longer."""
    app = records.app
    # Read anew: another worker's refusal meanwhile makes the wait longer.
    known = app.store.deployment_backoff(target.name)
    before = Wait(until=app.now(), tries=known.tries, message="") if known is not None and known.tries else None
    wait = next_backoff(before, message[:SHOWN], app.now(), app.settings.backoff, target.name, retry_after)
    limit = limit or (known.limit if known is not None else 0)
    records.save_backoff(
        DeploymentBackoff(
            target.name,
            wait.until,
            wait.tries,
            is_full=is_full,
            limit=limit,
            message=wait.message,
            refused_at=app.now(),
        )
    )


def _turn_of(records: JobRecords, batch: Batch, message: str) -> Wait:
    """Return the wait until some target may be tried, which is now where one has room.

    Its own wait makes the jobs take turns: who was refused last comes after those who have waited longer.
    """
    app, now = records.app, records.app.now()
    backoffs = records.backoffs(target.name for target in app.settings.targets(batch.model))
    times = [backoffs[t.name].until if t.name in backoffs else now for t in candidates(app.settings, batch)]
    tries = batch.wait.tries if batch.wait else 0
    return Wait(until=max(now, min(times)), tries=tries + 1, message=cut(message))
