"""The app over two emulated services, one of them the OpenAI platform: batches overflow, and rows come back whole."""

import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from local.batch_service.server import RunningService
from shared.adapters import openai_batches
from shared.pipeline.poll import side_by_side
from shared.pipeline.target_table import target_table
from shared.web import api
from testing.fixtures import PLATFORM
from testing.fixtures import PLATFORM_KEY as KEY
from testing.world import World
from tests.acceptance.reading import balances

SCHEMA = {"type": "object", "properties": {"A": {"type": "string"}}}
TABLE = "Prompt\nOne?\nTwo?\nThree?\nFour?\n"


class _Both:
    """The clock of two services, moved together."""

    def __init__(self, world: World, platform: RunningService) -> None:
        self._own, self._platform = world.clock.advance, platform

    def advance(self, seconds: float) -> None:
        self._own(seconds)
        self._platform.advance(seconds)


@pytest.fixture
def world(new_world: Callable[..., World], platform: RunningService) -> World:
    target = {"endpoint": f"{platform.url}/v1", "platform": "openai", "deployment": "gpt-5.4-mini", "key": "PLATFORM"}
    names = json.dumps({"mini": ["mini-batch", target]})
    world = new_world(AZURE_OPENAI_DEPLOYMENT="mini", DEPLOYMENTS=names, PLATFORM=KEY)
    world.clock.advance = _Both(world, platform).advance  # type: ignore[method-assign]
    return world


def test_what_the_own_resource_has_no_quota_for_runs_on_the_openai_platform(
    world: World, platform: RunningService
) -> None:
    world.service.quota("mini-batch", 1)
    name = world.drop("over.csv", TABLE, schema=SCHEMA)
    status = world.run(name)

    assert (status["state"], status["rows"]["succeeded"]) == ("completed", 4)
    (batch,) = status["batches"]
    assert batch["target"] == f"{urlsplit(platform.url).netloc}/gpt-5.4-mini"
    assert batch["model"] == "mini"
    assert balances(world, name)
    created = [call for call in platform.journal().calls if call["method"] == "POST" and "/batches" in call["path"]]
    assert [call["status"] for call in created] == [200]
    assert world.service.journal().billed == []
    assert len(platform.journal().billed) == 4


def test_the_own_resource_is_first_where_it_has_room(world: World, platform: RunningService) -> None:
    status = world.run(world.drop("first.csv", TABLE, schema=SCHEMA))

    (batch,) = status["batches"]
    assert batch["target"] == f"{urlsplit(world.app.settings.endpoint).netloc}/mini-batch"
    assert platform.journal().billed == []


def test_the_platforms_quota_is_understood_and_its_batch_split(world: World, platform: RunningService) -> None:
    world.service.quota("mini-batch", 150)
    platform.quota("gpt-5.4-mini", 150)
    name = world.drop("split.csv", "Prompt\n" + "Rate this?\n" * 8, schema=SCHEMA)
    status = world.run(name)

    assert (status["state"], status["rows"]["succeeded"]) == ("completed", 8)
    assert any("Split into two" in (batch["message"] or "") for batch in status["batches"])
    assert balances(world, name)


def test_a_silent_platform_keeps_neither_one_who_cancels_nor_another_job_waiting(
    monkeypatch: pytest.MonkeyPatch, platform: RunningService, world: World
) -> None:
    monkeypatch.setattr(openai_batches, "BRIEF_TIMEOUT", 0.5)
    monkeypatch.setattr(side_by_side, "SILENCE", 1.0)
    form = {**PLATFORM, "batches": [{"running": 80_000}]}
    platform.scenario(form)
    world.service.quota("mini-batch", 1)
    there = world.drop("there.csv", TABLE, schema=SCHEMA)
    world.event(there)
    while not (world.status(there)["batches"][0]["target"] or "").endswith("gpt-5.4-mini"):
        world.clock.advance(30)
        world.tick()
    assert world.status(there)["batches"][0]["state"] == "submitted"
    world.service.scenario({})
    world.clock.advance(900)  # The own resource may be tried again.
    platform.scenario({**form, "calls": [{"delay": 20}]})

    began = time.monotonic()
    cancelled = api.cancel_response(lambda: world.app, world.status(there)["job_id"])
    own = world.drop("own/own.csv", TABLE, schema=SCHEMA)
    status = world.run(own, hours=1)
    seconds = time.monotonic() - began

    assert cancelled.status == 202
    assert (status["state"], status["rows"]["succeeded"]) == ("completed", 4)
    assert seconds < 20, "something waited for an answer"
    platform.scenario(form)
    assert world.wait(there)["state"] == "cancelled"
    assert balances(world, there)


