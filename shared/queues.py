"""Adapter: the two queues in Azure Queue Storage, behind shared.ports.Queues; and the form of their messages."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.ports import Message, Step
from shared.storage_errors import translated, with_holder

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient  # Loaded by whoever sends; reading a message needs none of it.


class StorageQueues:
    """Sends steps to their queue; the clients must encode as base64, as queue triggers expect."""

    def __init__(self, submissions: "QueueClient", completions: "QueueClient") -> None:
        self._submissions = submissions
        self._completions = completions

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        queue = self._submissions if message.step in (Step.PREPARE, Step.SUBMIT) else self._completions
        with translated(f"queue {queue.queue_name}"):
            with_holder(
                lambda: queue.send_message(to_text(message), visibility_timeout=int(delay.total_seconds())),
                queue.create_queue,
            )


def to_text(message: Message) -> str:
    """Write a message as it travels."""
    return json.dumps({"step": message.step, "job": message.job_id, "index": message.index, "attempt": message.attempt})


def from_text(text: str) -> Message:
    """Read a message; raises ValueError where it is none of ours."""
    try:
        found = json.loads(text)
        return Message(Step(found["step"]), str(found["job"]), int(found["index"]), int(found["attempt"]))
    except (KeyError, TypeError) as error:
        raise ValueError("this queue message was not written by this app") from error
