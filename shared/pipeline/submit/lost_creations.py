"""Batches possibly created although the answer was lost: finding and recognising them, and how long the poll looks out.

If the answer to a creating call was lost and the batch does not show up in time, the call is made again. Should the
first batch show up after all, up to a day later, the poll cancels it, whether its job has ended or not.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.domain.batch_service import BatchService
from shared.domain.errors import NotFound, Unavailable
from shared.domain.lifecycle import ends_before
from shared.domain.model import Batch, RemoteBatch
from shared.domain.ports import App, Container
from shared.pipeline.target_choice import bookmark_of
from shared.settings import Target

BOOKMARK: Final = "doubt"
LOOK_OUT: Final = timedelta(hours=24)
LOOK_PAGES: Final = 100
CLOCK_MARGIN: Final = timedelta(minutes=10)
"""How much the service's clock may differ from ours."""


def find_created(service: BatchService, batch: Batch) -> RemoteBatch | None:
    """Find our batch among those created since the call began, unless it failed.

    Raises Unavailable if there are too many of them to look at.
    """
    assert batch.creating_since is not None
    oldest = batch.creating_since - CLOCK_MARGIN
    after = ""
    for _ in range(LOOK_PAGES):
        page, after = service.page(after)
        for remote in page:
            if is_ours(batch, remote) and remote.status != "failed":
                return remote
        if not after or ends_before(page, oldest):
            return None
    raise Unavailable("Still looking for the batch whose creation got no answer, among very many others")


def is_ours(batch: Batch, remote: RemoteBatch) -> bool:
    """Return whether a batch at the service is this one, by its input file or by the name in its metadata."""
    if batch.file_id and batch.file_id in (remote.input_file_id, remote.input_blob):
        return True
    named = remote.metadata
    return (named.get("job"), named.get("index"), named.get("attempt")) == (
        batch.job_id,
        str(batch.index),
        str(batch.attempt),
    )


def name_of(app: App, remote: RemoteBatch) -> tuple[str, int, int] | None:
    """Return the job, index and attempt for which a batch at the service was created; None if it is not ours."""
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
    """Let the poll look for a day for batches created at a target's resource since a time."""
    now = app.now()
    name = bookmark_of(app.settings, BOOKMARK, target.account)
    noted = _noted(app.store.bookmark(name))
    if noted is not None and now < noted[1]:
        since = min(since, noted[0])
    until = now + LOOK_OUT
    app.store.save_bookmark(name, json.dumps({"since": since.isoformat(), "until": until.isoformat()}))


def unanswered_since(now: datetime, bookmark: str, batches: Iterable[Batch]) -> datetime | None:
    """Return since when a resource may have created batches although the answer was lost; None if it has not.

    `batches` are those being created there, and `bookmark` is the resource's bookmark.
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
