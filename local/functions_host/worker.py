"""Index and call the functions of an app through Microsoft's own runtime library, as Azure does.

The runtime keeps its state in module globals: one app per process, or one after the other.
"""

import asyncio
import importlib
import json
import logging
import re
import sys
import threading
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure_functions_runtime as runtime

from local.functions_host.messages import Message, ParameterBinding, StatusResult, TypedData, request

_SCRIPT = "function_app"
_BINDING_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return")
"""What hosts up to 4.1037 take as a binding's name: without an underscore."""


class IndexingError(Exception):
    """The app's functions could not be found; the message says why."""


class InvocationError(Exception):
    """A function raised; the message is the exception's, `stack_trace` its traceback as text."""

    def __init__(self, message: str, stack_trace: str) -> None:
        super().__init__(message)
        self.stack_trace = stack_trace


@dataclass(frozen=True)
class Binding:
    """One binding of a function: its parameter, its type, and the decorator's arguments."""

    name: str
    type: str
    is_output: bool
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """One indexed function."""

    id: str
    name: str
    trigger: Binding
    others: tuple[Binding, ...]


@dataclass(frozen=True)
class Outcome:
    """What a function returned and what it set on its output bindings, by parameter name."""

    returned: TypedData | None
    outputs: Mapping[str, TypedData]


class Worker:
    """The runtime, with an event loop in a thread of its own: its methods may be called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="functions-runtime", daemon=True)
        self._thread.start()
        self._running: dict[str, str] = {}
        runtime.start_threadpool_executor()

    def index(self, app_dir: Path) -> tuple[Function, ...]:
        """Import function_app.py of the folder and return its functions; raises IndexingError."""
        if not (app_dir / f"{_SCRIPT}.py").is_file():
            raise IndexingError(f"There is no {_SCRIPT}.py in {app_dir}.")
        _forget_app(app_dir)
        started = self._await(
            runtime.worker_init_request(
                request("worker_init_request", capabilities={}, function_app_directory=str(app_dir))
            )
        )
        if started.result.status != StatusResult.Success:
            # A failed start must be seen here: asking for the functions afterwards answers "success" with none.
            error = started.result.exception
            raise IndexingError(f"{error.message}\n{error.stack_trace}".strip())
        found = self._await(runtime.functions_metadata_request(request("functions_metadata_request")))
        return tuple(_function(metadata) for metadata in found.function_metadata_results or ())

    def invoke(self, function: Function, data: TypedData, metadata: Mapping[str, TypedData] | None = None) -> Outcome:
        """Call a function with its trigger's data and return what came back; raises InvocationError."""
        invocation_id = str(uuid.uuid4())
        self._running[invocation_id] = function.name
        try:
            answer = self._await(
                runtime.invocation_request(
                    request(
                        "invocation_request",
                        invocation_id=invocation_id,
                        function_id=function.id,
                        input_data=[ParameterBinding(name=function.trigger.name, data=data)],
                        trigger_metadata=metadata or {},
                        trace_context=Message(trace_parent="", trace_state="", attributes={}),
                        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
                    )
                )
            )
        finally:
            del self._running[invocation_id]
        if answer.result.status != StatusResult.Success:
            raise InvocationError(answer.result.exception.message, answer.result.exception.stack_trace)
        return Outcome(answer.return_value, {output.name: output.data for output in answer.output_data})

    def running_function(self) -> str | None:
        """Return the name of the function that the calling thread is running, for log lines."""
        return self._running.get(runtime.invocation_id_cv.get() or "")

    def close(self) -> None:
        """Wait for running functions and end the threads."""
        runtime.stop_threadpool_executor()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class FunctionNameFilter(logging.Filter):
    """The filter that gives each log record the name of the function that wrote it."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.function`; outside of functions, to "host" for this host and to the logger's name for others."""
        own = record.name.startswith("local.functions_host")
        record.function = self._worker.running_function() or ("host" if own else record.name)
        return True


def _forget_app(app_dir: Path) -> None:
    """Make the next import of function_app run it again, from this folder: an app object can be indexed only once."""
    sys.modules.pop(_SCRIPT, None)
    if str(app_dir) in sys.path:
        sys.path.remove(str(app_dir))
    sys.path.insert(0, str(app_dir))
    importlib.invalidate_caches()


def _function(metadata: Message) -> Function:
    fields = vars(metadata)
    bindings = [_binding(json.loads(raw)) for raw in fields["raw_bindings"]]
    for binding in bindings:
        if not _BINDING_NAME.fullmatch(binding.name):
            raise IndexingError(
                f"The '{fields['name']}' function is in error: The binding name {binding.name} is invalid. "
                "Please assign a valid name to the binding."
            )
    triggers = [binding for binding in bindings if binding.type.lower().endswith("trigger")]
    if len(triggers) != 1:
        raise IndexingError(f"Function {fields['name']} needs exactly one trigger, it has {len(triggers)}.")
    others = tuple(binding for binding in bindings if binding is not triggers[0])
    return Function(fields["function_id"], fields["name"], triggers[0], others)


def _binding(raw: dict[str, Any]) -> Binding:
    return Binding(raw["name"], raw["type"], str(raw["direction"]).upper() == "OUT", raw)
