"""One host of the soak: the app's triggers through Microsoft's runtime library, and the events that it is told of.

Run as `python -m benchmarks.soak.one_host ENVIRONMENT_FILE`, until it is killed. Event Grid does not exist locally: a
message with a prompt file's name stands for its event.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from azure.core.exceptions import AzureError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from benchmarks.measure import ROOT
from local.functions_host import FunctionsHost
from shared.adapters.storage_errors import TIMEOUTS

EVENTS: Final = "soak-events"
VISIBILITY: Final = 30
"""Seconds after which the event of a killed host is seen again."""


def events_queue(environment: Mapping[str, str]) -> QueueClient:
    """Return the queue of events."""
    return QueueClient.from_connection_string(
        environment["BatchStorage"],
        EVENTS,
        message_encode_policy=TextBase64EncodePolicy(),
        message_decode_policy=TextBase64DecodePolicy(),
        **TIMEOUTS,
    )


def main() -> None:
    """Serve until killed."""
    environment = json.loads(Path(sys.argv[1]).read_text())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    host = FunctionsHost(ROOT, environment, "soak")
    host.start_indexing()
    host.listen()
    print("ready", flush=True)
    events = events_queue(environment)
    while True:
        try:
            if not _deliver_one(host, events):
                time.sleep(0.2)
        except AzureError as error:
            logging.getLogger("soak").warning("event left to come again: %s", type(error).__name__)


def _deliver_one(host: FunctionsHost, events: QueueClient) -> bool:
    message = events.receive_message(visibility_timeout=VISIBILITY)
    if message is None:
        return False
    host.deliver_blob("submit_prompts", message.content)
    events.delete_message(message)
    return True


if __name__ == "__main__":
    main()
