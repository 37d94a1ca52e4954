"""A service whose name cannot be resolved: the job waits, says where to look, and goes on once it can."""

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from testing.world import World
from tests.reliability.simulation import table

NOWHERE = "nowhere.openai.example"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A name server that knows the names in this dict only, besides this machine's own."""
    known: dict[str, str] = {}
    look_up = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == NOWHERE and name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(known.get(name, host), *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


def test_a_name_that_cannot_be_resolved_is_waited_for_and_nothing_is_created_twice(
    new_world: Callable[..., World], resolver: dict[str, str]
) -> None:
    real = new_world()
    url = urlsplit(real.service.url)
    world = real.another(AZURE_OPENAI_ENDPOINT=f"http://{NOWHERE}:{url.port}", AZURE_OPENAI_DEPLOYMENT="m")
    world.event(world.drop("table.csv", table("ab")))
    status = world.status("table.csv")
    assert status["state"] == "waiting"
    assert "cannot be reached" in status["message"]
    assert "AZURE_OPENAI_ENDPOINT" in status["message"]

    resolver[NOWHERE] = "127.0.0.1"
    done = world.wait("table.csv")

    assert done["rows"]["succeeded"] == 2
    assert [batch["attempt"] for batch in done["batches"]] == [1]
    assert world.service.journal().totals["billed"] == 2


def test_a_name_that_is_lost_while_a_batch_runs_costs_nothing(
    new_world: Callable[..., World], resolver: dict[str, str]
) -> None:
    real = new_world()
    url = urlsplit(real.service.url)
    resolver[NOWHERE] = "127.0.0.1"
    world = real.another(AZURE_OPENAI_ENDPOINT=f"http://{NOWHERE}:{url.port}", AZURE_OPENAI_DEPLOYMENT="m")
    world.event(world.drop("table.csv", table("ab")))
    # A new host, as the one before may still have a connection.
    later = world.another()
    del resolver[NOWHERE]
    for _ in range(3):
        later.clock.advance(300)
        later.tick()
    assert later.status("table.csv")["state"] == "waiting"

    resolver[NOWHERE] = "127.0.0.1"

    assert later.wait("table.csv")["rows"]["succeeded"] == 2
    assert world.service.journal().totals["billed"] == 2
