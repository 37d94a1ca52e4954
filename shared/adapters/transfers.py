"""Transfers in the background of the step that needs them, so that network and processor work at the same time."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import BoundedSemaphore, Thread
from typing import Final

LIMIT: Final = 4
"""How many transfers run at once in the whole process; further ones wait for a free place."""

FETCHES: Final = 8
"""How many documents are fetched at once in the whole process; they have places of their own."""

_places = BoundedSemaphore(LIMIT)
_fetches = BoundedSemaphore(FETCHES)


def begin[T](call: Callable[[], T]) -> Future[T]:
    """Begin a call in another thread; the future gets its result or its error.

    The thread ends with its call, even if nothing waits for the future, and never delays the end of the process.
    """
    return _begin(call, _places)


def begin_fetch[T](call: Callable[[], T]) -> Future[T]:
    """Begin a call as `begin` does, which fetches a document."""
    return _begin(call, _fetches)


def _begin[T](call: Callable[[], T], places: BoundedSemaphore) -> Future[T]:
    future: Future[T] = Future()
    places.acquire()
    thread = Thread(target=copy_context().run, args=(_fulfil, future, call, places), name="transfer", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _fulfil(future, call, places)  # The system has no thread to spare: make the call here and now.
    return future


def _fulfil[T](future: Future[T], call: Callable[[], T], places: BoundedSemaphore) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # It is raised where the future is waited for.
        places.release()
        future.set_exception(error)
    else:
        places.release()
        future.set_result(result)
