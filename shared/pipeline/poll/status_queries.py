"""What the service says of the open batches, for as few calls as there are: their number by 100, and ten.

The list is newest first, and shows others' and ended batches too. Where these are so many that the calls would not do,
the list of running batches is read instead, which no history fills; and what no list showed is asked for by id, by
turns, so that every batch is seen within 100 ticks even where lists are of no help at all.
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
from shared.pipeline.targets import bookmark_of
from shared.settings import Target

log = logging.getLogger("structuredbatch.polling")

PAGE: Final = 100
EXTRA_CALLS: Final = 10
TRIAL: Final = 3
"""Pages of a list that are read before it is judged by what they showed."""

RUNNING: Final = "in_progress"
TIME: Final = timedelta(minutes=3)
"""How long a tick asks for batches one by one."""

BOOKMARK: Final = "asked"


class Asking:
    """The questions of one tick to one resource, about `wanted` batches, which are there."""

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
        """Yield the service's word on the batches wanted, each at most once, and on all others that its lists show.

        The list is read back to the time `since` at least, where there is one, so that no batch of a doubtful creation
        is passed over; these pages are counted apart.
        """
        budget = self._calls
        try:
            yield from self._newest(since)
        except Throttled:
            raise
        except AppError as error:
            # Where the service is down altogether, the first question about a single batch says so.
            log.warning("could not list batches: %s", error)
        if since is not None:
            self._calls = budget
        if len(self._left) > self._calls:
            yield from self._running()
        yield from self._one_by_one(sorted(self._left))

    def _newest(self, since: datetime | None) -> Iterator[RemoteBatch]:
        """Yield the batches that the list shows, as long as it may show all the others within the calls left."""
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
        """Yield the running batches, from a list of these alone; nothing if the service does not know such lists."""
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
                continue  # This list says too little: it is asked for by its id.
            if remote.batch_id in self._left:
                self._left.discard(remote.batch_id)
                yield remote
            elif remote.batch_id not in self._wanted:
                yield remote

    def _ours(self, page: Sequence[RemoteBatch]) -> int:
        return sum(remote.batch_id in self._wanted for remote in page)

    def _is_hopeless(self, pages: int, ours: int) -> bool:
        """Return whether a list that showed so many of ours so far would not show the others within the calls left."""
        return pages >= TRIAL and ours * self._calls < len(self._left) * pages

    def _one_by_one(self, batch_ids: Sequence[str]) -> Iterator[RemoteBatch]:
        """Ask for batches by their ids while calls and time last: the next tick goes on where this one stopped."""
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
            # One that cannot be asked about must not hold up those after it either.
            if last != stopped_at:
                self._app.store.save_bookmark(self._bookmark, last)
