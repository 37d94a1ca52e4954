"""Queue triggers: receives messages, hides them while the function runs, deletes, returns or poisons them.

Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
"""

import json
import logging
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Event

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage

from local.functions_host import connections
from local.functions_host.invocation import Invoker
from local.functions_host.listening import poll_until
from local.functions_host.messages import TypedData
from local.functions_host.settings import HostOptions, resolve_names
from local.functions_host.storage_queue import TIMEOUT_SECONDS, read_text, send_raw
from local.functions_host.worker import Function, InvocationError

_log = logging.getLogger(__name__)
_POISON = "-poison"
_SHORTEST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 1.0  # of a queue on this machine; the real host waits up to its maxPollingInterval


class QueueTrigger:
    """The trigger of one function."""

    def __init__(self, function: Function, invoker: Invoker, options: HostOptions, hidden_seconds: float) -> None:
        """Make the trigger; `hidden_seconds` is how long a message is hidden at a time while its function runs.

        It stays hidden for that time after a kill too, and after a failure in a poison queue.
        """
        self.function = function
        self._invoker = invoker
        self._options = options
        self._hidden_seconds = hidden_seconds
        self._queue_name = resolve_names(function.trigger.options["queueName"])
        self._connection = function.trigger.options.get("connection")

    def receive(self) -> list[QueueMessage]:
        """Take up to a batch of messages from the queue; none where it does not exist."""
        client = connections.queue(self._connection, self._queue_name)
        try:
            return list(
                client.receive_messages(
                    messages_per_page=min(32, self._options.queue_batch_size),
                    max_messages=self._options.queue_batch_size,
                    visibility_timeout=int(self._hidden_seconds),
                    timeout=TIMEOUT_SECONDS,
                )
            )
        except ResourceNotFoundError:
            return []

    def handle(self, message: QueueMessage) -> bool:
        """Run the function for a received message and settle it; return whether the function succeeded."""
        try:
            text = read_text(message.content, base64=self._options.queue_base64)
        except ValueError:
            self._give_up(message, "it is not base64, as host.json's messageEncoding says")
            return False
        if (message.dequeue_count or 0) > self._options.queue_attempts and not self._is_poison_queue:
            self._give_up(message, "the process died in its last attempt")
            return False
        with _Renewal(self, message):
            succeeded = self._run(message, text)
        if succeeded:
            self._delete(message)
        else:
            self._settle_failure(message)
        return succeeded

    def _settle_failure(self, message: QueueMessage) -> None:
        if (message.dequeue_count or 0) >= self._options.queue_attempts or self._is_poison_queue:
            self._give_up(message, f"it failed {message.dequeue_count} times")
        else:
            self._hide(message, self._options.queue_visibility_seconds)

    def listen(self, stop: Event) -> None:
        """Receive and handle messages until `stop` is set, then wait for those that are being handled."""
        capacity = self._options.queue_batch_size + self._options.queue_new_batch_threshold
        pool = ThreadPoolExecutor(capacity, thread_name_prefix=self.function.name)
        running: set[Future[None]] = set()
        pause = _SHORTEST_POLL_SECONDS

        def step() -> float:
            nonlocal running, pause
            if len(running) > self._options.queue_new_batch_threshold:
                running = wait(running, _SHORTEST_POLL_SECONDS, FIRST_COMPLETED).not_done
                return 0
            messages = self.receive()
            running |= {pool.submit(self._handle_or_leave, message) for message in messages}
            pause = _SHORTEST_POLL_SECONDS if messages else min(2 * pause, _LONGEST_POLL_SECONDS)
            running = {future for future in running if not future.done()}
            return pause

        poll_until(stop, f"The queue trigger of {self.function.name}", step)
        pool.shutdown()

    def hide_again(self, message: QueueMessage) -> None:
        """Renew the hiding of a message whose function still runs."""
        self._hide(message, self._hidden_seconds)

    @property
    def _is_poison_queue(self) -> bool:
        return self._queue_name.endswith(_POISON)

    @property
    def renewal_seconds(self) -> float:
        """How often the hiding of a message is renewed."""
        return self._hidden_seconds / 2

    def _handle_or_leave(self, message: QueueMessage) -> None:
        try:
            self.handle(message)
        except Exception:  # noqa: BLE001 - in a pool's thread it would go unseen
            _log.exception("Message %s of %s was left to come again", message.id, self._queue_name)

    def _run(self, message: QueueMessage, text: str) -> bool:
        try:
            reason = f"message {message.id} of {self._queue_name}, attempt {message.dequeue_count}"
            self._invoker.run(self.function, reason, TypedData(string=text), _metadata(message, text))
        except InvocationError:
            return False
        return True

    def _hide(self, message: QueueMessage, seconds: float) -> None:
        client = connections.queue(self._connection, self._queue_name)
        updated = client.update_message(message, visibility_timeout=int(seconds), timeout=TIMEOUT_SECONDS)
        message.pop_receipt = updated.pop_receipt

    def _delete(self, message: QueueMessage) -> None:
        client = connections.queue(self._connection, self._queue_name)
        try:
            client.delete_message(message, timeout=TIMEOUT_SECONDS)
        except ResourceNotFoundError:
            _log.warning("Message %s of %s was taken by another host meanwhile", message.id, self._queue_name)

    def _give_up(self, message: QueueMessage, why: str) -> None:
        """Move a message to the poison queue. A poison queue has none of its own: there it stays hidden for a while."""
        if self._is_poison_queue:
            _log.error("Message %s of %s comes again later: %s", message.id, self._queue_name, why)
            return
        poison_queue = f"{self._queue_name}{_POISON}"
        _log.error("Message %s of %s goes to %s: %s", message.id, self._queue_name, poison_queue, why)
        send_raw(connections.queue(self._connection, poison_queue), message.content)
        self._delete(message)


class _Renewal:
    """The hiding of a message, renewed for the length of a with-block."""

    def __init__(self, trigger: QueueTrigger, message: QueueMessage) -> None:
        self._trigger = trigger
        self._message = message
        self._done = Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(self._trigger.renewal_seconds):
            try:
                self._trigger.hide_again(self._message)
            except AzureError as failure:
                _log.warning("Message %s could not be kept hidden: %s", self._message.id, failure)


def _metadata(message: QueueMessage, text: str) -> dict[str, TypedData]:
    return {
        "QueueTrigger": TypedData(string=text),
        "Id": TypedData(string=message.id),
        "PopReceipt": TypedData(string=message.pop_receipt),
        "DequeueCount": TypedData(json=json.dumps(message.dequeue_count)),
        "InsertionTime": TypedData(json=json.dumps(_utc(message.inserted_on))),
        "ExpirationTime": TypedData(json=json.dumps(_utc(message.expires_on))),
        "NextVisibleTime": TypedData(json=json.dumps(_utc(message.next_visible_on))),
    }


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
