"""Where a batch is, or may go: its target, the service there, and which targets have room for it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain.batch_service import BatchService
from shared.domain.errors import Misconfigured
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App, DeploymentBackoff
from shared.settings import Settings, Target

type Backoffs = Mapping[str, DeploymentBackoff]
"""The backoffs of targets, by their names."""


def target_of(settings: Settings, batch: Batch) -> Target:
    """Return the target that a batch was given; raises Misconfigured where no setting names its resource any more.

    The app's own resource is found under its present address: AZURE_OPENAI_ENDPOINT may change while batches run.
    """
    if not batch.target:
        return settings.own_target(batch.model)
    for target in _all_targets(settings, batch.model):
        if target.name == batch.target and batch.endpoint in ("", target.endpoint):
            return target
    resource, _, deployment = batch.target.partition("/")
    for target in _all_targets(settings, batch.model):
        if target.resource == resource and batch.endpoint in ("", target.endpoint):
            return replace(target, deployment=deployment)
    if batch.endpoint:
        raise Misconfigured(
            f"No setting names the target {batch.target} any more, where this batch is: put it back into DEPLOYMENTS "
            "until the batch has ended"
        )
    return settings.own_target(deployment)


def account_of(settings: Settings, batch: Batch) -> str:
    """Return the account of a batch's resource; its endpoint where no setting names it any more."""
    try:
        return target_of(settings, batch).account
    except Misconfigured:
        return batch.endpoint


def service_of(app: App, batch: Batch) -> BatchService:
    """Return the batch service where a batch is; raises Misconfigured as target_of does."""
    return app.services.at(target_of(app.settings, batch))


def place_of(settings: Settings, target: Target) -> dict[str, Any]:
    """Return what a batch's row says of a target, so that it is found again."""
    return {"target": target.name, "endpoint": "" if target.endpoint == settings.endpoint else target.endpoint}


def is_by_storage(settings: Settings, batch: Batch) -> bool:
    """Return whether a batch's files are read and written in our own storage: only at the app's own resource."""
    return settings.transfer == "storage" and not batch.endpoint


def resources(settings: Settings) -> dict[str, Target]:
    """Return one target of each resource that the settings name, by the resource's account."""
    targets = [settings.own_target(settings.deployment), *_named_targets(settings)]
    return {target.account: target for target in reversed(targets)}


def bookmark_of(settings: Settings, name: str, account: str) -> str:
    """Return the name of a resource's own bookmark; the app's own resource has the plain one."""
    if account == settings.own_target("").account:
        return name
    return f"{name}-{account.replace('/', '-')}"


def unsent_targets(settings: Settings, batches: Iterable[Batch]) -> list[str]:
    """Return the names of the targets that batches are still to be sent to."""
    found = (target.name for model in _unsent_models(batches) for target in settings.targets(model))
    return list(dict.fromkeys(found))


def open_batches(settings: Settings, batches: Iterable[Batch]) -> dict[str, int]:
    """Count the batches that are at the service, by the names of their targets."""
    there = (batch for batch in batches if batch.state is BatchState.SUBMITTED)
    return dict(Counter(batch.target or settings.own_target(batch.model).name for batch in there))


def closed_models(settings: Settings, batches: Iterable[Batch], backoffs: Backoffs, now: datetime) -> set[str]:
    """Return the models of unsent batches for which no target has room now."""
    return {
        model
        for model in _unsent_models(batches)
        if not any(has_room(backoffs.get(target.name), now) for target in settings.targets(model))
    }


def has_room(backoff: DeploymentBackoff | None, now: datetime) -> bool:
    """Return whether a target may be tried now."""
    return backoff is None or backoff.until <= now


def is_refusing(backoff: DeploymentBackoff | None) -> bool:
    """Return whether a target refused the last time it was tried."""
    return backoff is not None and backoff.tries > 0


def candidates(settings: Settings, batch: Batch) -> list[Target]:
    """Return the targets that take batches of this one's size, in order; all of them where none does."""
    targets = list(settings.targets(batch.model))
    return [target for target in targets if settings.holds(target, batch.requests, batch.size)] or targets


def choose(
    settings: Settings, batch: Batch, backoffs: Backoffs, now: datetime, probed: Collection[str] | None = None
) -> Target | None:
    """Return the target that a batch goes to now; None where it has to wait.

    It stays where its input file is unless that target refuses; else it goes to the first target with room. `probed`
    are those that refused the last time and have a batch under way to try them again: they get no other. Where that
    is None, a batch that was given its turn at a target takes it.
    """
    there = [target for target in candidates(settings, batch) if has_room(backoffs.get(target.name), now)]
    for target in there:
        stays = batch.file_id and target.name == batch.target and not is_refusing(backoffs.get(target.name))
        if stays or (probed is None and target.name == batch.turn):
            return target
    return next((target for target in there if target.name not in (probed or ())), None)


def _unsent_models(batches: Iterable[Batch]) -> list[str]:
    """Return what the rows of batches that are still to be sent name as their models, each once."""
    unsent = (batch.model for batch in batches if batch.state in (BatchState.PREPARED, BatchState.UPLOADED))
    return list(dict.fromkeys(unsent))


def _all_targets(settings: Settings, model: str) -> Iterator[Target]:
    yield from settings.targets(model)
    yield from _named_targets(settings)


def _named_targets(settings: Settings) -> Iterator[Target]:
    for targets in settings.deployments.values():
        yield from targets
