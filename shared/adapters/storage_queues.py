"""Adapter: the two queues in Azure Queue Storage, behind shared.domain.ports.Queues; and the form of their messages."""

import base64
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared.adapters.storage_errors import translated, with_parent
from shared.domain.errors import NotFound
from shared.domain.model import BlobEvent
from shared.domain.ports import Message, Step

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient  # Loaded only for sending; reading a message does not need it.

BLOB_POISON: Final = "webjobs-blobtrigger-poison"
"""Where the host puts a blob's event after its function failed five times; all apps of the account share it."""

_LOOK: Final = 32
"""Messages that one look may show, as many as the service allows."""


class StorageQueues:
    """Sends steps to their queue; the clients of these must encode as base64, as queue triggers expect."""

    def __init__(self, submissions: "QueueClient", completions: "QueueClient", blob_poison: "QueueClient") -> None:
        self._submissions = submissions
        self._completions = completions
        self._blob_poison = blob_poison

    def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        queue = self._submissions if message.step in (Step.PREPARE, Step.SUBMIT) else self._completions
        with translated(f"queue {queue.queue_name}"):
            with_parent(
                lambda: queue.send_message(to_text(message), visibility_timeout=int(delay.total_seconds())),
                queue.create_queue,
            )

    def peek_failed_events(self) -> list[BlobEvent]:
        # Not received, which would hide other apps' messages from them for a while, and count as a try.
        try:
            with translated(f"queue {BLOB_POISON}"):
                found = self._blob_poison.peek_messages(_LOOK)
        except NotFound:
            return []
        return [event for message in found if (event := event_from_text(message.content)) is not None]


def to_text(message: Message) -> str:
    """Write a message as it travels."""
    return json.dumps({"step": message.step, "job": message.job_id, "index": message.index, "attempt": message.attempt})


def from_text(text: str) -> Message:
    """Read a message; raises ValueError where this app did not write it."""
    try:
        found = json.loads(text)
        message = Message(Step(found["step"]), str(found["job"]), int(found["index"]), int(found["attempt"]))
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError("this queue message was not written by this app") from error
    # The job's id becomes a key of the table, which takes no more than this.
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", message.job_id):
        raise ValueError("this queue message was not written by this app")
    return message


def poisoned_message(body: bytes) -> Message | None:
    """Read a message from a poison queue; None where this app did not write it."""
    try:
        return from_text(body.decode())
    except ValueError:
        return None


def event_from_text(text: str) -> BlobEvent | None:
    """Read a blob's event as the host's storage extension writes it, base64 or not; None where it is something else."""
    try:
        found = json.loads(text if text.startswith("{") else base64.b64decode(text, validate=True))
        return BlobEvent(str(found["ContainerName"]), str(found["BlobName"]), str(found["ETag"]).strip('"'))
    except (KeyError, TypeError, ValueError):
        return None
