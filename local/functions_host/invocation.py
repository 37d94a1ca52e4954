"""One run of a function as the host sees it: call, write what it put on its output queues, log how it went."""

import json
import logging
import time
from collections.abc import Mapping

from azure.core.exceptions import AzureError

from local.functions_host import connections
from local.functions_host.messages import TypedData
from local.functions_host.settings import HostOptions, resolve_names
from local.functions_host.storage_queue import send_text
from local.functions_host.worker import Binding, Function, InvocationError, Worker

_log = logging.getLogger(__name__)


class Invoker:
    """Runs functions; thread-safe."""

    def __init__(self, worker: Worker, options: HostOptions) -> None:
        self._worker = worker
        self._options = options

    def run(
        self, function: Function, reason: str, data: TypedData, metadata: Mapping[str, TypedData] | None = None
    ) -> TypedData | None:
        """Run a function and return what it returned to its trigger.

        `reason` says in the log what triggered it. Raises InvocationError, after logging it, where the function raised
        or its output could not be written.
        """
        started = time.monotonic()
        try:
            outcome = self._worker.invoke(function, data, metadata)
            for binding in function.others:
                value = outcome.returned if binding.name == "$return" else outcome.outputs.get(binding.name)
                if binding.type == "queue" and value is not None:
                    self._write(binding, value)
        except InvocationError as failure:
            _log.error("%s failed (%s): %s\n%s", function.name, reason, failure, failure.stack_trace)
            raise
        # The app's own lines tell what has happened; one for each run would bury them under polls without news.
        _log.debug("%s ran (%s) in %.2f s", function.name, reason, time.monotonic() - started)
        return outcome.returned

    def _write(self, binding: Binding, value: TypedData) -> None:
        name = resolve_names(binding.options["queueName"])
        client = connections.queue(binding.options.get("connection"), name)
        try:
            for text in _message_texts(value):
                send_text(client, text, base64=self._options.queue_base64)
        except AzureError as failure:
            raise InvocationError(
                f"Output binding {binding.name} could not write to queue {name}: {failure}", ""
            ) from failure


def _message_texts(value: TypedData) -> list[str]:
    """Return a string as one message, a JSON array as one for each element: strings unchanged, all else as JSON."""
    match value.WhichOneof("data"):
        case "json":
            content = json.loads(value.json)
            items = content if isinstance(content, list) else [content]
            return [item if isinstance(item, str) else json.dumps(item) for item in items]
        case "bytes":
            return [value.bytes.decode("utf-8")]
        case _:
            return [value.string]
