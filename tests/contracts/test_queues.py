"""What every implementation of Queues promises, and how the real one's messages travel."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from shared import queues, wiring
from shared.ports import Message, Queues, Step
from shared.settings import read_settings
from tests.fakes import FakeClock, MemoryQueues
from tests.world import World

MESSAGES = [
    Message(Step.PREPARE, "20261122T101500Z-3f2a9c1b"),
    Message(Step.SUBMIT, "J", 3, 2),
    Message(Step.COLLECT, "J-r1", 99999, 1),
    Message(Step.ASSEMBLE, "J"),
    Message(Step.NOTIFY, "J", attempt=4),
]


def _client(world: World, name: str, **more: Any) -> QueueClient:
    return QueueClient.from_connection_string(world.environment["BatchStorage"], name, **more)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.step.value)
def test_a_message_reaches_its_queue_as_base64_and_is_read_back(world: World, message: Message) -> None:
    real: Queues = wiring.build(world.environment).queues
    settings = read_settings(world.environment)
    mine, other = settings.submissions_queue, settings.completions_queue
    if message.step not in (Step.PREPARE, Step.SUBMIT):
        mine, other = other, mine

    real.send(message)

    raw = _client(world, mine).peek_messages()[0].content
    assert queues.from_text(base64.b64decode(raw, validate=True).decode()) == message
    decoded = _client(world, mine, message_decode_policy=TextBase64DecodePolicy()).receive_message()
    assert decoded is not None
    assert queues.from_text(decoded.content) == message
    assert not _exists(world, other)


def test_a_delayed_message_is_not_seen_before(world: World) -> None:
    wiring.build(world.environment).queues.send(MESSAGES[0], timedelta(hours=1))

    client = _client(world, read_settings(world.environment).submissions_queue)
    assert client.receive_message() is None
    assert client.get_queue_properties().approximate_message_count == 1


def test_queues_in_memory_keep_the_same_promises() -> None:
    clock = FakeClock()
    memory = MemoryQueues(clock)
    memory.send(MESSAGES[0], timedelta(hours=1))
    memory.send(MESSAGES[1])

    assert (memory.take(), memory.take()) == (MESSAGES[1], None)
    clock.advance(3600)
    assert (memory.take(), memory.take()) == (MESSAGES[0], None)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "1", "null", '{"step": "explode", "job": "J", "index": 0}', "not json"]
)
def test_a_message_that_is_none_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"this app|Expecting|valid Step"):
        queues.from_text(text)


def _exists(world: World, name: str) -> bool:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        _client(world, name).get_queue_properties()
    except ResourceNotFoundError:
        return False
    return True
