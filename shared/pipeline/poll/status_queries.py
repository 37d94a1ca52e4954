"""What the service says about the open batches, in a limited number of calls: one per 100 batches, and ten.

The list is newest first, and shows ended and foreign batches too. If those are so many that the calls would not
suffice, the list of running batches is read instead, which has no history. Batches that no list shows are asked for by
id, in turns: so every batch is seen within 100 ticks even if the lists show none of them.
"""

import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import AppError, Throttled
from shared.domain.lifecycle import ends_before
from shared.domain.model import Batch, RemoteBatch
from shared.domain.ports import App
from shared.pipeline.target_choice import bookmark_of
from shared.settings import Target

log = logging.getLogger("structuredbatch.polling")

PAGE: Final = 100
EXTRA_CALLS: Final = 10
TRIAL: Final = 3
"""Pages of a list that are read before deciding whether it is worth reading on."""

RUNNING: Final = "in_progress"
TIME: Final = timedelta(minutes=3)
"""How long a tick asks for batches one by one."""

BOOKMARK: Final = "asked"


class StatusQueries:
    """The queries of one tick to one resource, about its batches `wanted`."""

    def __init__(self, app: App, resource: Target, wanted: Sequence[Batch]) -> None:
        self._app = app
        self._service = app.services.at(resource)
        self._bookmark = bookmark_of(app.settings, BOOKMARK, resource.account)
        self._wanted = {batch.batch_id for batch in wanted}
        self._left = set(self._wanted)
        self._calls = len(wanted) // PAGE + EXTRA_CALLS
        times = [batch.created_at for batch in wanted]
        self._oldest = min((time for time in times if time is not None), default=None) if all(times) else None

    def answers(self, since: datetime | None) -> Iterator[RemoteBatch]:
        """Yield the wanted batches as the service describes them, each at most once, and all others that it lists.

        With `since`, the list is read back to that time at least, so that no batch of a doubtful creation is missed;
        these pages do not count towards the limit.
        """
        budget = self._calls
        try:
            yield from self._newest(since)
        except Throttled:
            raise
        except AppError as error:
            # If the service is down altogether, the first query for a single batch fails, too.
            log.warning("could not list batches: %s", error)
        if since is not None:
            self._calls = budget
        if len(self._left) > self._calls:
            yield from self._running()
        yield from self._one_by_one(sorted(self._left))

    def _newest(self, since: datetime | None) -> Iterator[RemoteBatch]:
        """Yield the batches that the list shows, while it may show all missing ones within the calls left."""
        after, pages, ours = "", 0, 0
        while self._calls:
            page, after = self._page(after)
            pages, ours = pages + 1, ours + self._ours(page)
            yield from self._known(page)
            in_doubt = since is not None and not ends_before(page, since)
            past = self._oldest is not None and ends_before(page, self._oldest)
            if not after or (not in_doubt and (past or not self._left or self._is_hopeless(pages, ours))):
                return

    def _running(self) -> Iterator[RemoteBatch]:
        """Yield the batches from a list of running ones only; nothing if the service has no such list."""
        after, pages, ours = "", 0, 0
        while self._calls and (after or not pages):
            try:
                page, after = self._page(after, RUNNING)
            except AppError as error:
                log.info("could not list running batches: %s", error)
                return
            pages, ours = pages + 1, ours + self._ours(page)
            yield from self._known(page)
            if any(remote.status != RUNNING for remote in page) or self._is_hopeless(pages, ours):
                return

    def _page(self, after: str, status: str = "") -> tuple[list[RemoteBatch], str]:
        self._calls -= 1
        return self._service.page(after, status=status)

    def _known(self, page: Sequence[RemoteBatch]) -> Iterator[RemoteBatch]:
        for remote in page:
            if remote.batch_id in self._left and not remote.status:
                continue  # The list lacks its status: ask for it by id.
            if remote.batch_id in self._left:
                self._left.discard(remote.batch_id)
                yield remote
            elif remote.batch_id not in self._wanted:
                yield remote

    def _ours(self, page: Sequence[RemoteBatch]) -> int:
        return sum(remote.batch_id in self._wanted for remote in page)

    def _is_hopeless(self, pages: int, ours: int) -> bool:
        """Return whether a list with so few of our batches so far would need more calls than are left."""
        return pages >= TRIAL and ours * self._calls < len(self._left) * pages

    def _one_by_one(self, batch_ids: Sequence[str]) -> Iterator[RemoteBatch]:
        """Ask for batches by id while calls and time last; the next tick continues where this one stopped."""
        end = self._app.now() + TIME
        stopped_at = self._app.store.bookmark(self._bookmark) if batch_ids else ""
        first = bisect_right(batch_ids, stopped_at)
        turns = [*batch_ids[first:], *batch_ids[:first]][: self._calls]
        last = ""
        try:
            for batch_id in turns:
                if last and self._app.now() >= end:
                    break
                last = batch_id
                found = self._service.batch(batch_id)
                if found is not None:
                    yield found
                else:
                    log.error("batch no longer known to the service", extra={"batch_id": batch_id})
        finally:
            # Saved even after an error: a batch whose query fails must not hold up those after it.
            if last != stopped_at:
                self._app.store.save_bookmark(self._bookmark, last)