CREATE = {"method": "POST", "path": "/batches"}

REFUSALS = [
    (400, "billing_hard_limit_reached", "Billing hard limit has been reached", "add credit, or raise its limit"),
    (429, "insufficient_quota", "You exceeded your current quota, please check your plan.", "add credit"),
    (404, "model_not_found", "The model does not exist or you do not have access to it.", "the endpoint {host}"),
    (400, "model_not_found", "The model does not exist or you do not have access to it.", "correct the model's name"),
    (401, "invalid_api_key", f"Incorrect API key provided: {KEY}.", "correct PLATFORM, the setting with the key"),
    (403, "unsupported_country_region_territory", "Country, region, or territory not supported", "correct PLATFORM"),
    (429, "rate_limit_exceeded", "Too many requests.", "is throttling"),
]
"""What the OpenAI platform answers to a creation, by its published error codes, and what the user is told to do."""


@pytest.mark.parametrize(("status", "code", "message", "said"), REFUSALS, ids=lambda value: str(value)[:30])
def test_what_the_platform_refuses_at_creation_waits_with_a_remedy_or_goes_to_another_target(
    platform: RunningService,
    new_world: Callable[..., World],
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str,
    message: str,
    said: str,
) -> None:
    target = {"endpoint": f"{platform.url}/v1", "platform": "openai", "deployment": "gpt-5.4-mini", "key": "PLATFORM"}
    names = json.dumps({"alone": [target], "both": [target, "mini-batch"]})
    world = new_world(DEPLOYMENTS=names, PLATFORM=KEY)
    world.clock.advance = _Both(world, platform).advance  # type: ignore[method-assign]
    refusal = {**CREATE, "answer": {"status": status, "code": code, "message": message}}
    platform.scenario({**PLATFORM, "calls": [refusal]})
    for name in ("alone", "both"):
        world.event(world.drop(f"{name}/x.csv", TABLE, schema=SCHEMA, model=name))
    for _ in range(4):
        world.tick()
        world.clock.advance(60)

    host = urlsplit(platform.url).netloc
    waiting, (both,) = world.status("alone/x.csv"), world.status("both/x.csv")["batches"]
    assert waiting["state"] == "waiting", waiting
    assert waiting["message"].startswith(f"{host}/gpt-5.4-mini: ")
    assert said.format(host=host) in waiting["message"]
    assert KEY not in json.dumps(waiting)
    assert KEY not in caplog.text
    assert "AZURE_OPENAI" not in waiting["message"]
    assert both["target"] == f"{urlsplit(world.app.settings.endpoint).netloc}/mini-batch"
    states = {state["target"]: state for state in target_table(world.app, world.app.store.all_listed())}
    assert states[f"{host}/gpt-5.4-mini"]["last_refusal"]["message"] in waiting["message"]

    platform.scenario(PLATFORM)
    assert world.wait("alone/x.csv")["rows"]["succeeded"] == 4
    assert len(platform.journal().billed) == 4


def test_a_batch_that_expires_on_the_platform_is_followed_up(world: World, platform: RunningService) -> None:
    world.service.quota("mini-batch", 1)
    platform.scenario({**PLATFORM, "batches": [{"running": 172_800, "times": 1}, {}]})
    name = world.drop("expired.csv", TABLE, schema=SCHEMA)
    status = world.run(name, hours=60)

    assert (status["state"], status["rows"]["succeeded"]) == ("completed", 4)
    assert [batch["attempt"] for batch in status["batches"]] == [1, 2]
    assert balances(world, name)
