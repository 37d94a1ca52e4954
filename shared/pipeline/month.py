"""The month's money over all jobs: added up for those who ask, and tidied by the poll."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared.domain.errors import Conflict
from shared.domain.ledger import FOLDED, Standing, month_of, standing
from shared.domain.model import JobState
from shared.domain.ports import App, Listed
from shared.pipeline.records import JobRecords
from shared.pipeline.spending import put_right, settle_left_behind

log = logging.getLogger("structuredbatch.spending")

FOLDS: Final = 25
"""Transactions of one tick that fold ended jobs' entries into their months."""


def tidy(app: App, open_jobs: Sequence[JobRecords]) -> None:
    """Fold the entries of ended jobs into their months, and put right what a crash left behind."""
    _, entries = app.ledger.month(month_of(app.now()))
    known = {entry.job_id: entry for entry in entries}
    for records in open_jobs:
        put_right(records, known.pop(records.job_id, None))
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
    """Add up the present month: what was spent, and what the jobs under way are estimated to cost besides.

    What an open job was charged stands in the ledger but for its latest batch, of which its listed status tells.
    `opened` are the open jobs as they are listed, where the caller reads them too: not before the ledger is read here.
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
            reserved += _left(listed.status)
        elif entry:
            reserved -= min(late, max(0.0, entry.reserved - charged))
    return Standing(spent, reserved)


def _left(status: Mapping[str, Any]) -> float:
    """Return what a job under way is estimated to cost besides what it has cost, by its status."""
    usd = (status.get("estimate") or {}).get("usd") or 0.0
    return 0.0 if status["state"] == JobState.HELD else max(0.0, usd - status["cost"]["usd"])
