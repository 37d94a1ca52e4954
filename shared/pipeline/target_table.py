"""The targets and their state: what is open at each, until when it is left alone, and why it last refused."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.domain.ports import App, DeploymentBackoff, Listed
from shared.domain.status_report import iso
from shared.pipeline.target_choice import has_room

type TargetState = Mapping[str, Any]
"""A target as the API and the commands show it: plain JSON values."""


def target_table(app: App, opened: Iterable[Listed]) -> list[TargetState]:
    """Return the targets in the order of DEPLOYMENTS, then the others that have open batches or are left alone.

    `opened` are the open jobs as they are listed. If DEPLOYMENTS is not set and no target is left alone, the result is
    empty: there is nothing to choose from or wait for. This takes one call to storage.
    """
    now = app.now()
    backoffs = {backoff.target: backoff for backoff in app.store.deployment_backoffs()}
    left_alone = [name for name, backoff in backoffs.items() if not has_room(backoff, now)]
    if not app.settings.deployments and not left_alone:
        return []
    counts: Counter[str] = Counter()
    for listed in opened:
        counts.update(listed.open_batches)
    named = [target.name for targets in app.settings.deployments.values() for target in targets]
    names = dict.fromkeys([*named, *sorted({*counts, *left_alone})])
    return [_state(name, counts[name], backoffs.get(name), now) for name in names]


def _state(name: str, open_batches: int, backoff: DeploymentBackoff | None, now: datetime) -> TargetState:
    waits = backoff is not None and not has_room(backoff, now)
    refused = backoff is not None and backoff.refused_at is not None
    return {
        "target": name,
        "open_batches": open_batches,
        "waiting_until": iso(backoff.until) if backoff and waits else None,
        "last_refusal": {"at": iso(backoff.refused_at), "message": backoff.message} if backoff and refused else None,
    }
