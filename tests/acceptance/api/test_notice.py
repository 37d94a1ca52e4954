"""Notices: signed, delivered through the queue, tried again, and never in anybody's way."""

import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from shared.adapters.web_hook import HttpWebHook
from shared.domain.errors import Misconfigured, Transient, Unavailable
from shared.domain.ports import Step
from shared.pipeline import job_control, notice
from testing.world import World
from tests.acceptance.api.receiver import Receiver, running_receiver

TABLE = "Custom ID,Prompt,Required\na,Who?,Name\nb,When?,Year: integer\n"
SECRET = "a shared secret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def told(new_world: Callable[..., World], receiver: Receiver) -> World:
    """A world whose notices go to the receiver."""
    return new_world(NOTIFY_URL=receiver.url, NOTIFY_SECRET=SECRET)


def rest(world: World, hours: float) -> None:
    """Let the hours pass, in steps of some minutes, and deliver what is due."""
    for _ in range(int(hours * 6)):
        world.clock.advance(600)
        world.deliver()


def test_the_end_of_a_job_is_told_with_its_status_and_a_signature(told: World, receiver: Receiver) -> None:
    name = told.drop("table.csv", TABLE, model="m")
    told.run(name)

    [body] = receiver.bodies
    assert body == told.result(name, "status.json")
    assert receiver.types == ["application/json"]
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert receiver.signatures == [f"sha256={expected}"]


def test_without_a_secret_nothing_is_signed(new_world: Callable[..., World], receiver: Receiver) -> None:
    world = new_world(NOTIFY_URL=receiver.url)
    world.run(world.drop("table.csv", TABLE, model="m"))
    assert receiver.signatures == [None]


def test_a_held_and_a_failed_and_a_cancelled_job_are_told(new_world: Callable[..., World], receiver: Receiver) -> None:
    world = new_world(NOTIFY_URL=receiver.url, MAX_JOB_INPUT_TOKENS="1")
    name = world.drop("table.csv", TABLE, model="m")
    world.event(name)
    world.deliver()
    assert receiver.states == ["held"]

    world.run(world.drop("empty.csv", ""))
    assert receiver.states == ["held", "failed"]

    job_control.cancel(world.app, world.status(name)["job_id"])
    world.wait(name)
    assert receiver.states == ["held", "failed", "cancelled"]


def test_a_job_that_begins_to_wait_is_told_once(told: World, receiver: Receiver) -> None:
    told.service.scenario({"calls": [{"method": "POST", "path": "*/batches", "answer": {"status": 503}, "times": 3}]})
    name = told.drop("table.csv", TABLE, model="m")
    told.event(name)
    told.deliver()
    assert receiver.states == ["waiting"]

    told.wait(name)
    assert receiver.states == ["waiting", "completed"]


def test_a_refused_notice_is_sent_again_until_it_is_accepted(told: World, receiver: Receiver) -> None:
    receiver.statuses = [500, 503, 429, 404, 400, 401, 302, 0, 204]
    told.run(told.drop("table.csv", TABLE, model="m"))
    rest(told, 4)

    assert receiver.states == ["completed"] * 9
    assert told.queues.waiting == []


def test_the_wait_after_a_refusal_is_as_long_as_the_receiver_asks(told: World, receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [503, 204], {"Retry-After": "3000"}
    told.run(told.drop("table.csv", TABLE, model="m"))
    rest(told, 0.6)
    assert len(receiver.bodies) == 1
    rest(told, 0.6)
    assert len(receiver.bodies) == 2


def test_a_notice_is_given_up_after_a_day(told: World, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.statuses = [500]
    told.run(told.drop("table.csv", TABLE, model="m"))
    rest(told, 23.5)
    assert [message.step for _, message in told.queues.waiting] == [Step.NOTIFY]
    rest(told, 1)

    assert told.queues.waiting == []
    assert [record.levelno for record in caplog.records if "given up" in record.message] == [logging.ERROR]
    assert len(receiver.bodies) > 50
    assert receiver.url not in caplog.text
    assert "hidden" not in caplog.text


def test_a_dead_receiver_holds_no_job_up_and_costs_one_try_for_all(new_world: Callable[..., World]) -> None:
    with socket.socket() as silent:  # It takes connections and never answers.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        world = new_world(NOTIFY_URL=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        posts: list[float] = []

        class Impatient:
            """The real hook, whose time-outs are counted, and cut short for the test."""

            def post(self, url: str, body: bytes, signature: str) -> None:
                posts.append(time.monotonic())
                HttpWebHook(timeout=0.1).post(url, body, signature)

        world.app = replace(world.app, hook=Impatient())
        names = [world.drop(f"table-{number}.csv", TABLE, model="m") for number in range(6)]
        for name in names:
            world.event(name)
        states = [world.wait(name)["state"] for name in names]

    assert states == ["completed"] * 6
    assert len(posts) <= 3
    assert len(world.queues.waiting) == 6


def test_a_notice_of_a_job_whose_results_were_deleted_ends(told: World, receiver: Receiver) -> None:
    receiver.statuses = [500]
    name = told.drop("table.csv", TABLE, model="m")
    told.run(name)
    container = told.blobs.get_container_client(told.app.settings.results_container)
    for blob in container.list_blobs():
        container.delete_blob(blob.name)

    rest(told, 1)

    assert told.queues.waiting == []
    assert len(receiver.bodies) <= 1


def test_a_job_nobody_knows_is_told_to_nobody(told: World, receiver: Receiver) -> None:
    notice.notify(told.app, "20200101T000000Z-00000000", 0)
    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:9/", Unavailable),
        ("file:///etc/hostname", Misconfigured),
        ("ftp://127.0.0.1/", Misconfigured),
        ("example", Misconfigured),
        ("http://", Misconfigured),
        ("http://127.0.0.1:port/", Misconfigured),
    ],
)
def test_an_address_that_cannot_be_posted_to_is_a_fault_that_may_pass(url: str, kind: type[Transient]) -> None:
    with pytest.raises(kind) as raised:
        HttpWebHook().post(url, b"{}", "")
    assert url not in str(raised.value)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with running_receiver() as elsewhere:
        receiver.statuses, receiver.headers = [307], {"Location": elsewhere.url}
        with pytest.raises(Misconfigured, match="307"):
            HttpWebHook().post(receiver.url, b"{}", "")
        assert elsewhere.bodies == []


def test_the_notice_is_json_in_utf8(told: World, receiver: Receiver) -> None:
    told.run(told.drop("Gebäude 🏗.csv", TABLE, model="m"))
    assert json.loads(receiver.bodies[0])["prompt_file"] == "Gebäude 🏗.csv"
