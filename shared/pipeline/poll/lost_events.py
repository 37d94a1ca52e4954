"""Prompt files whose event was lost: found by listing the container, a few pages a tick, or in the host's poison queue.

Files older than the app's own table are ignored: an app installed over a full container must not process its history.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from shared.domain.errors import AppError, Misconfigured
from shared.domain.model import BlobInfo
from shared.domain.ports import App, Container, Message, Step
from shared.pipeline.receiving import entry_of, reserve
from shared.prompt_file import is_prompt_file

log = logging.getLogger("structuredbatch.sweeping")

NAMES_A_TICK: Final = 10_000
"""Names checked in one tick: two pages of a listing."""

SETTLED: Final = timedelta(minutes=2)
"""How old a prompt file must be: before that, its event is probably still to come."""

PAUSE: Final = timedelta(seconds=30)
"""How long after the end of a walk the next one begins, as listing costs far more than the rest of a tick."""

MARGIN: Final = timedelta(minutes=10)
"""How far a walk looks back beyond the beginning of the one before it, as clocks differ."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through the container: where it is, when it began, and when the one before it began."""

    after: str
    began: str
    looks_back_to: str


def sweep(app: App, bookmarks: Mapping[str, str]) -> None:
    """Continue the walk, and reserve jobs for prompt files that have none; never raise an AppError."""
    try:
        # Blobs have their last change in whole seconds.
        known = bookmarks.get("installed")
        installed = datetime.fromisoformat(known).astimezone(UTC) if known else app.store.installed_at(app.now())
        installed = installed.replace(microsecond=0)
        walk = _walk(app, bookmarks)
        if walk is not None:
            _continue(app, installed, walk)
        _recover_all(app, _failed(app))
    except AppError as error:
        log.warning("the sweep stops for this tick: %s", error)


def _continue(app: App, installed: datetime, walk: _Walk) -> None:
    oldest = max(installed, datetime.fromisoformat(walk.looks_back_to) - MARGIN)
    found = list(islice(app.files.blobs(Container.PROMPTS, after=walk.after), NAMES_A_TICK))
    settled = app.now() - SETTLED
    _recover_all(app, (info for info in found if oldest <= info.last_modified <= settled))
    ended = len(found) < NAMES_A_TICK
    now = app.now().isoformat()
    following = _Walk("", now, walk.began) if ended else _Walk(found[-1].name, walk.began, walk.looks_back_to)
    if not (ended and walk.after == "" and not found):
        app.store.save_bookmark("sweep", json.dumps(asdict(following)))


def _walk(app: App, bookmarks: Mapping[str, str]) -> _Walk | None:
    """Return the walk to continue, or to begin; None if the last one has only just ended."""
    now, place = app.now(), bookmarks.get("sweep")
    if not place:
        return _Walk("", now.isoformat(), datetime.fromtimestamp(0, UTC).isoformat())
    walk = _Walk(**json.loads(place))
    # Of a time in the future, a clock that was wrong says nothing.
    is_fresh = timedelta(0) <= now - datetime.fromisoformat(walk.began) < PAUSE
    return None if is_fresh and not walk.after else walk


def _failed(app: App) -> Iterator[BlobInfo]:
    """Yield the prompt files whose event the host gave up on, if they still have the same version.

    They may be older than the app's table: they were dropped into its container while the app was listening.
    """
    for event in app.queues.peek_failed_events():
        if event.container == app.settings.prompts_container:
            info = app.files.info(Container.PROMPTS, event.name)
            if info is not None and info.etag == event.etag:
                yield info


def _recover_all(app: App, found: Iterable[BlobInfo]) -> None:
    for info in found:
        if is_prompt_file(info.name):
            try:
                _recover(app, info)
            except Misconfigured as error:
                # Storage rejects something about this one file, such as its name; the others must still be found.
                log.warning("prompt file passed over: %s", error)


def _recover(app: App, info: BlobInfo) -> None:
    entry = entry_of(app, info)
    if entry.job_id in app.known_jobs or app.store.job(entry.job_id) is not None:
        _remember(app.known_jobs, entry.job_id)
        return
    if app.files.info(Container.PROMPTS, info.name) is None:
        return  # It has been deleted, or marks a folder.
    records = reserve(app, entry)
    if records is not None:
        log.warning("prompt file found without its event", extra={"job_id": records.job_id})
        app.queues.send(Message(Step.PREPARE, records.job_id))


def _remember(known: dict[str, None], job_id: str) -> None:
    """Remember the latest jobs found, as their files are listed again tick after tick."""
    known[job_id] = None
    if len(known) > 2 * NAMES_A_TICK:
        del known[next(iter(known))]
