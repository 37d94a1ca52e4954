"""A refusal of the service that may pass: the batch waits, and its deployment is left alone where it has no room."""

from shared import json_codec
from shared.domain import blob_names
from shared.domain.errors import NotFound, QuotaExceeded, Transient, Unavailable
from shared.domain.lifecycle import cut, next_backoff, put_back, token_limit
from shared.domain.model import Batch, Wait
from shared.domain.ports import App, Container, DeploymentBackoff
from shared.pipeline.claims import Claim
from shared.pipeline.records import JobRecords
from shared.pipeline.submit.splitting import split


def deployment_fault(app: App, batch: Batch, reason: str) -> Transient:
    """Say what to correct where a deployment is unknown or is not a batch deployment."""
    return Unavailable(
        f"The deployment {batch.model} cannot take batches: create it as a Global Batch or Data Zone Batch deployment, "
        f"or correct the model name.{_named_by_column(app, batch)} The service says: {reason}"
    )


def _named_by_column(app: App, batch: Batch) -> str:
    """Say which column of the prompt file named the deployment, where one did: it may be the user's own."""
    try:
        text = b"".join(app.files.read(Container.WORK, blob_names.columns(batch)))
    except NotFound:
        return ""
    found = json_codec.mapping(json_codec.loads(text))
    column = json_codec.word(found.get("model_column"))
    if not column or batch.model == found.get("job_model"):
        return ""
    return (
        f' The name comes from the column "{column[:60]}": if that is a column of your own, say '
        '"columns": {"model": null} in _job.json, drop the file again and cancel this job.'
    )


def refused_for_now(records: JobRecords, claim: Claim[Batch], error: Transient) -> None:
    """Put the batch back to wait; a deployment without room is closed for all jobs meanwhile."""
    app = records.app
    batch = claim.record
    if isinstance(error, QuotaExceeded) and batch.file_id:
        refuse_for_quota(records, claim, str(error), error.retry_after)
        return
    wait = next_backoff(batch.wait, str(error), app.now(), app.settings.backoff, batch.full_name, error.retry_after)
    claim.release(wait=wait)


def refuse_for_quota(records: JobRecords, claim: Claim[Batch], reason: str, retry_after: float | None = None) -> None:
    """Let the deployment's backoff begin and put the batch back; one that can never fit is split in two."""
    app = records.app
    batch = claim.record
    limit = token_limit(reason)
    # Where not even one request of the usual size fits, smaller batches would be refused all the same.
    one_fits = limit is not None and limit * batch.requests >= batch.input_tokens
    if limit is not None and batch.requests > 1 and batch.input_tokens > limit and one_fits:
        split(records, claim)
        return
    # Read anew: another worker's refusal meanwhile makes the wait longer.
    backoff = app.store.deployment_backoff(batch.model)
    before = Wait(until=app.now(), tries=backoff.tries, message="") if backoff is not None and backoff.tries else None
    shared_wait = next_backoff(before, "", app.now(), app.settings.backoff, batch.model, retry_after)
    records.save_backoff(DeploymentBackoff(batch.model, shared_wait.until, shared_wait.tries))
    message = (
        f"The deployment {batch.model} has no quota of enqueued tokens left: the batch is sent as soon as other "
        f"batches have ended or the deployment's limit is raised. The service says: {reason}"
    )
    # Its own wait makes the jobs take turns: who was refused last comes after those who have waited longer.
    tries = batch.wait.tries if batch.wait else 0
    claim.replace(put_back(batch, Wait(until=shared_wait.until, tries=tries + 1, message=cut(message))))
