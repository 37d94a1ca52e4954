"""Transfers that run beside the step that asked for them, so that the network works while the processor does."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import BoundedSemaphore, Thread
from typing import Final

LIMIT: Final = 4
"""How many transfers run beside their steps at once, in the whole process; who comes then waits for a place."""

FETCHES: Final = 8
"""How many documents are fetched at once, in the whole process; they take no other transfer's place."""

_places = BoundedSemaphore(LIMIT)
_fetches = BoundedSemaphore(FETCHES)


def begin[T](call: Callable[[], T]) -> Future[T]:
    """Begin a call in another thread; its result, or its error, comes by the future.

    The thread ends with its call, whether anybody waits for it or not, and never holds up the end of the process.
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
        _fulfil(future, call, places)  # The system gives no more threads: then one after the other.
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
