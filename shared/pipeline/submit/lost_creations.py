"""Batches possibly created although the answer was lost: whose they are, and how long the poll looks for them.

A creating call whose answer was lost, and whose batch did not show in time, is made again. Should the first batch show
after all, up to a day later, the poll finds it and cancels it, whether its job has ended or not.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import NotFound
from shared.domain.model import Batch, RemoteBatch
from shared.domain.ports import App, Container
from shared.pipeline.targets import bookmark_of
from shared.settings import Target

BOOKMARK: Final = "doubt"
LOOK_OUT: Final = timedelta(hours=24)
CLOCK_MARGIN: Final = timedelta(minutes=10)
"""How far the service's clock may be from ours."""


def is_ours(batch: Batch, remote: RemoteBatch) -> bool:
    """Return whether the service's batch is this one: it reads its input file, or bears its name."""
    if batch.file_id and batch.file_id in (remote.input_file_id, remote.input_blob):
        return True
    named = remote.metadata
    return (named.get("job"), named.get("index"), named.get("attempt")) == (
        batch.job_id,
        str(batch.index),
        str(batch.attempt),
    )


def name_of(app: App, remote: RemoteBatch) -> tuple[str, int, int] | None:
    """Return the job, index and attempt that the service's batch was created for; None where it is not one of ours."""
    try:
        if remote.input_blob:
            job_id, key, _ = app.files.name_of(Container.WORK, remote.input_blob).split("/")
            index, attempt = key.removeprefix("batch-").split("-")
        else:
            job_id, index, attempt = (remote.metadata[key] for key in ("job", "index", "attempt"))
        return job_id, int(index), int(attempt)
    except (KeyError, ValueError, NotFound):
        return None


def look_out(app: App, target: Target, since: datetime) -> None:
    """Let the poll look for batches created at a target's resource since then, for a day."""
    now = app.now()
    name = bookmark_of(app.settings, BOOKMARK, target.account)
    noted = _noted(app.store.bookmark(name))
    if noted is not None and now < noted[1]:
        since = min(since, noted[0])
    until = now + LOOK_OUT
    app.store.save_bookmark(name, json.dumps({"since": since.isoformat(), "until": until.isoformat()}))


def unanswered_since(now: datetime, bookmark: str, batches: Iterable[Batch]) -> datetime | None:
    """Return since when batches may have been created although the answer was lost; None where there are none.

    All at one resource: `batches` are those that go there, and `bookmark` is what was noted of it.
    """
    times = [batch.creating_since for batch in batches if batch.creating_since is not None]
    noted = _noted(bookmark)
    if noted is not None and now < noted[1]:
        times.append(noted[0])
    return min(times) - CLOCK_MARGIN if times else None


def _noted(text: str) -> tuple[datetime, datetime] | None:
    if not text:
        return None
    noted = json.loads(text)
    return datetime.fromisoformat(noted["since"]), datetime.fromisoformat(noted["until"])
