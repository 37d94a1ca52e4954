"""Each port in memory, and its real adapter over Azurite or the emulated service, which may be the OpenAI platform."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local.batch_service.server import RunningService
from shared.adapters.openai_batches import OpenAIBatchService, client_of
from shared.domain.batch_service import BatchService
from shared.domain.ledger import Ledger
from shared.domain.ports import Files, JobStore
from shared.settings import read_settings
from testing.fakes import FakeClock, MemoryBatchService, MemoryFiles, MemoryStore
from testing.fixtures import PLATFORM, PLATFORM_KEY
from testing.memory_ledger import MemoryLedger
from testing.world import World


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for a port against all kinds of it."""
    if "rig" in metafunc.fixturenames:
        metafunc.parametrize("kind", ["memory", "real", "platform"])
    elif {"files", "store", "ledger"} & set(metafunc.fixturenames):
        metafunc.parametrize("kind", ["memory", "real"])


@pytest.fixture
def files(kind: str, request: pytest.FixtureRequest) -> Files:
    """The containers."""
    if kind == "memory":
        return MemoryFiles(FakeClock())
    world: World = request.getfixturevalue("world")
    return world.app.files


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest) -> JobStore:
    """The jobs' table."""
    if kind == "memory":
        return MemoryStore()
    world: World = request.getfixturevalue("world")
    return world.app.store


@pytest.fixture
def ledger(kind: str, request: pytest.FixtureRequest) -> Ledger:
    """The month's money."""
    if kind == "memory":
        return MemoryLedger()
    world: World = request.getfixturevalue("world")
    return world.app.ledger


@dataclass
class Rig:
    """A batch service, the means to move its time, and the ways in which it can fail."""

    service: BatchService
    advance: Callable[[float], Any]
    lose_answer: Callable[[str], Any]
    """The next creation fails as if the connection broke `before` or `after` it took effect."""
    answer: Callable[[str, int], Any]
    """The next call (`create` or `page`) is answered with this status."""
    cut_downloads: Callable[[], Any]
    limit: Callable[[int, str], Any]
    """The deployment's enqueued tokens, refused `immediate` or `late`."""
    delay_listing: Callable[[float], Any]
    url: str = "/chat/completions"
    """The url of its requests."""


@pytest.fixture
def rig(kind: str, request: pytest.FixtureRequest) -> Rig:
    """The batch service."""
    if kind == "memory":
        return _in_memory()
    if kind == "platform":
        platform: RunningService = request.getfixturevalue("platform")
        return _emulated(_platform_adapter(platform), platform, PLATFORM, url="/v1/chat/completions")
    world: World = request.getfixturevalue("world")
    return _emulated(world.batch_service, world.service, {})


def _platform_adapter(platform: RunningService) -> BatchService:
    target = {"endpoint": f"{platform.url}/v1", "platform": "openai", "deployment": "m", "key": "PLATFORM_KEY"}
    settings = read_settings(
        {
            "BatchStorage": "UseDevelopmentStorage=true",
            "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
            "PLATFORM_KEY": PLATFORM_KEY,
            "DEPLOYMENTS": json.dumps({"m": [target]}),
        }
    )
    (found,) = settings.targets("m")
    return OpenAIBatchService(client_of(found, None), settings, found)


def _in_memory() -> Rig:
    from testing.fakes import Plan

    clock = FakeClock()
    service = MemoryBatchService(clock)

    def limit(tokens: int, mode: str) -> None:
        service.quota = (tokens, mode)

    def delay(seconds: float) -> None:
        service.plan_of = lambda metadata: Plan(listed_after=seconds)

    return Rig(
        service,
        clock.advance,
        lambda when: service.fail("create", when),
        lambda method, status: service.fail(method, str(status)),
        lambda: service.fail("read_file", "cut"),
        limit,
        delay,
    )


def _emulated(adapter: BatchService, service: RunningService, form: dict[str, Any], **more: Any) -> Rig:
    create = {"method": "POST", "path": "/batches", "times": 1}
    paths = {"create": create, "page": {"method": "GET", "path": "/batches", "times": 3}}

    def play(scenario: dict[str, Any]) -> None:
        service.scenario({**form, **scenario})

    def answer(method: str, status: int) -> None:
        wait = {"retry_after": 5} if status == 429 and method == "create" else {"retry_after_ms": 1}
        play({"calls": [{**paths[method], "answer": {"status": status, **wait}}]})

    return Rig(
        adapter,
        service.advance,
        lambda when: play({"calls": [{**create, "drop": when}]}),
        answer,
        lambda: play({"calls": [{"path": "/files/*/content", "cut": 40, "cut_as": "broken"}]}),
        lambda tokens, mode: play({"quota": {"m": {"tokens": tokens, "mode": mode}}}),
        lambda seconds: play({"batches": [{"listed_after": seconds}]}),
        **more,
    )
