"""A job's result files by the API: which there are, short-lived links to them, and who gets none."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from shared.domain.model import JobState
from shared.domain.ports import Container
from shared.web import result_routes
from shared.web.response import Response
from testing.world import World

TABLE = "Custom ID,Prompt,Model,Required\na,Who built it?,m,Name\nb,When?,m,Year: integer\n"
UNKNOWN = "20200101T000000Z-00000000"


def files(world: World, job_id: str) -> Response:
    return result_routes.files_response(lambda: world.app, job_id)


def file(world: World, job_id: str, name: str, **query: str) -> Response:
    return result_routes.file_response(lambda: world.app, job_id, name, query)


def ended_job(world: World, name: str = "table.csv", **settings: Any) -> str:
    status = world.run(world.drop(name, TABLE, **settings))
    assert status["state"] == JobState.COMPLETED
    return str(status["job_id"])


def test_a_jobs_files_are_listed_with_their_sizes(world: World) -> None:
    job_id = ended_job(world, formats=["csv", "xlsx"])

    listed = files(world, job_id).body["files"]

    assert [found["name"] for found in listed] == [
        "results.csv",
        "results.xlsx",
        "results.jsonl",
        "errors.jsonl",
        "status.json",
    ]
    for found in listed:
        assert found["bytes"] == len(world.result("table.csv", found["name"]))


def test_a_job_that_has_just_begun_has_its_status_alone(world: World) -> None:
    job = world.event(world.drop("table.csv", TABLE))
    assert job is not None
    assert [found["name"] for found in files(world, job.job_id).body["files"]] == ["status.json"]
    assert file(world, job.job_id, "results.csv").status == 404


def test_a_file_is_had_by_a_link_that_needs_no_key(world: World) -> None:
    job_id = ended_job(world, "a folder/Übersetzung #1.csv")

    for name in ("results.csv", "results.jsonl", "errors.jsonl", "status.json"):
        answer = file(world, job_id, name)
        assert answer.status == 302
        found = httpx2.get(answer.headers["Location"])
        assert found.status_code == 200
        assert found.content == world.result("a folder/Übersetzung #1.csv", name)
        assert found.headers["content-disposition"] == (f"attachment; filename*=UTF-8''%C3%9Cbersetzung%20%231-{name}")


def test_the_link_permits_reading_this_one_file_for_five_minutes(world: World) -> None:
    job_id = ended_job(world)
    before = world.clock.now()

    link = file(world, job_id, "results.csv").headers["Location"]

    query = parse_qs(urlsplit(link).query)
    expiry = datetime.strptime(query["se"][0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(expiry - before - timedelta(minutes=5)) < timedelta(seconds=30)
    assert (query["sp"], query["sr"]) == (["r"], ["b"])
    assert httpx2.put(link, content=b"x", headers={"x-ms-blob-type": "BlockBlob"}).status_code == 403
    assert httpx2.get(link.replace("results.csv", "errors.jsonl")).status_code == 403


def test_a_link_whose_time_is_over_opens_nothing(world: World) -> None:
    job_id = ended_job(world)
    folder = world.folders("table.csv")[-1]
    assert job_id in folder
    link = world.app.files.link(
        Container.RESULTS, f"{folder}/results.csv", until=datetime.now(UTC) - timedelta(seconds=1), download_as="x"
    )
    assert httpx2.get(link).status_code == 403


def test_the_link_is_told_as_json_to_pages_that_cannot_see_a_redirect(world: World) -> None:
    job_id = ended_job(world)
    answer = file(world, job_id, "results.csv", redirect="false")
    assert answer.status == 200
    assert httpx2.get(answer.body["url"]).status_code == 200
    assert file(world, job_id, "results.csv", redirect="maybe").status == 400


def test_a_file_that_there_is_not_is_not_found(world: World) -> None:
    job_id = ended_job(world)
    for name in ("results.xlsx", "results", "latest.json", "../latest.json", "x/../results.csv", "", "RESULTS.CSV"):
        assert file(world, job_id, name).status == 404, name


def test_an_unknown_job_has_no_files(world: World) -> None:
    assert files(world, UNKNOWN).status == 404
    assert file(world, UNKNOWN, "results.csv").status == 404


def test_with_files_switched_off_the_key_opens_states_and_counts_only(new_world: Callable[..., World]) -> None:
    world = new_world(API_FILES="false")
    job_id = ended_job(world)
    for answer in (
        files(world, job_id),
        file(world, job_id, "results.csv"),
        result_routes.rows_response(lambda: world.app, job_id, {}),
    ):
        assert answer.status == 403
        assert "API_FILES" in answer.body["error"]["message"]
