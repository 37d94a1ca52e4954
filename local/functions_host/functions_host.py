"""The host of one function app: all its triggers, driven step by step (tests) or by themselves (`listen`)."""

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from local.functions_host import connections, event_grid
from local.functions_host.blob_trigger import BlobTrigger
from local.functions_host.http_trigger import HttpCall, HttpResult, HttpTrigger, route_call
from local.functions_host.invocation import Invoker
from local.functions_host.queue_trigger import QueueTrigger
from local.functions_host.settings import Habits, HostOptions, SettingsError, read_host_options
from local.functions_host.timer_trigger import TimerTrigger
from local.functions_host.worker import Function, IndexingError, Worker

_log = logging.getLogger(__name__)
_OUTPUTS = ("queue", "http")
_USUAL = Habits()


class _Listener(Protocol):
    """A trigger that waits for its events by itself."""

    function: Function

    def listen(self, stop: threading.Event) -> None:
        """Return after `stop` was set and the runs under way have ended."""


class FunctionsHost:
    """Runs a Python v2 function app of this folder on this machine.

    In tests: `start_indexing()`, then one step at a time with the `run_…` methods and `http`. As a server:
    `start_indexing()`, `listen()`, `stop()`. The runtime behind it is global to the process: one host at a time.
    """

    def __init__(
        self,
        app_dir: Path,
        settings: Mapping[str, str] | None = None,
        function_key: str = "",
        *,
        system_key: str = "",
        habits: Habits = _USUAL,
    ) -> None:
        """Make the host; `settings` are the app settings, added to this process's environment until `close`.

        `function_key` opens the HTTP functions that are not anonymous, `system_key` the endpoint for Event Grid, which
        stays closed without one.
        """
        self.functions: tuple[Function, ...] = ()
        self._app_dir = app_dir.resolve()
        self._function_key, self._system_key = function_key, system_key
        self._habits = habits
        self._former = {name: os.environ.get(name) for name in settings or {}}
        os.environ.update(settings or {})
        self.worker = Worker()
        self._blobs: dict[str, BlobTrigger] = {}
        self._queues: dict[str, QueueTrigger] = {}
        self._timers: dict[str, TimerTrigger] = {}
        self._https: dict[str, HttpTrigger] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start_indexing(self) -> None:
        """Import the app and set up its triggers; raises IndexingError, which names the function at fault."""
        self.functions = self.worker.index(self._app_dir)
        if not self.functions:
            raise IndexingError(f"function_app.py in {self._app_dir} declares no function.")
        try:
            options = read_host_options(self._app_dir)
        except SettingsError as wrong:
            raise IndexingError(str(wrong)) from wrong
        invoker = Invoker(self.worker, options)
        for function in self.functions:
            try:
                self._add_trigger(function, invoker, options)
            except SettingsError as wrong:
                raise IndexingError(f"Function {function.name}: {wrong}") from wrong

    def check_connections(self) -> None:
        """Raise SettingsError where a storage connection that a function names is not among the settings."""
        for function in self.functions:
            for binding in (function.trigger, *function.others):
                try:
                    if binding.type == "blobTrigger":
                        connections.blob_service(binding.options.get("connection"))
                    elif binding.type in ("queueTrigger", "queue"):
                        connections.queue(binding.options.get("connection"), "any")
                except (SettingsError, ValueError) as wrong:
                    raise SettingsError(f"Function {function.name}: {wrong}") from wrong

    @property
    def awaits_events(self) -> bool:
        """Whether a blob trigger has the source EventGrid."""
        return not all(trigger.scans for trigger in self._blobs.values())

    def run_blob_scan(self, function: str | None = None) -> int:
        """Deliver every blob version that is new since the last scan, one after the other; return their number.

        Scans for all functions, or for one. A trigger with the EventGrid source finds nothing: see `deliver_blob`.
        """
        triggers = [self._blobs[function]] if function else [t for t in self._blobs.values() if t.scans]
        found = [(trigger, version) for trigger in triggers for version in trigger.scan()]
        for trigger, version in found:
            trigger.deliver(version)
        return len(found)

    def deliver_blob(self, function: str, blob: str) -> bool:
        """Deliver the event of a blob as it is now, delivered before or not; return whether the function succeeded.

        Raises azure.core.exceptions.ResourceNotFoundError where the blob does not exist.
        """
        return self._blobs[function].deliver_now(blob)

    def run_queue_once(self, function: str) -> int:
        """Receive one batch of visible messages and handle them one after the other; return their number."""
        trigger = self._queues[function]
        messages = trigger.receive()
        for message in messages:
            trigger.handle(message)
        return len(messages)

    def run_timer(self, function: str, past_due: bool = False) -> None:
        """Run a timer function now; raises InvocationError where it raises."""
        self._timers[function].run(past_due)

    def http(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        key: str | None = None,
    ) -> HttpResult:
        """Answer an HTTP request; `path` begins with the route prefix: /api/jobs. `key` goes along as function key.

        Beside the functions' routes there is the endpoint for Event Grid's events.
        """
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if key is not None:
            given["x-functions-key"] = key
        call = HttpCall(method.upper(), path, query, given, body)
        if (call.method, call.path) == ("POST", event_grid.PATH):
            return event_grid.answer(call, self._blobs, self._system_key)
        return route_call(self._https.values(), call)

    def listen(self) -> None:
        """Start the blob, queue and timer triggers, each in a thread of its own."""
        triggers: list[_Listener] = [*self._blobs.values(), *self._queues.values(), *self._timers.values()]
        for trigger in triggers:
            thread = threading.Thread(
                target=trigger.listen, args=(self._stop,), name=trigger.function.name, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop listening, and wait until the runs under way have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Stop, end the runtime's threads and restore the environment."""
        self.stop()
        self.worker.close()
        for name, value in self._former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add_trigger(self, function: Function, invoker: Invoker, options: HostOptions) -> None:
        for binding in function.others:
            if not binding.is_output or binding.type not in _OUTPUTS:
                raise SettingsError(
                    f"the local host does not support {binding.type} bindings (parameter {binding.name})."
                )
        match function.trigger.type:
            case "blobTrigger":
                self._blobs[function.name] = BlobTrigger(function, invoker, options, self._habits.misses_same_second)
            case "queueTrigger":
                self._queues[function.name] = QueueTrigger(function, invoker, options, self._habits.in_flight_seconds)
            case "timerTrigger":
                self._timers[function.name] = TimerTrigger(function, invoker, self._habits.timer_lease_seconds)
            case "httpTrigger":
                key = self._function_key
                self._https[function.name] = HttpTrigger(function, invoker, options.route_prefix, key)
            case other:
                raise SettingsError(f"the local host does not support {other}.")
