"""Transfers that run beside the step that asked for them, so that the network works while the processor does."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import BoundedSemaphore, Thread
from typing import Final

LIMIT: Final = 4
"""How many transfers run beside their steps at once, in the whole process; who comes then waits for a place."""

_places = BoundedSemaphore(LIMIT)


def begin[T](call: Callable[[], T]) -> Future[T]:
    """Begin a call in a thread of its own; its result, or its error, is told by the future.

    The thread ends with its call, whether anybody waits for it or not, and never holds up the end of the process.
    """
    future: Future[T] = Future()
    _places.acquire()
    thread = Thread(target=copy_context().run, args=(_fulfil, future, call), name="transfer", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _fulfil(future, call)  # The system gives no more threads: then one after the other.
    return future


def _fulfil[T](future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # Whoever waits for the future raises it.
        _places.release()
        future.set_exception(error)
    else:
        _places.release()
        future.set_result(result)
