"""Which job is meant: by its id, or by its prompt file's name, which stands for its newest job."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.domain.model import JOB_ID
from shared.domain.ports import App
from shared.pipeline.listing import list_jobs

type Status = Mapping[str, Any]
type Page = tuple[list[Status], str]

_PAGE = 500
_PAGES = 10


class NoSuchJobError(Exception):
    """No job has this id, and no prompt file this name; the message says what may have been meant."""


def find_job(word: str, page: Callable[[str], Page]) -> Status:
    """Return the newest job of that id or prompt file, as the list of jobs shows it; raises NoSuchJobError.

    `page` gives a page of jobs, newest first, and the cursor of the next, from a cursor that is empty at first.
    """
    seen: list[Status] = []
    for status in _jobs(page):
        seen.append(status)
        if status["job_id"] == word or _is_file(word.replace("\\", "/"), status["prompt_file"]):
            return status
    raise NoSuchJobError(f"There is no job {word}.{_meant(word, seen)} 'python3 dev.py jobs' lists them.")


def is_job_id(word: str) -> bool:
    """Return whether this can be a job's id."""
    return re.fullmatch(JOB_ID, word) is not None


def stored_page(app: App, cursor: str) -> Page:
    """Return a page of the jobs in storage, for `find_job`."""
    return list_jobs(app, state="", prefix="", limit=_PAGE, cursor=cursor)


def _jobs(page: Callable[[str], Page]) -> Iterator[Status]:
    cursor = ""
    for _ in range(_PAGES):
        jobs, cursor = page(cursor)
        yield from jobs
        if not cursor:
            return


def _is_file(word: str, prompt_file: str) -> bool:
    """Return whether a word names a prompt file: whole, by its end, or as the local path from which it was dropped.

    A trial run goes by the name of the file that it tries.
    """
    names = prompt_file, re.sub(r"(^|-)trial-[0-9]+/", lambda found: "/" if found[1] else "", prompt_file, count=1)
    return any(f"/{name}".endswith(f"/{word}") or f"/{word}".endswith(f"/{name}") for name in names)


def _meant(word: str, jobs: Sequence[Status]) -> str:
    """Return ` Did you mean X?` for the nearest name of a job, empty where nothing is near."""
    known = {str(status["job_id"]): status["job_id"] for status in jobs}
    for status in jobs:
        name = str(status["prompt_file"])
        known |= {name: name, name.rpartition("/")[2]: name}
    near = difflib.get_close_matches(word.replace("\\", "/").rpartition("/")[2], known, n=1)
    return f" Did you mean {known[near[0]]}?" if near else ""
