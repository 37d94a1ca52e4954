"""Ports that can be watched: every call of every port is a boundary at which a test may stop, fail or switch."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from shared.domain.batch_service import BatchService, BatchServices
from shared.domain.ports import App
from shared.settings import Target

_gives_a_stream = lru_cache(256)(inspect.isgeneratorfunction)

type Around = Callable[[str], None]
"""Called with the name of a port's call, such as `store.save_job`."""


def nothing(call: str) -> None:
    """Let a call be."""


def watched(app: App, before: Around, after: Around = nothing) -> App:
    """The same app, whose every port call is preceded by `before` and, where it came back, followed by `after`."""

    def watch(port: object, name: str) -> Any:
        return cast(Any, _Watched(port, name, before, after))

    return replace(
        app,
        files=watch(app.files, "files"),
        store=watch(app.store, "store"),
        ledger=watch(app.ledger, "ledger"),
        services=_WatchedServices(app.services, lambda service: watch(service, "service")),
        queues=watch(app.queues, "queues"),
        hook=watch(app.hook, "hook"),
    )


class _WatchedServices:
    """Batch services that are watched, each at its resource."""

    def __init__(self, services: BatchServices, watch: Callable[[object], Any]) -> None:
        self._services, self._watch = services, watch

    def at(self, target: Target) -> BatchService:
        """Return the watched service of a target's resource."""
        return cast(BatchService, self._watch(self._services.at(target)))


class _Watched:
    """A port, or a blob writer, that tells of its calls."""

    def __init__(self, port: object, name: str, before: Around, after: Around) -> None:
        self._port, self._name, self._before, self._after = port, name, before, after

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        label = f"{self._name}.{method}"
        # These do no I/O themselves: a writer's bytes are seen by nobody before its commit.
        if not callable(found) or label in ("files.url", "files.name_of", "writer.write"):
            return found
        if label == "files.writer":
            return lambda *args, **named: _Watched(found(*args, **named), "writer", self._before, self._after)

        if label == "files.fetch":
            return lambda *args, **named: self._later(label, found(*args, **named))

        def call(*args: Any, **named: Any) -> Any:
            if _gives_a_stream(getattr(found, "__func__", found)):
                return self._stream(label, found(*args, **named))
            self._before(label)
            result = found(*args, **named)
            self._after(label)
            return result

        return call

    def _later(self, label: str, wait: Callable[[], Any]) -> Callable[[], Any]:
        """Watch what is begun now when it is waited for."""

        def waited() -> Any:
            self._before(label)
            result = wait()
            self._after(label)
            return result

        return waited

    def _stream(self, label: str, items: Iterator[Any]) -> Iterator[Any]:
        self._before(label)
        yield from items
        self._after(label)
