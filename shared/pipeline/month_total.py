"""The month's money over all jobs: the sum for the API, and the poll's tidying of the ledger."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared.domain.errors import Conflict
from shared.domain.ledger import FOLDED, Standing, month_of, standing
from shared.domain.model import JobState
from shared.domain.ports import App, Listed
from shared.pipeline.records import JobRecords
from shared.pipeline.spending import repair, settle_left_behind

log = logging.getLogger("structuredbatch.spending")

FOLDS: Final = 25
"""How many transactions one tick may use to fold ended jobs' entries into their months."""


def tidy(app: App, open_jobs: Sequence[JobRecords]) -> None:
    """Fold the entries of ended jobs into their months, and repair what a crash left behind."""
    _, entries = app.ledger.month(month_of(app.now()))
    known = {entry.job_id: entry for entry in entries}
    for records in open_jobs:
        repair(records, known.pop(records.job_id, None))
    for entry in known.values():
        if not entry.ended:
            settle_left_behind(app, entry)
    ended = [entry for entry in entries if entry.ended]
    for start in range(0, min(len(ended), FOLDS * FOLDED), FOLDED):
        try:
            app.ledger.fold(ended[start : start + FOLDED])
        except Conflict as error:
            log.info("charges folded by another worker: %s", error)


def this_month(app: App, opened: Iterable[Listed] | None = None) -> Standing:
    """Add up the current month: what was spent, and what unfinished jobs are estimated to cost in addition.

    The ledger may lack the charge for an open job's latest batch, which its listed status has. `opened` are the open
    jobs as they are listed, if the caller reads them too; they must not be read before the ledger is read here.
    """
    month, entries = app.ledger.month(month_of(app.now()))
    known = {entry.job_id: entry for entry in entries}
    total = standing(month, entries)
    spent, reserved = total.spent, total.reserved
    for listed in app.store.all_listed() if opened is None else opened:
        if listed.status is None or JobState(listed.status["state"]).ended:
            continue
        entry = known.get(listed.entry.job_id)
        charged = sum(entry.charged.values()) if entry else 0.0
        late = max(0.0, listed.status["cost"]["usd"] - charged)
        spent += late
        if app.settings.monthly_budget_usd is None:
            reserved += _left(listed.status) if listed.left_usd is None else listed.left_usd
        elif entry:
            reserved -= min(late, max(0.0, entry.reserved - charged))
    return Standing(spent, reserved)


def _left(status: Mapping[str, Any]) -> float:
    """Return what an unfinished job is estimated to cost in addition to what it has cost, by its status."""
    usd = (status.get("estimate") or {}).get("usd") or 0.0
    return 0.0 if status["state"] == JobState.HELD else max(0.0, usd - status["cost"]["usd"])
