"""The list of jobs: its order, its pages, its filters, and what it costs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from local.screenshots.sample_jobs import many_jobs, put
from shared.adapters.table_store import TableJobStore
from shared.domain.errors import Conflict
from shared.domain.model import Job, JobState, OpenJob, newest_first
from shared.domain.ports import App
from shared.domain.status_report import report, summary
from shared.pipeline.listing import list_jobs
from shared.pipeline.reporting import close
from shared.web import api
from testing.seeding import fill_history, loaded
from testing.world import World

SOME = 2_500
"""Ended jobs: more than table storage gives at once, and than a page of the list."""


def job(now: datetime, number: int, name: str = "", state: JobState = JobState.PREPARING) -> Job:
    created = now - timedelta(minutes=number)
    return Job(
        job_id=f"{created:%Y%m%dT%H%M%SZ}-{number:08x}",
        prompt_file=name or f"open-{number}.csv",
        source_etag="1",
        state=state,
        created_at=created,
        updated_at=created,
        progress_at=created,
    )


def walk(app: App, limit: int, **filters: str) -> list[list[str]]:
    """The ids on all pages."""
    pages, cursor = [], ""
    while True:
        page, cursor = list_jobs(
            app, state=filters.get("state", ""), prefix=filters.get("prefix", ""), limit=limit, cursor=cursor
        )
        pages.append([str(status["job_id"]) for status in page])
        if not cursor:
            return pages


def listed(app: App, **filters: str) -> list[str]:
    return [job_id for page in walk(app, 500, **filters) for job_id in page]


def connection(world: World) -> str:
    return world.environment["BatchStorage"]


def test_a_page_takes_a_handful_of_calls_however_many_jobs_there_are(world: World) -> None:
    now = world.clock.now()
    fill_history(world.app, connection(world), many_jobs(now, SOME))
    for number in range(60):
        world.app.store.open_entry(OpenJob(job(now, number).job_id, f"open-{number}.csv", "1", now))
    calls: list[Any] = []
    table = TableServiceClient.from_connection_string(connection(world), raw_request_hook=calls.append)
    app = replace(world.app, store=TableJobStore(table.get_table_client(world.app.settings.jobs_table)))

    for query, count in (
        ({}, 500),
        ({"state": "completed"}, 500),
        ({"state": "failed"}, 0),
        ({"state": "preparing"}, 60),
        ({"prefix": "many/file-02499"}, 1),
        ({"prefix": "nothing"}, 0),
    ):
        calls.clear()
        answer = api.list_response(lambda: app, {"limit": "500", **query})
        assert len(answer.body["jobs"]) == count
        assert 1 <= len(calls) <= 4


def test_pages_hold_every_job_once_and_newest_first(world: World) -> None:
    now = world.clock.now()
    ended = many_jobs(now, 230)
    fill_history(world.app, connection(world), ended)
    opened = [job(now, number) for number in (0, 3, 3, 229, 500)]
    opened[2] = replace(opened[2], job_id=opened[2].job_id[:-1] + "f")
    for one in opened:
        put(world.app, one)

    pages = walk(world.app, 50)

    expected = sorted([*opened, *(one for one, _ in ended)], key=newest_first)
    assert [len(page) for page in pages] == [50, 50, 50, 50, 35]
    assert [job_id for page in pages for job_id in page] == [one.job_id for one in expected]


def test_the_last_page_is_known_as_the_last(world: World) -> None:
    fill_history(world.app, connection(world), many_jobs(world.clock.now(), 30))
    assert [len(page) for page in walk(world.app, 10)] == [10, 10, 10]
    assert [len(page) for page in walk(world.app, 30)] == [30]
    assert [len(page) for page in walk(world.app, 29)] == [29, 1]


def test_jobs_that_arrive_or_end_meanwhile_move_nothing_on_later_pages(world: World) -> None:
    now = world.clock.now()
    first = [job(now, number) for number in range(10, 50)]
    for one in first:
        put(world.app, one)
    seen: list[str] = []
    cursor = ""
    for round_ in range(100):
        page, cursor = list_jobs(world.app, state="", prefix="", limit=7, cursor=cursor)
        seen += [str(status["job_id"]) for status in page]
        if not cursor:
            break
        put(world.app, job(now, -round_))  # newer than all
        stored = world.app.store.job(first[round_ * 5].job_id)
        assert stored is not None
        ended = world.app.store.save_job(replace(stored, state=JobState.COMPLETED, completed_at=now))
        close(loaded(world.app, ended.job_id))
    assert seen == [one.job_id for one in first]


def test_a_job_that_ends_while_the_list_is_read_is_not_missed(world: World) -> None:
    now = world.clock.now()
    one = job(now, 1)
    put(world.app, one)
    store = world.app.store

    class Closing:
        """The store, with a job that ends between the two halves of the list."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def history(self, **options: Any) -> Any:
            stored = store.job(one.job_id)
            assert stored is not None
            ended = store.save_job(replace(stored, state=JobState.COMPLETED, completed_at=now))
            store.close(ended, summary(report(ended, (), now)))
            return store.history(**options)

    page, _ = list_jobs(replace(world.app, store=Closing()), state="", prefix="", limit=50, cursor="")

    assert [status["job_id"] for status in page] == [one.job_id]


