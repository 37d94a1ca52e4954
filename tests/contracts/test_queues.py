"""What every implementation of Queues promises, and how the real one's messages travel."""

import base64
import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from shared import wiring
from shared.adapters import storage_queues
from shared.domain.model import BlobEvent
from shared.domain.ports import Message, Queues, Step
from shared.settings import read_settings
from testing.fakes import FakeClock, MemoryQueues
from testing.world import World

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
    assert storage_queues.from_text(base64.b64decode(raw, validate=True).decode()) == message
    decoded = _client(world, mine, message_decode_policy=TextBase64DecodePolicy()).receive_message()
    assert decoded is not None
    assert storage_queues.from_text(decoded.content) == message
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


def test_events_that_the_host_put_aside_are_seen_and_left_to_whoever_they_belong_to(world: World) -> None:
    with _client(world, storage_queues.BLOB_POISON, message_encode_policy=TextBase64EncodePolicy()) as theirs:
        with contextlib.suppress(ResourceExistsError):
            theirs.create_queue()
        event = {
            "FunctionId": "Host.Functions.submit_prompts",
            "BlobType": "BlockBlob",
            "ContainerName": world.app.settings.prompts_container,
            "BlobName": "ordner/größe.csv",
            "ETag": '"0x8DD0C5A4E5F9B10"',
        }
        sent = [theirs.send_message(text) for text in (json.dumps(event), "no event", "[]")]
        real: Queues = wiring.build(world.environment).queues
        for _ in range(3):
            seen = [
                event for event in real.peek_failed_events() if event.container == world.app.settings.prompts_container
            ]
            assert seen == [BlobEvent(world.app.settings.prompts_container, "ordner/größe.csv", "0x8DD0C5A4E5F9B10")]

        received = {message.id: message for message in theirs.receive_messages(max_messages=32)}
        assert [received[message.id].dequeue_count for message in sent] == [1, 1, 1]
        for message in sent:
            theirs.delete_message(received[message.id])


def test_where_no_event_was_ever_put_aside_there_is_no_queue_and_none_is_made(world: World) -> None:
    client = _client(world, storage_queues.BLOB_POISON)
    with contextlib.suppress(ResourceNotFoundError):
        client.delete_queue()

    assert wiring.build(world.environment).queues.peek_failed_events() == []
    assert not _exists(world, storage_queues.BLOB_POISON)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "1", "null", '{"step": "explode", "job": "J", "index": 0}', "not json"]
)
def test_a_message_that_is_none_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"this app|Expecting|valid Step"):
        storage_queues.from_text(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[" * 100_000,
        b'{"step": "collect", "job": "J", "index": 1e999, "attempt": 1}',
        b'{"step": "collect", "job": "a/b\'c", "index": 0, "attempt": 1}',
        b'{"step": "collect", "job": "' + b"J" * 2000 + b'", "index": 0, "attempt": 1}',
        b'{"ContainerName": "prompts", "BlobName": "a.csv"}',
    ],
)
def test_a_poisoned_message_that_is_none_of_ours_is_recognised_whatever_it_holds(body: bytes) -> None:
    assert storage_queues.poisoned_message(body) is None


def test_a_poisoned_message_of_ours_is_read() -> None:
    for message in MESSAGES:
        assert storage_queues.poisoned_message(storage_queues.to_text(message).encode()) == message


def _exists(world: World, name: str) -> bool:
    try:
        _client(world, name).get_queue_properties()
    except ResourceNotFoundError:
        return False
    return True
