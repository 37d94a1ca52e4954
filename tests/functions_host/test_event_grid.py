"""The endpoint for Event Grid: its greeting, its events, and what it would not send."""

import json
from typing import Any

import pytest

from local.functions_host import FunctionsHost, HttpResult
from tests.functions_host.conftest import SAMPLE_APP, Storage

Runs = list[tuple[str, Any]]
KEY = "code=system%20secret"
FUNCTION = f"functionName=Host.Functions.read_on_event&{KEY}"


def event(blob: str, container: str = "events", kind: str = "Microsoft.Storage.BlobCreated") -> dict[str, Any]:
    """An event, with the fields that are read."""
    subject = f"/blobServices/default/containers/{container}/blobs/{blob}"
    return {"subject": subject, "eventType": kind, "data": {"api": "PutBlob"}}


def post(host: FunctionsHost, *events: Any, kind: str = "Notification", query: str = FUNCTION) -> HttpResult:
    """Posts events as Event Grid does."""
    headers = {"aeg-event-type": kind}
    body = json.dumps(list(events)).encode()
    return host.http("POST", "/runtime/webhooks/blobs", query=query, headers=headers, body=body)


def test_a_posted_event_runs_the_function_once_for_each_time_it_is_posted(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("events", "a b/ä.csv", b"x")
    assert [post(host, event("a b/ä.csv")).status for _ in range(2)] == [202, 202]
    assert runs == [("read_on_event", "a b/ä.csv")] * 2


def test_one_post_may_carry_several_events(host: FunctionsHost, account: Storage, runs: Runs) -> None:
    account.upload("events", "a.csv", b"x")
    account.upload("events", "b.csv", b"x")
    assert post(host, event("a.csv"), event("b.csv")).status == 202
    assert runs == [("read_on_event", "a.csv"), ("read_on_event", "b.csv")]


@pytest.mark.parametrize(
    "other",
    [
        event("gone.csv"),
        event("gone.csv", kind="Microsoft.Storage.BlobDeleted"),
        {"subject": "/other", "eventType": "Microsoft.Storage.BlobCreated", "data": {}},
    ],
)
def test_an_event_that_is_not_about_a_blob_that_is_there_is_taken_and_does_nothing(
    host: FunctionsHost, account: Storage, runs: Runs, other: dict[str, Any]
) -> None:
    account.upload("events", "a.csv", b"x")
    assert post(host, other).status == 202
    assert runs == []


def test_events_of_other_containers_and_of_deletions_are_delivered(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("events", "a.csv", b"x")
    account.upload("elsewhere", "b.csv", b"x")
    assert post(host, event("a.csv", kind="Microsoft.Storage.BlobDeleted")).status == 202
    assert post(host, event("b.csv", container="elsewhere")).status == 202
    assert runs == [("read_on_event", "a.csv"), ("read_on_event", "b.csv")]


@pytest.mark.parametrize("query", ["", "code=wrong", "code=secret", "code="])
def test_without_the_system_key_no_event_is_taken(
    host: FunctionsHost, account: Storage, runs: Runs, query: str
) -> None:
    account.upload("events", "a.csv", b"x")
    answer = post(host, event("a.csv"), query=f"functionName=Host.Functions.read_on_event&{query}")
    assert (answer.status, answer.body) == (401, b"")
    assert runs == []


def test_a_host_without_a_system_key_takes_no_events(storage: str) -> None:
    settings = {"Storage": storage, "INBOX": "inbox", "SCHEDULE": "*/2 * * * * *"}
    with FunctionsHost(SAMPLE_APP, settings) as host:
        host.start_indexing()
        assert post(host, event("a.csv"), query="functionName=Host.Functions.read_on_event&code=").status == 401


def test_a_new_subscription_is_greeted_with_its_own_code(host: FunctionsHost) -> None:
    answer = post(host, {"data": {"validationCode": "512d38b6"}}, kind="SubscriptionValidation")
    assert (answer.status, answer.json()) == (200, {"validationResponse": "512d38b6"})


@pytest.mark.parametrize("query", ["", "functionName=Host.Functions.other", "functionName=Host.Functions.tick"])
def test_events_for_an_unknown_function_are_accepted_and_dropped(
    host: FunctionsHost, account: Storage, runs: Runs, query: str
) -> None:
    account.upload("events", "a.csv", b"x")
    assert post(host, event("a.csv"), query=f"{query}&{KEY}").status == 202
    assert runs == []


@pytest.mark.parametrize(("kind", "body"), [("", {}), ("Other", {}), ("Notification", 1), ("Notification", {})])
def test_what_event_grid_would_not_send_is_refused(host: FunctionsHost, kind: str, body: object) -> None:
    assert post(host, body, kind=kind).status == 400