def test_a_state_and_a_prefix_narrow_the_list(world: World) -> None:
    now = world.clock.now()
    names = ["a/1.csv", "a/2.csv", "a.csv", "b/1.csv", "\uff01/x.csv", "🏗/x.csv", "it's.csv"]
    states = [JobState.COMPLETED, JobState.FAILED, JobState.PREPARING]
    jobs = {}
    for number, name in enumerate(names):
        for turn, state in enumerate(states):
            one = job(now, number * 3 + turn, name, state)
            put(world.app, replace(one, completed_at=now) if state.ended else one)
            jobs[name, state] = one.job_id

    def expected(prefix: str, *wanted: JobState) -> list[str]:
        return [job_id for (name, state), job_id in jobs.items() if name.startswith(prefix) and state in wanted]

    for prefix in ("", "a", "a/", "a/1.csv", "b", "\uff01", "🏗", "🏗/", "it'", "nothing", "A/"):
        assert listed(world.app, prefix=prefix) == expected(prefix, *states)
        for state in states:
            assert listed(world.app, prefix=prefix, state=state.value) == expected(prefix, state)
        assert listed(world.app, prefix=prefix, state="cancelled") == []


def test_an_entry_without_a_published_status_is_a_job_in_preparation(world: World) -> None:
    now = world.clock.now()
    world.app.store.open_entry(OpenJob("20261122T101500Z-3f2a9c1b", "new.csv", "1", now))

    [status], _ = list_jobs(world.app, state="preparing", prefix="", limit=50, cursor="")

    assert (status["job_id"], status["prompt_file"], status["state"]) == (
        "20261122T101500Z-3f2a9c1b",
        "new.csv",
        "preparing",
    )


def test_a_retry_without_a_published_status_names_the_first_job(world: World) -> None:
    first = "20261122T101500Z-3f2a9c1b"
    retry = OpenJob(f"{first}-r2", "new.csv", "1", world.clock.now(), retry_of=first, previous=f"{first}-r1")
    world.app.store.open_entry(retry)

    [status], _ = list_jobs(world.app, state="", prefix="", limit=50, cursor="")

    assert status["retry_of"] == first


def test_an_event_that_comes_again_leaves_the_listed_status(world: World) -> None:
    one = job(world.clock.now(), 1)
    put(world.app, one)
    before = world.app.store.listed(one.job_id)

    world.app.store.open_entry(OpenJob(one.job_id, one.prompt_file, one.source_etag, one.created_at))

    after = world.app.store.listed(one.job_id)
    assert before is not None
    assert after is not None
    assert after.status == before.status


def test_an_older_status_never_replaces_a_newer_one_in_the_list(world: World) -> None:
    one = job(world.clock.now(), 1)
    put(world.app, one)
    read = world.app.store.listed(one.job_id)
    assert read is not None
    assert read.status is not None
    world.app.store.list_as(replace(read, status={**read.status, "message": "newer"}))

    with pytest.raises(Conflict):
        world.app.store.list_as(replace(read, status={**read.status, "message": "older"}))

    after = world.app.store.listed(one.job_id)
    assert after is not None
    assert after.status is not None
    assert after.status["message"] == "newer"


def test_a_job_is_listed_as_it_goes_along(new_world: Callable[..., World]) -> None:
    world = new_world()
    name = world.drop("table.csv", "Prompt,Required\nWho?,Name\n", model="m")
    world.event(name)
    [begun], _ = list_jobs(world.app, state="", prefix="", limit=50, cursor="")
    status = world.wait(name)
    [ended], _ = list_jobs(world.app, state="", prefix="", limit=50, cursor="")

    assert begun["state"] == "running"
    assert begun["rows"] == {"total": 1, "succeeded": 0, "failed": 0, "pending": 1, "reused": 0}
    assert dict(ended) == {key: value for key, value in status.items() if key != "batches"}
    assert ended["usage"]["total_tokens"] > 0


def test_filters_without_a_value_ask_for_nothing(world: World) -> None:
    """`?state=&prefix=&cursor=`: the Functions host may hand them on empty, or leave them out."""
    empty = dict.fromkeys(("state", "prefix", "cursor"), "")
    body = api.list_response(lambda: world.app, empty).body
    assert (body["jobs"], body["cursor"]) == ([], None)


@pytest.mark.parametrize("limit", ["", "501", "x", "-1"])
def test_a_limit_that_is_no_number_is_refused(world: World, limit: str) -> None:
    assert api.list_response(lambda: world.app, {"limit": limit}).status == 400


def test_a_job_with_very_many_warnings_stays_small_in_the_list(world: World) -> None:
    one = replace(job(world.clock.now(), 1), warnings=tuple(f"warning {number}" for number in range(1000)))
    put(world.app, one)

    [status], _ = list_jobs(world.app, state="", prefix="", limit=50, cursor="")

    assert status["warnings"][-1] == "980 more warnings: see the job's status.json."
    assert len(status["warnings"]) == 21
