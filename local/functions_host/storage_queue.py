"""Storage queue messages: their text on the wire, sending them, and the poison queue."""

import base64 as base64_codec
import binascii

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient

TIMEOUT_SECONDS = 60


def send_text(client: QueueClient, text: str, *, base64: bool) -> None:
    """Send a message, in base64 if so configured, and make the queue where it is missing."""
    content = base64_codec.b64encode(text.encode("utf-8")).decode("ascii") if base64 else text
    send_raw(client, content)


def send_raw(client: QueueClient, content: str) -> None:
    """Send a message that is coded already, and make the queue where it is missing."""
    try:
        client.send_message(content, time_to_live=-1, timeout=TIMEOUT_SECONDS)
    except ResourceNotFoundError:
        try:
            client.create_queue(timeout=TIMEOUT_SECONDS)
        except ResourceExistsError:
            pass  # another process made it in between
        client.send_message(content, time_to_live=-1, timeout=TIMEOUT_SECONDS)


def read_text(content: str, *, base64: bool) -> str:
    """Return a received message's text; raises ValueError where it is not coded as configured."""
    if not base64:
        return content
    try:
        return base64_codec.b64decode(content, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise ValueError("the message is not base64 of UTF-8 text") from wrong
