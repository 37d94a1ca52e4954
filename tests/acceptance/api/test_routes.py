"""The HTTP API as its users meet it: through the functions host, over real storage."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import httpx2
import jsonschema_rs
import pytest

from local.screenshots.sample_jobs import OWN, QUOTA, WEST
from local.servers.still_app import StillApp
from shared.domain.model import JobState
from shared.domain.ports import Container, JobStore
from shared.web import api, result_routes
from shared.web.openapi import DESCRIPTION

# A description cannot say which ids exist, nor that Azure Functions answers 404 to a method no route has.
SCHEMATHESIS = """
[[operations]]
include-operation-id = ["getJob", "cancelJob", "releaseJob", "retryJob", "listFiles", "getFile", "listRows"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "302", "400", "404", "409"]

[checks]
unsupported_method.enabled = false
"""

ODD_IDS = [
    "nothing",
    "20261122T101500Z-3f2a9c1b-r",
    "20261122T101500Z-3F2A9C1B",
    "%2F",
    "a%2Fb",
    "%5C",
    "%23",
    "%3F",
    "%00",
    "%0A20261122T101500Z-3f2a9c1b",
    "20261122T101500Z-3f2a9c1b%0A",
    "%C2%85",
    "%F0%9F%8F%97",
    "%ED%A0%80",
    "'%20or%20'1'%20eq%20'1",
    "x" * 2000,
    "open",
]

KEYED = [("GET", f"/api/jobs{path}") for path in ("", "/x", "/x/files", "/x/files/results.csv", "/x/rows")]
KEYED += [("POST", f"/api/jobs/x/{action}") for action in ("cancel", "release", "retry")]


def validator(name: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}
    return jsonschema_rs.validator_for(schema)


def is_error(answer: httpx2.Response, status: int, code: str) -> bool:
    validator("Error").validate(answer.json())
    return answer.status_code == status and answer.json()["error"]["code"] == code


@pytest.mark.parametrize(("method", "path"), KEYED)
def test_without_the_key_nothing_is_told_or_done(anyone: httpx2.Client, method: str, path: str) -> None:
    assert anyone.request(method, path).status_code == 401
    assert anyone.request(method, path, headers={"x-functions-key": "wrong"}).status_code == 401
    assert anyone.request(method, path, params={"code": "wrong"}).status_code == 401


def test_page_and_description_need_no_key(anyone: httpx2.Client) -> None:
    assert anyone.get("/api/dashboard").headers["content-type"] == "text/html; charset=utf-8"
    description = anyone.get("/api/openapi.json")
    assert description.headers["content-type"] == "application/json"
    assert description.json() == DESCRIPTION


def test_the_list_shows_every_job_newest_first_without_its_batches(client: httpx2.Client) -> None:
    listed = client.get("/api/jobs").json()

    validator("JobList").validate(listed)
    times = [job["created_at"] for job in listed["jobs"]]
    assert times == sorted(times, reverse=True)
    assert {job["state"] for job in listed["jobs"]} == set(JobState)
    assert listed["cursor"] is None


def test_the_list_tells_of_the_targets_with_what_is_open_and_the_last_refusal(client: httpx2.Client) -> None:
    west, own = client.get("/api/jobs").json()["targets"]

    assert west == {"target": WEST, "open_batches": 1, "waiting_until": None, "last_refusal": None}
    assert (own["target"], own["open_batches"]) == (OWN, 1)
    assert own["last_refusal"]["message"] == QUOTA
    assert own["last_refusal"]["at"] < own["waiting_until"]


def test_a_listed_job_is_its_status_without_batches(client: httpx2.Client) -> None:
    for job in client.get("/api/jobs").json()["jobs"]:
        status = client.get(f"/api/jobs/{job['job_id']}").json()
        validator("Job").validate(status)
        assert {**job, "updated_at": None} == {
            name: None if name == "updated_at" else value for name, value in status.items() if name != "batches"
        }


def test_a_job_is_its_status_json(client: httpx2.Client, still_app: StillApp) -> None:
    for job in client.get("/api/jobs").json()["jobs"]:
        name = f"{job['prompt_file']}/{job['job_id']}/status.json"
        file = json.loads(b"".join(still_app.app.files.read(Container.RESULTS, name)))
        status = client.get(f"/api/jobs/{job['job_id']}").json()
        assert {**status, "updated_at": None} == {**file, "updated_at": None}


def test_a_jobs_answer_links_to_its_results_folder(client: httpx2.Client) -> None:
    [job] = client.get("/api/jobs", params={"prefix": "inbox/"}).json()["jobs"]

    link = client.get(f"/api/jobs/{job['job_id']}").headers["link"]

    assert link.startswith("<http://127.0.0.1:")
    assert link.endswith(f'/results/inbox/%C3%9Cbersetzungen.csv/{job["job_id"]}/>; rel="related"; title="results"')


@pytest.mark.parametrize("job_id", ODD_IDS)
def test_whatever_comes_as_a_job_id_is_not_found_at_worst(client: httpx2.Client, job_id: str) -> None:
    reading = [("GET", path) for path in ("", "/files", "/files/results.csv", "/rows")]
    for method, action in (*reading, ("POST", "/cancel"), ("POST", "/release"), ("POST", "/retry")):
        answer = client.request(method, f"/api/jobs/{job_id}{action}")
        # Where a slash makes it another route, the host answers, and its 404 has no body.
        if "/" in unquote(job_id, errors="surrogateescape"):
            assert (answer.status_code, answer.content) == (404, b"")
        else:
            assert is_error(answer, 404, "not_found")


@pytest.mark.parametrize("job_id", ODD_IDS)
def test_storage_is_not_even_asked_for_what_is_no_job_id(still_app: StillApp, job_id: str) -> None:
    # Azure's table storage refuses keys with / \ # ? and control characters; the emulator takes them.
    app = replace(still_app.app, store=cast(JobStore, None))
    for answer in (api.job_response, api.cancel_response, api.release_response, api.retry_response):
        assert answer(lambda: app, unquote(job_id, errors="surrogateescape")).status == 404
    for read in (result_routes.files_response, partial(result_routes.rows_response, query={})):
        assert read(lambda: app, unquote(job_id, errors="surrogateescape")).status == 404


@pytest.mark.parametrize("action", ["", "/cancel", "/release", "/retry"])
def test_an_unknown_job_is_not_found(client: httpx2.Client, action: str) -> None:
    method = "POST" if action else "GET"
    assert is_error(client.request(method, f"/api/jobs/20200101T000000Z-00000000{action}"), 404, "not_found")


@pytest.mark.parametrize("limit", ["501", "0", "-1", "ten", "1.5", "1e2", "\u0665", "9" * 30, " 5"])
def test_a_limit_that_is_none_is_refused(client: httpx2.Client, limit: str) -> None:
    assert is_error(client.get("/api/jobs", params={"limit": limit}), 400, "invalid_limit")


@pytest.mark.parametrize("limit", ["1", "500"])
def test_a_limit_within_its_bounds_is_taken(client: httpx2.Client, limit: str) -> None:
    assert len(client.get("/api/jobs", params={"limit": limit}).json()["jobs"]) == min(int(limit), 11)


@pytest.mark.parametrize("query", [{"state": "done"}, {"state": "Completed"}, {"cursor": "x"}, {"cursor": "'"}])
def test_a_state_or_cursor_that_does_not_exist_is_refused(client: httpx2.Client, query: dict[str, str]) -> None:
    assert is_error(client.get("/api/jobs", params=query), 400, f"invalid_{next(iter(query))}")


@pytest.mark.parametrize("prefix", ["\0", "\x7f", "\ufffe", "\uffff", "🏗", "'", "%", "a" * 1025, "a" * 1024, "\r\n"])
def test_any_prefix_may_be_asked_for(client: httpx2.Client, prefix: str) -> None:
    answer = client.get("/api/jobs", params={"prefix": prefix})
    assert answer.status_code == 200
    assert (answer.json()["jobs"], answer.json()["cursor"]) == ([], None)


@pytest.mark.parametrize(
    ("action", "state", "says"),
    [
        ("cancel", "completed", "ended already"),
        ("cancel", "failed", "ended already"),
        ("cancel", "cancelled", "ended already"),
        ("release", "running", "not held"),
        ("release", "completed", "not held"),
        ("retry", "running", "is still running"),
        ("retry", "held", "is still running"),
    ],
)
def test_what_the_state_does_not_allow_is_a_conflict(client: httpx2.Client, action: str, state: str, says: str) -> None:
    job = client.get("/api/jobs", params={"state": state}).json()["jobs"][0]

    answer = client.post(f"/api/jobs/{job['job_id']}/{action}")

    assert is_error(answer, 409, "not_now")
    assert says in answer.json()["error"]["message"]


def test_a_job_without_failed_rows_is_not_retried(client: httpx2.Client) -> None:
    [job] = client.get("/api/jobs", params={"prefix": "buildings.csv"}).json()["jobs"]
    assert is_error(client.post(f"/api/jobs/{job['job_id']}/retry"), 409, "not_now")


def test_every_answer_is_as_the_description_says(own_app: StillApp, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SCHEMATHESIS)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{own_app.url}/api/openapi.json"),
        *("--url", f"{own_app.url}/api", "--header", f"x-functions-key: {own_app.key}"),
        *("--max-examples", "4", "--generation-deterministic", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout
    assert "Tested: 9" in done.stdout


def test_the_description_is_valid_openapi() -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*(references(item) for item in value.values()))
        return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()

    for reference in references(DESCRIPTION):
        found: Any = DESCRIPTION
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found
    for name in DESCRIPTION["components"]["schemas"]:
        validator(name)
