"""Work done by several threads at once whose results come in the order of the work."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice

AHEAD = 8
"""So many times the threads' number may be begun while the first of it isn't done."""
_LOOK_SECONDS = 0.2


def in_order[T, R](
    work: Callable[[T], R], items: Iterable[T], threads: int, goes_on: Callable[[], bool]
) -> Iterator[list[R]]:
    """Yield the results of `work` in order, as many at a time as are there, until `goes_on` returns False.

    One slow item doesn't keep the threads from the next ones. They are daemons: what hangs can't hold up the process's
    end. An exception of `work` is raised here.
    """
    rest, todo = iter(items), queue.SimpleQueue[tuple[T, Future[R]] | None]()
    begun: deque[Future[R]] = deque()

    def begin(count: int) -> None:
        for item in islice(rest, count):
            future: Future[R] = Future()
            begun.append(future)
            todo.put((item, future))

    for _ in range(threads):
        threading.Thread(target=_run, args=(work, todo), daemon=True).start()
    try:
        begin(threads * AHEAD)
        while begun and goes_on():
            if not _is_done(begun[0]):
                continue
            done = []
            while begun and begun[0].done():
                done.append(begun.popleft().result())
            begin(len(done))
            yield done
    finally:
        for future in begun:
            future.cancel()
        for _ in range(threads):
            todo.put(None)


def _is_done[R](future: Future[R]) -> bool:
    try:
        future.exception(_LOOK_SECONDS)
    except TimeoutError:
        return False
    return True


def _run[T, R](work: Callable[[T], R], todo: "queue.SimpleQueue[tuple[T, Future[R]] | None]") -> None:
    while (task := todo.get()) is not None:
        item, future = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(work(item))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            future.set_exception(error)
